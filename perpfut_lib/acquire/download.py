"""Fill the history of many symbols from an exchange: by last time stamp, resumable, several symbols at once."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from queue import SimpleQueue

import numpy as np

from perpfut_lib.acquire.exchange import Answer, Exchange
from perpfut_lib.acquire.history import FUNDING, MARK, History, Series, Unit, units
from perpfut_lib.config import format_time
from perpfut_lib.errors import ExchangeError
from perpfut_lib.progress import meter
from perpfut_lib.types import HOUR_MS, MINUTE_MS, Float2D

INTERVAL_MS = 8 * HOUR_MS  # of settlements, for estimates
SETTLING_MS = MINUTE_MS
"""A bar counts as final a minute after its close: exchanges correct the newest one."""


@dataclass(frozen=True)
class Order:
    """What to download: series of symbols over [start, end), ms UTC."""

    series: tuple[Series, ...]
    symbols: tuple[str, ...]
    start: int
    end: int
    timeframe: int
    """Length of a bar, ms."""

    def parts(self) -> list[tuple[Series, str]]:
        """Return one part per series and symbol."""
        return [(series, symbol) for symbol in self.symbols for series in self.series]


@dataclass(frozen=True)
class Estimate:
    """What a download will take, before it starts."""

    bars: int
    requests: int
    weight: int
    minutes: float
    """At the weight budget, if that is what binds."""

    def __str__(self) -> str:
        return f"{self.bars:,} bars in {self.requests:,} requests of weight {self.weight:,}: {self.minutes:.1f} minutes"


def estimate(exchange: Exchange, history: History, order: Order) -> Estimate:
    """Return what an order still takes, given what the history holds already."""
    bars = requests = weight = 0
    for series, symbol in order.parts():
        page = exchange.wire.settlements if series is FUNDING else exchange.wire.candles
        step = INTERVAL_MS if series is FUNDING else order.timeframe
        missing = sum(_missing(history, series, symbol, unit, order, step) for unit in units_of(series, order))
        asked = -(-missing // (page.rows - 1))  # every page repeats the last row of the one before
        bars += 0 if series is FUNDING else missing
        requests, weight = requests + asked, weight + asked * page.weight
    return Estimate(bars, requests, weight, weight / exchange.budget.per_minute)


def download(exchange: Exchange, history: History, order: Order) -> None:
    """Bring the history up to date with an order.

    Parameters
    ----------
    exchange : Exchange
        Already connected; further connections are opened for the other threads.
    history : History
        Complete units are left alone, others are gone on with.
    order : Order
        What is wanted. Bars that are not final yet are left for the next time.

    Raises
    ------
    ExchangeError, MissingInputError, ArtifactError
        Whatever stopped the first part that failed; the others stop too. What was downloaded stays.
    """
    exchange.stopped.clear()
    final = exchange.now() - SETTLING_MS
    workers = min(exchange.config.workers, len(order.parts()))
    connections = [exchange, *(exchange.another() for _ in range(workers - 1))]
    free: SimpleQueue[tuple[Exchange, int]] = SimpleQueue()
    for line, connection in enumerate(connections, start=1):
        free.put((connection, line))
    total = estimate(exchange, history, order)
    with history.lock(), meter(label=f"Downloading {total}", total=total.bars, unit="bar") as advance:

        def work(series: Series, symbol: str) -> None:
            connection, line = free.get()
            try:
                _fill_symbol(_Part(connection, history, series, symbol, order, final), advance, line)
            finally:
                free.put((connection, line))

        _run_all(work, order.parts(), exchange)


def units_of(series: Series, order: Order) -> list[Unit]:
    """Return the units of an order's series."""
    return units(series, order.start, order.end)


