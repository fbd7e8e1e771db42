"""The time grid of candles: length of a bar, alignment, holes, and the spans that a symbol covers."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from perpfut_lib.config import format_duration, format_time
from perpfut_lib.errors import GapError, TimestampError
from perpfut_lib.types import HOUR_MS, MINUTE_MS, Int1D

LONGEST_INTERVAL_MS = 8 * HOUR_MS
"""No exchange here settles funding less often."""
MIXED_RUN = 10
"""That many equal steps in a row, each longer than a bar, are bars of another timeframe, not gaps."""


@dataclass(frozen=True)
class Span:
    """A stretch of time [start, end) in ms UTC that is covered without a hole."""

    start: int
    end: int

    def within(self, start: int, end: int) -> bool:
        """Return whether this span covers [``start``, ``end``)."""
        return self.start <= start and end <= self.end


@dataclass(frozen=True)
class Gap:
    """Bars that a symbol lacks between two that it has."""

    first: int
    """Open time of the first missing bar, ms UTC."""
    bars: int
    """Number of missing bars."""


def timeframe_of(candles: Mapping[str, pd.DataFrame], wanted: int | Literal["auto"]) -> int:
    """Return the length of a bar (ms): the most common step, checked symbol by symbol.

    Parameters
    ----------
    candles : mapping of str to DataFrame
        Bars by symbol, sorted by ``open_time`` without duplicates.
    wanted : int or "auto"
        What the profile expects.

    Raises
    ------
    TimestampError
        No symbol has two bars, a symbol has another step than the others or than ``wanted``, a symbol mixes steps,
        a step is not whole minutes, or a bar does not open on a multiple of the timeframe.
    """
    steps = {symbol: _common_step(bars["open_time"].to_numpy()) for symbol, bars in candles.items()}
    known = Counter(step for step in steps.values() if step)
    if not known:
        raise TimestampError("no symbol with two bars", "at least two, to tell the timeframe", "check the files")
    timeframe = known.most_common(1)[0][0] if wanted == "auto" else wanted
    for symbol, step in steps.items():
        if step and step != timeframe:
            found = f"bars of {symbol} that are {_length(step)} apart"
            remedy = "give one file per timeframe, or set data.timeframe and data.symbols"
            raise TimestampError(found, f"bars of {_length(timeframe)} throughout", remedy)
    if timeframe % MINUTE_MS:
        raise TimestampError(f"bars {timeframe} ms apart", "whole minutes", "resample the candles")
    for symbol, bars in candles.items():
        _check_grid(symbol, bars["open_time"].to_numpy(), timeframe)
    return timeframe


def gaps(time: Int1D, timeframe: int, longer_than: int = 0) -> list[Gap]:
    """Return the holes of more than ``longer_than`` missing bars in sorted open times."""
    missing = np.diff(time) // timeframe - 1
    rows = np.flatnonzero(missing > longer_than)
    return [Gap(int(time[row]) + timeframe, int(missing[row])) for row in rows]


def gap_error(symbol: str, holes: list[Gap], timeframe: int, allowed: int) -> GapError:
    """Return the error that names a symbol's holes: where, and how many bars."""
    total = sum(hole.bars for hole in holes)
    where = "; ".join(f"{format_time(h.first)} to {format_time(h.first + (h.bars - 1) * timeframe)}" for h in holes[:3])
    rest = f"; and {len(holes) - 3} more" if len(holes) > 3 else ""
    found = f"{symbol} lacking {total} bars of {format_duration(timeframe)} in {len(holes)} gap(s): {where}{rest}"
    remedy = "mend the data, set data.start and data.end around it, leave the symbol out, or set data.gaps=avoid"
    return GapError(found, f"no gap of more than data.max_gap_bars = {allowed} bars", remedy)


def covered_spans(time: Int1D, timeframe: int, allowed: int) -> list[Span]:
    """Return the spans that sorted open times cover with holes of at most ``allowed`` bars."""
    breaks = np.flatnonzero(np.diff(time) > (allowed + 1) * timeframe)
    firsts = np.concatenate(([0], breaks + 1))
    lasts = np.concatenate((breaks, [len(time) - 1]))
    return [Span(int(time[a]), int(time[b]) + timeframe) for a, b in zip(firsts, lasts, strict=True)]


def settlement_intervals(time: Int1D) -> Int1D:
    """Return the regular funding interval (ms) at each step between sorted settlement times, shape (S - 1,).

    The median of five neighbouring steps, so that a hole does not pass for a long interval while a change of the
    interval (8 h, 4 h, 1 h) is followed; never above 8 h.
    """
    steps = np.diff(time)
    if len(steps) == 0:
        return steps
    around = pd.Series(steps).rolling(5, center=True, min_periods=1).median().to_numpy()
    return np.minimum(around, LONGEST_INTERVAL_MS).astype(np.int64)


def missing_settlements(time: Int1D) -> Int1D:
    """Return how many settlements are missing inside each step between sorted settlement times, shape (S - 1,)."""
    interval = np.maximum(settlement_intervals(time), 1)
    return np.maximum(np.rint(np.diff(time) / interval).astype(np.int64) - 1, 0)


def funded_spans(time: Int1D, allowed: int) -> list[Span]:
    """Return the spans in which no more than ``allowed`` settlements in a row are missing.

    A span starts as early before its first settlement, and ends as late after its last one, as that rule permits.
    """
    interval = settlement_intervals(time) if len(time) > 1 else np.array([LONGEST_INTERVAL_MS])
    breaks = np.flatnonzero(missing_settlements(time) > allowed)
    firsts = np.concatenate(([0], breaks + 1))
    lasts = np.concatenate((breaks, [len(time) - 1]))
    spans = []
    for a, b in zip(firsts, lasts, strict=True):
        before, after = interval[min(a, len(interval) - 1)], interval[max(b - 1, 0)]
        reach = (allowed + 1) * np.array([before, after])
        spans.append(Span(int(time[a] - reach[0]), int(time[b] + reach[1])))
    return spans


def intersect(left: list[Span], right: list[Span]) -> list[Span]:
    """Return the spans that both sorted lists cover."""
    pairs = ((max(a.start, b.start), min(a.end, b.end)) for a in left for b in right)
    return [Span(start, end) for start, end in pairs if start < end]


def _common_step(time: Int1D) -> int | None:
    """Return the most common step between bars, None with fewer than two bars."""
    if len(time) < 2:
        return None
    steps, counts = np.unique(np.diff(time), return_counts=True)
    return int(steps[counts.argmax()])


def _check_grid(symbol: str, time: Int1D, timeframe: int) -> None:
    off = np.flatnonzero(time % timeframe)
    if len(off):
        first = int(time[off[0]])
        found = f"{symbol} at {format_time(first)}, {first % timeframe} ms off the grid ({len(off)} such bars)"
        raise TimestampError(found, f"open times on multiples of {format_duration(timeframe)}", "mend the time stamps")
    steps = np.diff(time)
    starts = np.flatnonzero(np.diff(np.concatenate(([0], steps))))
    lengths = np.diff(np.concatenate((starts, [len(steps)])))
    mixed = (steps[starts] > timeframe) & (lengths >= MIXED_RUN)
    if mixed.any():
        start = starts[mixed.argmax()]
        found = f"bars of {symbol} that are {_length(int(steps[start]))} apart from {format_time(int(time[start]))}"
        expected = f"bars of {format_duration(timeframe)} throughout"
        raise TimestampError(found, expected, "split the file by timeframe")


def _length(step: int) -> str:
    return format_duration(step) if step % MINUTE_MS == 0 else f"{step} ms"
