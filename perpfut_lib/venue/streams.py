"""Websockets of any wire: who is connected, what each is owed, and the pump that sends it."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import orjson
from aiohttp import WSMsgType, web

from perpfut_lib.types import Json, JsonObject
from perpfut_lib.venue.errors import WireError
from perpfut_lib.venue.exchange import Exchange
from perpfut_lib.venue.faults import Disconnect
from perpfut_lib.venue.tape import Bars
from perpfut_lib.venue.view import Page

Message = JsonObject | list[Json]


class Subscriber(ABC):
    """One connected client: it reads requests and knows what the client is owed."""

    @abstractmethod
    def answer(self, request: Json) -> Iterable[Message]:
        """Return the answers to one request of the client."""

    @abstractmethod
    def due(self) -> Iterable[Message]:
        """Return the messages that have become due since the last call."""


@dataclass
class Hub:
    """All websockets of an exchange."""

    exchange: Exchange
    connections: dict[web.WebSocketResponse, tuple[str, Subscriber]] = field(default_factory=dict)

    async def serve(self, request: web.Request, subscriber: Subscriber) -> web.WebSocketResponse:
        """Talk to one client until it leaves."""
        socket = web.WebSocketResponse(heartbeat=30.0)
        await socket.prepare(request)
        self.connections[socket] = (request.path, subscriber)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await _send(socket, subscriber.answer(_json(message.data)))
        finally:
            self.connections.pop(socket, None)
        return socket

    async def run(self) -> None:
        """Send what is due, again and again, until cancelled; then close all connections."""
        try:
            while True:
                await self.push()
                await asyncio.sleep(self.exchange.config.stream_interval)
        finally:
            for socket in list(self.connections):
                await socket.close()

    async def push(self) -> None:
        """Send everything that is due now; close what a fault says."""
        if fault := self.exchange.faults.take(Disconnect):
            for socket, (path, _) in list(self.connections.items()):
                if path.startswith(fault.path):
                    self.connections.pop(socket, None)
                    await socket.close()
        for socket, (_, subscriber) in list(self.connections.items()):
            try:
                await _send(socket, subscriber.due())
            except WireError as error:  # one client's stream has ended; the others go on
                await socket.close(message=error.message.encode())


async def _send(socket: web.WebSocketResponse, messages: Iterable[Message]) -> None:
    try:
        for message in messages:
            await socket.send_str(orjson.dumps(message).decode())
    except ConnectionError:
        await socket.close()


def _json(text: str) -> Json:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


@dataclass
class CandleCursor:
    """Where a subscriber stands in a symbol's candles: no bar is skipped, each is closed once."""

    exchange: Exchange
    symbol: str
    interval: int
    next_open: int | None = None
    """Open time of the first bar that has not been sent as closed."""

    def due(self) -> Iterator[tuple[Bars, bool]]:
        """Yield one-row bars with whether they are closed: those closed since the last call, then the forming one."""
        page = Page(self.interval, 1 if self.next_open is None else 1500, self.next_open)
        now = self.exchange.published(self.symbol)  # first: a bar that is closed by then is whole in what is read next
        bars = self.exchange.bars(self.symbol, page)
        for k in range(len(bars)):
            opened = int(bars.open_time[k])
            closed = opened + self.interval <= now
            self.next_open = opened + self.interval if closed else opened
            yield bars[k : k + 1], closed
