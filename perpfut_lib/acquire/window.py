"""Which symbols over which stretch of time: the window of a market."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd

from perpfut_lib.acquire.coverage import Coverage, Spans, coverage_of, spans_text
from perpfut_lib.acquire.grid import Span
from perpfut_lib.acquire.market import Market
from perpfut_lib.config import DataConfig, UniverseConfig, format_time
from perpfut_lib.errors import FundingError, MissingInputError, PerpfutError, UniverseError
from perpfut_lib.types import Int1D

Bounds = tuple[int | None, int | None]  # dates asked for in ms UTC, None where auto


@dataclass(frozen=True)
class Window:
    """The chosen window [start, end) and what became of every symbol."""

    start: int
    """Open time of the first bar, ms UTC."""
    end: int
    """End of the last bar, ms UTC."""
    timeframe: int
    """Length of a bar, ms."""
    spans: Mapping[str, Span]
    """Symbols that are in, sorted, and the span that each is used in: the whole window unless the market is ragged."""
    reasons: Mapping[str, str]
    """Why each symbol of the source is in or out."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return the symbols that are in, sorted."""
        return tuple(self.spans)


def choose_window(market: Market, timeframe: int, data: DataConfig, universe: UniverseConfig) -> Window:
    """Pick the window and the symbols.

    With ``coverage: common`` it is the window with the most symbol-bars such that every symbol covers it; with
    ``ragged`` it spans everything, and each symbol is used in its longest usable span.

    Parameters
    ----------
    market : Market
        Candles and funding, checked.
    timeframe : int
        Length of a bar, ms.
    data : DataConfig
        ``symbols``, ``start``, ``end`` where they are given; what is allowed.
    universe : UniverseConfig
        ``min_symbols``, and what is required of a symbol beside its candles.

    Raises
    ------
    MissingInputError
        A symbol asked for is not there, or the dates asked for lie outside the data.
    GapError
        A symbol has a hole (``gaps: error``).
    FundingError
        A symbol asked for has no funding rates, or they cover no window that the candles do.
    UniverseError
        No window is covered by ``min_symbols`` symbols, or by all that were asked for.
    """
    chosen = _asked_for(market.candles, data)
    bounds = _bounds(chosen, timeframe, data)
    times = {symbol: _crop(bars, bounds) for symbol, bars in chosen.items()}
    coverage = coverage_of(market, times, timeframe, data, universe)
    if data.coverage == "ragged":
        window, spans = _ragged(coverage, bounds, universe)
    else:
        window, spans = _common(coverage, bounds, universe, 0 if data.symbols == "auto" else len(chosen))
    reasons = {symbol: _reason(symbol, coverage, window, spans) for symbol in chosen}
    reasons |= {symbol: "out: not in data.symbols" for symbol in market.candles if symbol not in chosen}
    return Window(window.start, window.end, timeframe, spans, reasons)


def _ends(span: Span) -> tuple[int, int]:
    return span.start, span.end


def _common(coverage: Coverage, bounds: Bounds, universe: UniverseConfig, asked: int) -> tuple[Span, dict[str, Span]]:
    """Return the window with the most symbol-bars that as many as were ``asked`` for cover, and who covers it."""
    needed = max(universe.min_symbols, asked)
    window = Span(*_largest(coverage.usable, bounds, needed))
    if window.end <= window.start:
        raise _nothing_common(coverage, bounds, needed)
    usable = sorted(coverage.usable.items())
    return window, {symbol: window for symbol, own in usable if any(span.within(*_ends(window)) for span in own)}


def _ragged(coverage: Coverage, bounds: Bounds, universe: UniverseConfig) -> tuple[Span, dict[str, Span]]:
    """Return the hull of all usable spans (or the dates asked for), and each symbol's longest span."""
    longest = {s: max(own, key=lambda x: x.end - x.start) for s, own in sorted(coverage.usable.items()) if own}
    if len(longest) < universe.min_symbols:
        raise _nothing_common(coverage, bounds, universe.min_symbols)
    start = min(span.start for span in longest.values()) if bounds[0] is None else bounds[0]
    end = max(span.end for span in longest.values()) if bounds[1] is None else bounds[1]
    return Span(start, end), longest


