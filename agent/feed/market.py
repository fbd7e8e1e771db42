"""Market data as the ticks ask for it: closed bars and settled funding, never a filled gap.

A bar counts as closed once the answer holds a later one. The clock alone proves nothing: an exchange may publish late,
and ccxt drops the flag that says so.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from threading import Lock, local
from typing import Final, Protocol

import numpy as np

from agent.clock import Clock
from perpfut_lib.acquire.exchange import Exchange
from perpfut_lib.acquire.wires import BINANCE, HYPERLIQUID, Wire
from perpfut_lib.errors import ExchangeError, MissingInputError
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import HOUR_MS, MINUTE_MS, Float2D

log = logging.getLogger(__name__)

NO_BARS: Final = np.empty((0, 6))
NO_SETTLEMENTS: Final = np.empty((0, 2))
WIRES: Final[Mapping[str, Wire]] = {"binance": BINANCE, "hyperliquid": HYPERLIQUID}
PUBLISHED_WITHIN: Final = 5 * MINUTE_MS  # a settlement that is due is asked for again so long


@dataclass(frozen=True)
class Wanted:
    """Request for one symbol."""

    bars_since: int
    """First open time, ms UTC."""
    settlements_since: int | None
    """First settlement time, ms UTC; none asks for none."""


@dataclass(frozen=True)
class Slice:
    """Data of one symbol up to some time."""

    bars: Float2D
    """Closed bars as published, (n, 6): open time (ms UTC), open, high, low, close, volume; gaps are gaps."""
    settlements: Float2D
    """Funding settlements, (n, 2): time (ms UTC, whole minutes) and rate."""


class MarketData(Protocol):
    """Where ticks get their data from."""

    def now(self) -> int:
        """Return the exchange's time, ms UTC; :class:`ExchangeError` if it does not answer."""
        ...

    def symbols(self) -> tuple[str, ...]:
        """Return the perpetual futures that are listed now."""
        ...

    def fetch(self, wanted: Mapping[str, Wanted], until: int, deadline: float | None = None) -> dict[str, Slice]:
        """Return the data of each symbol before ``until``; a symbol that gives no answer is absent.

        Bars open in [``bars_since``, ``until``) and are closed; settlements lie in [``settlements_since``, ``until``].
        With a ``deadline`` (seconds from now), what has not come by then is absent too.
        """
        ...


class LiveMarket:
    """An exchange through ccxt: Binance or, by its URL, the local exchange.

    Parameters
    ----------
    exchange : Exchange
        The connection; further ones are opened as threads need them.
    timeframe : int
        Length of a bar, ms.
    """

    def __init__(self, exchange: Exchange, timeframe: int) -> None:
        self._exchange, self._timeframe = exchange, timeframe
        self._threads = ThreadPoolExecutor(exchange.config.workers, thread_name_prefix="market")
        self._own, self._opening = local(), Lock()

    def now(self) -> int:
        """Return the exchange's time, or give up after the time-out of a request."""
        asked = self._threads.submit(lambda: self._connection().now())
        try:
            return asked.result(2 * self._exchange.config.timeout)
        except FutureTimeout as error:
            asked.cancel()
            raise ExchangeError(
                "no time from the exchange", "an answer", "it is asked again at the next bar"
            ) from error

    def symbols(self) -> tuple[str, ...]:
        """Return the listed perpetual futures, sorted."""
        return tuple(sorted(self._exchange.markets()))

    def fetch(self, wanted: Mapping[str, Wanted], until: int, deadline: float | None = None) -> dict[str, Slice]:
        """Ask for all symbols, several at once."""
        asked = {name: self._threads.submit(self._slice, name, want, until) for name, want in wanted.items()}
        wait(asked.values(), deadline)
        answers = {name: future.result() for name, future in asked.items() if future.done()}
        for name in asked.keys() - answers.keys():
            log.warning("no data in time", extra={"symbol": name})
            asked[name].cancel()
        return {name: answer for name, answer in answers.items() if answer is not None}

    def close(self) -> None:
        """Cancel pending requests and stop the threads."""
        self._exchange.stopped.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _slice(self, symbol: str, wanted: Wanted, until: int) -> Slice | None:
        try:
            bars = self._bars(symbol, wanted.bars_since, until)
            settlements = self._settlements(symbol, wanted.settlements_since, until)
        except (ExchangeError, MissingInputError) as error:
            log.warning("no data", extra={"symbol": symbol, "cause": str(error)})
            return None
        return Slice(bars, settlements)

    def _connection(self) -> Exchange:
        if not hasattr(self._own, "exchange"):
            with self._opening:  # the first one loads the markets for all
                self._own.exchange = self._exchange.another()
        own: Exchange = self._own.exchange
        return own

    def _bars(self, symbol: str, since: int, until: int) -> Float2D:
        pages, at = [NO_BARS], float(since)
        while at <= until:
            answer = self._connection().candles(symbol, self._timeframe, math.ceil(at))
            pages.append(answer.rows)
            at = answer.reach
        rows = np.concatenate(pages)
        closed = rows[:-1]  # the last one may still be forming
        return closed[closed[:, 0] < until]

    def _settlements(self, symbol: str, since: int | None, until: int) -> Float2D:
        if since is None:
            return NO_SETTLEMENTS
        pages, at = [NO_SETTLEMENTS], float(since)
        while at <= until + MINUTE_MS:
            answer = self._connection().settlements(symbol, math.ceil(at))
            pages.append(answer.rows)
            at = answer.reach
        return on_schedule(np.concatenate(pages), since, until)