@dataclass(frozen=True)
class _Part:
    """One series of one symbol on its way."""

    exchange: Exchange
    history: History
    series: Series
    symbol: str
    order: Order
    final: int
    """Rows before this time (ms) do not change any more."""

    @property
    def step(self) -> int:
        """Return the distance of two bars (ms); 0 for settlements, whose interval changes."""
        return 0 if self.series is FUNDING else self.order.timeframe

    @property
    def end(self) -> int:
        """Return the end (ms) of what is wanted and final: a bar is final once it is over."""
        return min(self.order.end, self.final // self.step * self.step if self.step else self.final)

    def ask(self, since: int) -> Answer:
        """Return the page from ``since`` on."""
        if self.series is FUNDING:
            return self.exchange.settlements(self.symbol, since)
        return self.exchange.candles(self.symbol, self.order.timeframe, since, mark=self.series is MARK)


def _run_all(work: Callable[[Series, str], None], parts: Sequence[tuple[Series, str]], exchange: Exchange) -> None:
    """Run all parts on as many threads as there are workers; after the first error stop the others and raise it."""
    with ThreadPoolExecutor(min(exchange.config.workers, len(parts))) as pool:
        futures = [pool.submit(work, series, symbol) for series, symbol in parts]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            errors = [error for future in done if (error := future.exception()) is not None]
        except BaseException:
            _stop(futures, exchange)
            raise
        if errors:
            _stop(futures, exchange)
            raise errors[0]


def _stop(futures: Sequence[Future[None]], exchange: Exchange) -> None:
    exchange.stopped.set()
    for future in futures:
        future.cancel()


def _fill_symbol(part: _Part, advance: Callable[[int], object], line: int) -> None:
    """Fill every unit of one series of one symbol."""
    part.history.tidy(part.series, part.symbol)
    wanted = [u for u in units_of(part.series, part.order) if not part.history.is_complete(part.series, part.symbol, u)]
    step = part.step or INTERVAL_MS
    total = sum(_missing(part.history, part.series, part.symbol, unit, part.order, step) for unit in wanted)
    with meter(label=f"{part.symbol} {part.series.name}", total=total, unit="row", position=line) as own:

        def moved(rows: int) -> None:
            own(rows)
            advance(rows if part.step else 0)

        for unit in wanted:
            _fill_unit(part, unit, moved)


def _fill_unit(part: _Part, unit: Unit, moved: Callable[[int], None]) -> None:
    """Append pages to a unit's journal until it holds all there is, then make it complete if its time is over.

    Each page begins with the last row held, which must come back unchanged. A hole is believed only when two answers in
    a row show it, so that a page with rows left out does not make one.
    """
    journal = part.history.journal(part.series, part.symbol, unit)
    journal.mend()
    end, held, doubt = min(unit.end, part.end), journal.last(), None
    at = int(held[0]) if held else unit.start - max(part.step, 1)
    while at + part.step < end:
        answer = part.ask(max(at, unit.start))
        fresh = _fresh(part, answer.rows, held, at, end)
        following = int(fresh[0, 0]) if len(fresh) else None
        hole = following is None or (part.step > 0 and following != at + part.step)
        if hole and doubt != (at, following):
            doubt = (at, following)
        elif following is None and answer.reach >= end:
            break
        elif following is None:
            at = int(answer.reach) - part.step
        else:
            journal.append(fresh)
            moved(len(fresh))
            held = tuple(fresh[-1].tolist())
            at = int(held[0])
    if part.end >= unit.end:
        part.history.commit(part.series, part.symbol, unit, journal.table())


def _fresh(part: _Part, rows: Float2D, held: tuple[float, ...] | None, at: int, end: int) -> Float2D:
    """Return an answer's rows after those held, up to the first hole inside.

    Raises
    ------
    ExchangeError
        The row held is another one now.
    """
    if held is not None and len(rows) and rows[0, 0] == held[0] and tuple(rows[0].tolist()) != held:
        found = f"{part.symbol} at {format_time(at)} as {rows[0, 1:].tolist()}, downloaded before as {list(held[1:])}"
        remedy = f"remove the journal of {part.symbol} to download the unit again"
        raise ExchangeError(found, "history that does not change", remedy)
    fresh = rows[(rows[:, 0] > at) & (rows[:, 0] < end)]
    holes = np.flatnonzero(np.diff(fresh[:, 0]) != part.step) if part.step else fresh[:0, 0]
    return fresh[: int(holes[0]) + 1] if len(holes) else fresh


def _missing(history: History, series: Series, symbol: str, unit: Unit, order: Order, step: int) -> int:
    """Return about how many rows a unit still lacks."""
    if history.is_complete(series, symbol, unit):
        return 0
    held = history.journal(series, symbol, unit).last()
    return max(0, (min(unit.end, order.end) - (int(held[0]) + step if held else unit.start)) // step)