def _asked_for(candles: Mapping[str, pd.DataFrame], data: DataConfig) -> dict[str, pd.DataFrame]:
    if data.symbols == "auto":
        return dict(candles)
    absent = [symbol for symbol in data.symbols if symbol not in candles]
    if absent:
        expected = f"some of {', '.join(sorted(candles))}"
        raise MissingInputError(f"no candles of {', '.join(absent)}", expected, "check data.symbols")
    return {symbol: candles[symbol] for symbol in data.symbols}


def _bounds(candles: Mapping[str, pd.DataFrame], timeframe: int, data: DataConfig) -> Bounds:
    """Return the dates asked for in ms (None where auto), which must lie inside the data."""
    first = min(int(bars["open_time"].iloc[0]) for bars in candles.values())
    last = max(int(bars["open_time"].iloc[-1]) for bars in candles.values()) + timeframe
    start = None if data.start == "auto" else midnight(data.start)
    end = None if data.end == "auto" else midnight(data.end)
    for name, value in (("data.start", start), ("data.end", end)):
        if value is not None and not first <= value <= last:
            expected = f"a day between {format_time(first)} and {format_time(last)}, where the candles are"
            raise MissingInputError(f"{name} = {format_time(value)[:10]}", expected, f"set {name} inside, or to auto")
    return start, end


def midnight(day: date) -> int:
    """Return the first moment of a day, ms UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def _crop(bars: pd.DataFrame, bounds: Bounds) -> Int1D:
    """Return a symbol's open times inside the bounds."""
    time = bars["open_time"].to_numpy()
    low = 0 if bounds[0] is None else np.searchsorted(time, bounds[0])
    high = len(time) if bounds[1] is None else np.searchsorted(time, bounds[1])
    return time[low:high]


def _largest(spans: Spans, bounds: Bounds, needed: int) -> tuple[int, int]:
    """Return the window that maximises symbols times length; equal ones: more symbols, then the earlier one.

    An optimal window starts where some span starts and ends where some span ends. With the start fixed, the k-th
    latest end among the spans that cover it is the best end for k symbols. (0, 0) if nothing qualifies.
    """
    flat = [(number, span.start, span.end) for number, own in enumerate(spans.values()) for span in own]
    owner, starts, ends = np.array(flat, np.int64).reshape(-1, 3).T
    best, answer = (0, 0), (0, 0)
    for start in np.unique(starts) if bounds[0] is None else [bounds[0]]:
        alive = (starts <= start) & (ends > start)
        latest = np.zeros(len(spans), np.int64)
        np.maximum.at(latest, owner[alive], ends[alive])
        latest = np.sort(latest[latest > 0])[::-1]
        if bounds[1] is not None:
            latest = np.where(latest >= bounds[1], bounds[1], start)
        counts = np.arange(1, len(latest) + 1)
        area = np.where(counts >= needed, counts * (latest - start), 0)
        if len(area):
            k = len(area) - 1 - int(area[::-1].argmax())
            if area[k] > 0 and (int(area[k]), k) > best:
                best, answer = (int(area[k]), k), (int(start), int(latest[k]))
    return answer


def _nothing_common(coverage: Coverage, bounds: Bounds, needed: int) -> PerpfutError:
    """Return the error for a market without a window that ``needed`` symbols cover, with what each covers."""
    covers = "; ".join(f"{symbol} {spans_text(own)}" for symbol, own in sorted(coverage.usable.items())[:8])
    asked = " to ".join("auto" if bound is None else format_time(bound) for bound in bounds)
    expected = f"at least {needed} symbols over one window ({asked})"
    if coverage.funded is not None and any(_largest(coverage.traded, bounds, needed)):
        if coverage.listed is None or not any(_largest(coverage.funded, bounds, needed)):
            found = f"candles over a common window, but funding rates only here: {covers}"
            return FundingError(found, expected, "add the rates, or set universe.require_funding=false")
    found = f"no common window: {covers}"
    return UniverseError(found, expected, "widen data.symbols, data.start and data.end, or set data.coverage=ragged")


def _reason(symbol: str, coverage: Coverage, window: Span, spans: Mapping[str, Span]) -> str:
    if symbol not in spans:
        return f"out: {coverage.reason(symbol, window)}"
    if spans[symbol].within(*_ends(window)):
        return "in: covers the window"
    return f"in: {spans_text([spans[symbol]])}; {coverage.reason(symbol, window)}"