class PanelMarket:
    """Recorded or simulated candles, shown up to a clock; for tests and for replays without an exchange.

    Parameters
    ----------
    panel : Panel
        The market.
    clock : Clock
        Bars that close after its wall time do not exist yet.
    """

    def __init__(self, panel: Panel, clock: Clock) -> None:
        self._panel, self._clock = panel, clock

    def now(self) -> int:
        """Return the clock's time."""
        return self._clock.wall()

    def symbols(self) -> tuple[str, ...]:
        """Return the panel's symbols."""
        return self._panel.symbols

    def fetch(self, wanted: Mapping[str, Wanted], until: int, deadline: float | None = None) -> dict[str, Slice]:
        """Return the panel's own numbers; a bar that was filled does not exist."""
        until = min(until, self._clock.wall())
        return {name: self._slice(name, ask, until) for name, ask in wanted.items() if name in self._panel.symbols}

    def _slice(self, symbol: str, ask: Wanted, until: int) -> Slice:
        panel, column = self._panel, self._panel.column(symbol)
        rows = slice(panel.row(ask.bars_since), panel.row(until - panel.timeframe + 1))
        fields = [getattr(panel, name)[rows, column] for name in ("open", "high", "low", "close", "volume")]
        bars = np.stack([panel.open_time[rows].astype(np.float64), *fields], axis=1)
        bars = bars[np.isfinite(bars).all(axis=1) & ~panel.filled[rows, column]]
        events = panel.funding.get(symbol)
        if events is None or ask.settlements_since is None:
            return Slice(bars, NO_SETTLEMENTS)
        table = np.stack([events.time.astype(np.float64), events.rate], axis=1)
        return Slice(bars, on_schedule(table, ask.settlements_since, until))


def on_schedule(settlements: Float2D, since: int, until: int) -> Float2D:
    """Return settlements of [``since``, ``until``], stamps cut to the minute: they carry some ms of jitter."""
    minutes = settlements[:, 0] // MINUTE_MS * MINUTE_MS
    inside = (minutes >= since) & (minutes <= until)
    return np.stack([minutes[inside], settlements[inside, 1]], axis=1)


def settlement_due(checked: int, now: int) -> bool:
    """Return whether a settlement may have come since ``checked``: they fall on whole hours and may appear late."""
    return checked // HOUR_MS < now // HOUR_MS or now % HOUR_MS < PUBLISHED_WITHIN


def missing_bars(bars: Float2D, opens: Sequence[int]) -> list[int]:
    """Return which of the open times ``opens`` are not among ``bars``."""
    held = set(bars[:, 0].tolist())
    return [open_time for open_time in opens if open_time not in held]
