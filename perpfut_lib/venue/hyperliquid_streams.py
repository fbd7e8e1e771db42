"""The websocket of Hyperliquid: subscriptions, what they are owed, and requests by post."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import orjson
from aiohttp import web

from perpfut_lib.types import Json, JsonObject
from perpfut_lib.venue import hyperliquid_account, hyperliquid_market
from perpfut_lib.venue.accounts import Event, Fill, Income, Order
from perpfut_lib.venue.binance_candles import INTERVALS
from perpfut_lib.venue.hyperliquid_actions import Actions
from perpfut_lib.venue.hyperliquid_market import UnknownRequest, candle_rows, context, series_of
from perpfut_lib.venue.hyperliquid_rest import info
from perpfut_lib.venue.matching import Matching
from perpfut_lib.venue.streams import CandleCursor, Hub, Message, Subscriber

Source = Callable[[], Iterable[Message]]
PRIVATE: Final = {"orderUpdates", "userEvents", "user", "userFills", "userFundings", "clearinghouseState"}


@dataclass
class Client(Subscriber):
    """One client of ``/ws``."""

    matching: Matching
    actions: Actions
    sources: dict[bytes, Source] = field(default_factory=dict)
    private: dict[str, JsonObject] = field(default_factory=dict)
    """Subscriptions about the user, by type."""
    waiting: deque[Message] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.matching.listeners.append(self.hear)

    def close(self) -> None:
        """Stop listening."""
        self.matching.listeners.remove(self.hear)

    def answer(self, request: Json) -> Iterable[Message]:
        """Return the answers to one frame."""
        method = request.get("method") if isinstance(request, dict) else None
        if method == "ping":
            return [{"channel": "pong"}]
        if method == "post":
            return [self._post(request)]
        wanted = request.get("subscription") if isinstance(request, dict) else None
        if method not in {"subscribe", "unsubscribe"} or not isinstance(wanted, dict):
            return [{"channel": "error", "data": f"Error parsing JSON into valid websocket request: {request}"}]
        confirmation: Message = {
            "channel": "subscriptionResponse",
            "data": {"method": method, "subscription": wanted},
        }
        if method == "unsubscribe":
            self.sources.pop(_key(wanted), None)
            self.private.pop(str(wanted.get("type")), None)
            return [confirmation]
        try:
            return [confirmation, *self._subscribe(wanted)]
        except UnknownRequest as error:
            return [{"channel": "error", "data": f"Invalid subscription {wanted}: {error}"}]

    def due(self) -> Iterator[Message]:
        """Yield what has become due since the last call."""
        if self.private:
            self.matching.account(self.matching.exchange.config.wallet)
        while self.waiting:
            yield self.waiting.popleft()
        for source in list(self.sources.values()):
            yield from source()

    def _post(self, request: JsonObject) -> Message:
        """Carry out a request or an action that comes by websocket."""
        inner: JsonObject = request.get("request") or {}
        try:
            payload: Json = inner.get("payload")
            if inner.get("type") == "action":
                content: Json = self.actions.answer(payload)
            else:
                content = {"type": payload.get("type"), "data": info(self.matching, payload)}
        except (AttributeError, UnknownRequest) as error:
            return {
                "channel": "post",
                "data": {"id": request.get("id"), "response": {"type": "error", "payload": str(error)}},
            }
        response = {"type": inner.get("type"), "payload": content}
        return {"channel": "post", "data": {"id": request.get("id"), "response": response}}

    def _subscribe(self, wanted: JsonObject) -> list[Message]:
        """Add a subscription and return its snapshot."""
        kind = str(wanted.get("type"))
        if kind in PRIVATE:
            account = hyperliquid_account.user_of(self.matching, wanted)
            if account.name != self.matching.exchange.config.wallet:
                return []
            self.private[kind] = wanted
            return self._snapshot(kind, wanted)
        self.sources[_key(wanted)] = self._source(kind, wanted)
        return []

    def _snapshot(self, kind: str, wanted: JsonObject) -> list[Message]:
        if kind == "userFills":
            fills = hyperliquid_account.user_fills(self.matching, wanted)
            return [{"channel": kind, "data": {"isSnapshot": True, "user": wanted["user"], "fills": fills}}]
        if kind == "clearinghouseState":
            return [self._state(wanted)]
        return []

    def _state(self, wanted: JsonObject) -> Message:
        state = hyperliquid_account.clearinghouse_state(self.matching, wanted)
        return {
            "channel": "clearinghouseState",
            "data": {"dex": "", "user": wanted["user"], "clearinghouseState": state},
        }

    def _source(self, kind: str, wanted: JsonObject) -> Source:
        """Return the source of a public subscription."""
        exchange = self.matching.exchange
        if kind == "allMids":
            return self._whenever(
                lambda: {"channel": kind, "data": {"mids": hyperliquid_market.all_mids(exchange, {})}}
            )
        series = series_of(exchange, wanted.get("coin"))
        rules = series.instrument
        if kind == "candle":
            interval = str(wanted.get("interval"))
            if interval not in INTERVALS or INTERVALS[interval] % exchange.tape.timeframe:
                raise UnknownRequest(f"no candles of {interval}")
            cursor = CandleCursor(exchange, rules.symbol, INTERVALS[interval])
            return lambda: (
                {"channel": kind, "data": candle_rows(rules, interval, bar)[0]} for bar, _closed in cursor.due()
            )
        makers: dict[str, Callable[[], Json]] = {
            "l2Book": lambda: hyperliquid_market.book(exchange, {"coin": rules.coin}),
            "activeAssetCtx": lambda: {"coin": rules.coin, "ctx": context(exchange, series)},
            "trades": lambda: [self._trade(rules.coin)],
            "bbo": lambda: self._best(rules.coin),
        }
        if kind not in makers:
            raise UnknownRequest(f"no subscription {kind}")
        return self._whenever(lambda: {"channel": kind, "data": makers[kind]()})

    def _best(self, coin: str) -> JsonObject:
        book = hyperliquid_market.book(self.matching.exchange, {"coin": coin})
        return {"coin": coin, "time": book["time"], "bbo": [book["levels"][0][0], book["levels"][1][0]]}

    def _trade(self, coin: str) -> JsonObject:
        exchange = self.matching.exchange
        rules = series_of(exchange, coin).instrument
        quote = exchange.quote(rules.symbol)
        return {
            "coin": coin,
            "side": "A" if quote.last <= quote.bid else "B",
            "px": hyperliquid_market.price_text(rules, quote.last),
            "sz": rules.quantity_text(quote.depth),
            "time": exchange.clock.shown(),
            "hash": hyperliquid_account.NO_HASH,
            "tid": quote.time,
            "users": ["0x" + "0" * 40] * 2,
        }

    def _whenever(self, make: Callable[[], Message]) -> Source:
        """Return a source that speaks whenever the exchange's time has moved."""
        told = [-1]

        def source() -> Iterator[Message]:
            now = self.matching.exchange.clock.now()
            if now != told[0]:
                told[0] = now
                yield make()

        return source

    def hear(self, event: Event) -> None:
        """Take note of something that has happened to the user."""
        if event.account != self.matching.exchange.config.wallet:
            return
        if isinstance(event.what, Order) and "orderUpdates" in self.private:
            self._tell("orderUpdates", [hyperliquid_account.order_update(self.matching, event.what)])
        if isinstance(event.what, Fill):
            self._hear_fill(event.what)
        if isinstance(event.what, Income) and "userFundings" in self.private:
            funding = hyperliquid_account.user_funding(self.matching, self.private["userFundings"])[-1:]
            self._tell("userFundings", {"user": event.account, "fundings": funding})
        if "clearinghouseState" in self.private and not isinstance(event.what, Order):
            self.waiting.append(self._state(self.private["clearinghouseState"]))

    def _hear_fill(self, fill: Fill) -> None:
        row = hyperliquid_account.fill_json(self.matching, fill)
        if self.private.keys() & {"user", "userEvents"}:
            self._tell("user", {"fills": [row]})
        if "userFills" in self.private:
            self._tell("userFills", {"user": self.private["userFills"]["user"], "fills": [row]})
        if "orderUpdates" in self.private:
            self._tell("orderUpdates", [hyperliquid_account.order_update(self.matching, fill.order)])

    def _tell(self, channel: str, data: Json) -> None:
        self.waiting.append({"channel": channel, "data": data})


def _key(wanted: JsonObject) -> bytes:
    return orjson.dumps(wanted, option=orjson.OPT_SORT_KEYS)


def routes(matching: Matching, actions: Actions, hub: Hub) -> list[web.RouteDef]:
    """Return the websocket route."""

    async def socket(request: web.Request) -> web.WebSocketResponse:
        client = Client(matching, actions)
        try:
            return await hub.serve(request, client)
        finally:
            client.close()

    return [web.get("/ws", socket)]
