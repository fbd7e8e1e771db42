"""Which symbols over which stretch of time: the common window of a market."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd

from perpfut_lib.acquire.grid import (
    Span,
    covered_spans,
    funded_spans,
    gap_error,
    gaps,
    intersect,
)
from perpfut_lib.acquire.market import Market
from perpfut_lib.config import DataConfig, UniverseConfig, format_time
from perpfut_lib.errors import FundingError, MissingInputError, PerpfutError, UniverseError


@dataclass(frozen=True)
class Window:
    """The chosen window [start, end) and what became of every symbol."""

    start: int
    """Open time of the first bar, ms UTC."""
    end: int
    """End of the last bar, ms UTC."""
    timeframe: int
    """Length of a bar, ms."""
    symbols: tuple[str, ...]
    """Symbols that cover the window, sorted."""
    reasons: Mapping[str, str]
    """Why each symbol of the source is in or out."""


def choose_window(market: Market, timeframe: int, data: DataConfig, universe: UniverseConfig) -> Window:
    """Pick the window and the symbols with the most symbol-bars such that every symbol covers the window.

    Parameters
    ----------
    market : Market
        Candles and funding, checked.
    timeframe : int
        Length of a bar, ms.
    data : DataConfig
        ``symbols``, ``start``, ``end`` where they are given; ``max_gap_bars``, ``gaps``, ``max_missing_settlements``.
    universe : UniverseConfig
        ``min_symbols`` and ``require_funding``.

    Returns
    -------
    Window
        A symbol's time counts where its candles have no hole beyond ``max_gap_bars`` and, with ``require_funding``,
        its funding rates are there as well.

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
    cropped = {symbol: _crop(bars, bounds) for symbol, bars in chosen.items()}
    traded = {symbol: _traded(symbol, time, timeframe, data) for symbol, time in cropped.items()}
    spans = traded
    if market.funding is not None and universe.require_funding:
        funded = _funded(market.funding, tuple(chosen), data)
        spans = {symbol: intersect(traded[symbol], funded[symbol]) for symbol in chosen}
    needed = max(universe.min_symbols, 0 if data.symbols == "auto" else len(chosen))
    start, end = _largest(spans, bounds, needed)
    if end <= start:
        raise _nothing_common(spans, traded, bounds, needed)
    reasons = {symbol: _reason(symbol, traded, spans, Span(start, end)) for symbol in chosen}
    reasons |= {symbol: "out: not in data.symbols" for symbol in market.candles if symbol not in chosen}
    symbols = tuple(sorted(s for s in chosen if any(span.within(start, end) for span in spans[s])))
    return Window(start, end, timeframe, symbols, reasons)


def _asked_for(candles: Mapping[str, pd.DataFrame], data: DataConfig) -> dict[str, pd.DataFrame]:
    if data.symbols == "auto":
        return dict(candles)
    absent = [symbol for symbol in data.symbols if symbol not in candles]
    if absent:
        expected = f"some of {', '.join(sorted(candles))}"
        raise MissingInputError(f"no candles of {', '.join(absent)}", expected, "check data.symbols")
    return {symbol: candles[symbol] for symbol in data.symbols}


def _bounds(candles: Mapping[str, pd.DataFrame], timeframe: int, data: DataConfig) -> tuple[int | None, int | None]:
    """Return the dates asked for in ms (None where auto), which must lie inside the data."""
    first = min(int(bars["open_time"].iloc[0]) for bars in candles.values())
    last = max(int(bars["open_time"].iloc[-1]) for bars in candles.values()) + timeframe
    start = None if data.start == "auto" else _midnight(data.start)
    end = None if data.end == "auto" else _midnight(data.end)
    for name, value in (("data.start", start), ("data.end", end)):
        if value is not None and not first <= value <= last:
            expected = f"a day between {format_time(first)} and {format_time(last)}, where the candles are"
            raise MissingInputError(f"{name} = {format_time(value)[:10]}", expected, f"set {name} inside, or to auto")
    return start, end


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def _crop(bars: pd.DataFrame, bounds: tuple[int | None, int | None]) -> np.ndarray:
    """Return a symbol's open times inside the bounds."""
    time = bars["open_time"].to_numpy()
    low = 0 if bounds[0] is None else np.searchsorted(time, bounds[0])
    high = len(time) if bounds[1] is None else np.searchsorted(time, bounds[1])
    return time[low:high]


def _traded(symbol: str, time: np.ndarray, timeframe: int, data: DataConfig) -> list[Span]:
    """Return the spans that a symbol's candles cover; holes are an error unless they are to be avoided."""
    holes = gaps(time, timeframe, data.max_gap_bars)
    if holes and data.gaps == "error":
        raise gap_error(symbol, holes, timeframe, data.max_gap_bars)
    return covered_spans(time, timeframe, data.max_gap_bars) if len(time) else []


def _funded(funding: Mapping[str, pd.DataFrame], symbols: tuple[str, ...], data: DataConfig) -> dict[str, list[Span]]:
    allowed = data.max_missing_settlements
    spans = {s: funded_spans(funding[s]["funding_time"].to_numpy(), allowed) if s in funding else [] for s in symbols}
    absent = [symbol for symbol in symbols if not spans[symbol]]
    if len(absent) == len(symbols) or (absent and data.symbols != "auto"):
        found = f"no funding rates of {', '.join(absent[:10])}"
        expected = "funding rates of every symbol asked for" if data.symbols != "auto" else "those of some symbol"
        remedy = "check data.funding, set universe.require_funding=false, or data.funding=none to pay no funding"
        raise FundingError(found, expected, remedy)
    return spans


def _largest(spans: Mapping[str, list[Span]], bounds: tuple[int | None, int | None], needed: int) -> tuple[int, int]:
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


def _nothing_common(
    spans: Mapping[str, list[Span]],
    traded: Mapping[str, list[Span]],
    bounds: tuple[int | None, int | None],
    needed: int,
) -> PerpfutError:
    """Return the error for a market without a window that ``needed`` symbols cover, with what each covers."""
    covers = "; ".join(f"{symbol} {_text(own)}" for symbol, own in sorted(spans.items())[:8])
    asked = " to ".join("auto" if bound is None else format_time(bound) for bound in bounds)
    expected = f"at least {needed} symbols over one window ({asked})"
    if any(_largest(traded, bounds, needed)):
        found = f"candles over a common window, but funding rates only here: {covers}"
        return FundingError(found, expected, "add the rates, or set universe.require_funding=false")
    found = f"no common window of the candles: {covers}"
    return UniverseError(found, expected, "widen data.symbols, data.start and data.end")


def _reason(symbol: str, traded: Mapping[str, list[Span]], spans: Mapping[str, list[Span]], window: Span) -> str:
    if any(span.within(window.start, window.end) for span in spans[symbol]):
        return "in: covers the window"
    if any(span.within(window.start, window.end) for span in traded[symbol]):
        return f"out: funding rates do not cover the window ({_text(spans[symbol])})"
    return f"out: candles do not cover the window ({_text(traded[symbol])})"


def _text(spans: list[Span]) -> str:
    """Return what spans cover, in words."""
    shown = [f"{format_time(span.start)} to {format_time(span.end)}" for span in spans[:3]]
    more = f" and {len(spans) - 3} more" if len(spans) > 3 else ""
    return (", ".join(shown) + more) or "nothing"
