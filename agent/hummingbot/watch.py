"""What the script sends beside orders: stops, cancellations, signs of life, and a look at the account's settings."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Protocol

from aiohttp import ClientError

from agent.executor.execution import DeadManSwitch, resting
from agent.executor.rules import TradingRule
from agent.executor.settings import Quote
from agent.executor.state import State
from agent.executor.stops import Stop
from agent.executor.trader import Trader
from agent.hummingbot.exchange_requests import Venue
from perpfut_lib.errors import ConfigError, PerpfutError

CHECK_MS: Final = 60_000
"""Time between two looks at position mode and leverage; while they are wrong, they are looked at more often."""
NETWORK_ERRORS: Final = (OSError, ClientError, TimeoutError, ValueError, KeyError)


class Config(Protocol):
    """What is used of the script's settings."""

    leverage: int
    symbols: list[str]
    settle: float
    dead_man: float

    @property
    def distance(self) -> Any:
        """Return the distance of stops."""
        ...


class Watch:
    """Sends what must not hold the clock up; each answer goes to the executor when it comes.

    Parameters
    ----------
    trader : Trader
        Whose stops and orders are watched over.
    venue : Venue
        The exchange.
    config : Config
        Settings of the script.
    log : logger
        Hummingbot's.
    """

    def __init__(self, trader: Trader, venue: Venue, config: Config, log: Any) -> None:
        self._trader, self._venue, self._config, self._log = trader, venue, config, log
        spares = venue.switch_spares_stops or not config.distance
        self._switch = DeadManSwitch(int(1000 * config.dead_man) if spares else 0)
        self._settle_ms = int(1000 * config.settle)
        self._requests: set[asyncio.Task[None]] = set()
        self._checked = 0

    def look(self, state: State, quotes: Mapping[str, Quote], now: int, cancel: Callable[[str, str], bool]) -> None:
        """Send what is due.

        Parameters
        ----------
        state : State
            The ledger.
        quotes : mapping
            Of now, by symbol.
        now : int
            Monotonic clock, ms.
        cancel : callable
            Cancels an order by symbol and id through Hummingbot; false if Hummingbot does not know it.
        """
        trader = self._trader
        due = trader.protect(quotes, now)
        for stop in due.place:
            self._send(self._place(stop, quotes[stop.symbol].rule, now))
        for stop in due.cancel:
            self._send(self._cancel(stop))
        for order_id in trader.execution.overdue(state, trader.intent, now, self._settle_ms):
            symbol = state.symbol_of(order_id)
            if not cancel(symbol, order_id):
                self._send(self._cancel_stranger(symbol, order_id, now))
        if countdowns := self._switch.due(resting(state), now):
            self._send(self._venue.countdown(countdowns))
        if now - self._checked >= (self._settle_ms if trader.execution.closed else CHECK_MS):
            self._checked = now
            self._send(self.check())

    async def stops(self) -> dict[str, Stop] | None:
        """Return our stops that rest, by id; none where there can be none."""
        if not self._config.distance and not self._trader.protection.book.rests:
            return None
        return await self._venue.stops()

    async def check(self) -> None:
        """Look at position mode and leverage: while they are wrong, nothing is opened."""
        execution = self._trader.execution
        try:
            await self._venue.check(self._config.leverage, self._config.symbols)
        except ConfigError as error:
            if execution.closed != str(error):
                self._log.error(f"nothing is opened: {error}")
            execution.closed = str(error)
            return
        execution.closed = ""

    def _send(self, request: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(self._answered(request))
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)

    async def _answered(self, request: Coroutine[Any, Any, None]) -> None:
        try:
            await request
        except (*NETWORK_ERRORS, PerpfutError) as error:
            self._log.warning(f"a request failed: {error}")

    async def _place(self, stop: Stop, rule: TradingRule, now: int) -> None:
        """Let a stop rest; one that rests although its answer was lost is found by the next reading."""
        try:
            await self._venue.place(stop, rule)
        except (*NETWORK_ERRORS, PerpfutError) as error:
            self._trader.protection.failed(stop.stop_id, now, str(error))
            return
        self._trader.protection.accepted(stop.stop_id)
        self._log.info(f"stop {stop.stop_id} {stop.symbol} {stop.quantity} at {stop.trigger}")

    async def _cancel(self, stop: Stop) -> None:
        await self._venue.cancel(stop.symbol, stop.stop_id, stop=True)
        self._trader.protection.cancelled(stop.stop_id)
        self._log.info(f"stop {stop.stop_id} {stop.symbol} cancelled")

    async def _cancel_stranger(self, symbol: str, order_id: str, now: int) -> None:
        """Cancel an order of a life before this one."""
        await self._venue.cancel(symbol, order_id, stop=False)
        self._trader.end(order_id, now, failed=False, why="cancelled after a restart")
