"""What is wrong with a panel: holes, dead and frozen stretches, outliers, irregular funding."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from perpfut_lib.acquire.bar_defects import stretches
from perpfut_lib.acquire.grid import missing_settlements, settlement_intervals
from perpfut_lib.config import format_duration, format_time
from perpfut_lib.store.panel import FundingEvents, Panel
from perpfut_lib.types import MINUTE_MS, Bool1D, Float1D

ZERO_VOLUME_MS: Final = 5 * MINUTE_MS
"""So long without a trade is a finding."""
FROZEN_MS: Final = 10 * MINUTE_MS
"""So long at one single price is a finding."""
OUTLIER: Final = 30.0
"""A close-to-close log return beyond that many robust standard deviations (1.4826 MAD) of its symbol."""
FINDING_COLUMNS: Final = ("symbol", "kind", "start", "bars", "detail")


@dataclass(frozen=True)
class QualityReport:
    """The audit of one panel."""

    summary: pd.DataFrame
    """One row per symbol: ``symbol first_bar last_bar`` (ms UTC) ``bars missing gaps longest_gap filled zero_volume
    longest_zero_volume longest_frozen outliers largest_return settlements funding_interval interval_changes
    missing_settlements`` (counts in bars or settlements, the return as a fraction, the interval as text)."""
    findings: pd.DataFrame
    """One row per defect: ``symbol kind start`` (ms UTC) ``bars detail``, sorted; the kinds are ``gap``,
    ``zero_volume``, ``frozen``, ``outlier``, ``interval_change``, ``missing_settlement``, ``no_funding``."""


@dataclass(frozen=True)
class _Finding:
    """One row of the findings."""

    symbol: str
    kind: str
    start: int
    bars: int
    detail: str


def audit(panel: Panel, *, pays_funding: bool = True) -> QualityReport:
    """Examine every symbol of a panel.

    Parameters
    ----------
    panel : Panel
        Candles with their forward-fill mask, and funding.
    pays_funding : bool
        False where funding is left out on purpose, so that its absence is no finding.
    """
    rows: list[dict[str, Any]] = []
    findings: list[_Finding] = []
    for column, symbol in enumerate(panel.symbols):
        rows.append(_summary(panel, column))
        findings += _bar_findings(panel, column)
        if pays_funding:
            findings += _funding_findings(panel, symbol)
    table = pd.DataFrame([vars(finding) for finding in findings], columns=list(FINDING_COLUMNS))
    table = table.astype({"symbol": str, "kind": str, "start": np.int64, "bars": np.int64, "detail": str})
    return QualityReport(pd.DataFrame(rows), table.sort_values(["symbol", "start", "kind"], ignore_index=True))


def _summary(panel: Panel, column: int) -> dict[str, Any]:
    symbol = panel.symbols[column]
    listed, filled = ~np.isnan(panel.close[:, column]), panel.filled[:, column]
    rows = np.flatnonzero(listed)
    holes = [length for _, length in stretches(filled)]
    returns = _returns(panel, column)
    return {
        "symbol": symbol,
        "first_bar": int(panel.open_time[rows[0]]),
        "last_bar": int(panel.open_time[rows[-1]]),
        "bars": int((listed & ~filled).sum()),
        "missing": int(len(listed) - listed.sum() + filled.sum()),
        "gaps": len(holes),
        "longest_gap": max(holes, default=0),
        "filled": int(filled.sum()),
        "zero_volume": int(_dead(panel, column).sum()),
        "longest_zero_volume": _longest(_dead(panel, column)),
        "longest_frozen": _longest(_frozen(panel, column)),
        "outliers": int(_outliers(returns).sum()),
        "largest_return": float(np.nanmax(np.abs(returns), initial=0.0)),
        **_funding_summary(panel, symbol),
    }


def _bar_findings(panel: Panel, column: int) -> Iterator[_Finding]:
    symbol, time, close = panel.symbols[column], panel.open_time, panel.close[:, column]
    for row, length in stretches(panel.filled[:, column]):
        yield _Finding(symbol, "gap", int(time[row]), length, f"missing bars, forward-filled: {length}")
    for row, length in stretches(_dead(panel, column), -(-ZERO_VOLUME_MS // panel.timeframe)):
        yield _Finding(symbol, "zero_volume", int(time[row]), length, f"bars without a trade: {length}")
    for row, length in stretches(_frozen(panel, column), -(-FROZEN_MS // panel.timeframe)):
        yield _Finding(symbol, "frozen", int(time[row]), length, f"bars at {close[row]:g}: {length}")
    returns = _returns(panel, column)
    for row in np.flatnonzero(_outliers(returns)).tolist():
        after = returns[row + 1] if row + 1 < len(returns) else np.nan
        back = " and back" if abs(returns[row] + after) < abs(returns[row]) / 4 else ""
        detail = f"return {returns[row]:+.2%}{back}"
        yield _Finding(symbol, "outlier", int(time[row]), 1, detail)


def _dead(panel: Panel, column: int) -> Bool1D:
    """Return where a real bar had no volume."""
    return (panel.volume[:, column] == 0) & ~panel.filled[:, column]


def _frozen(panel: Panel, column: int) -> Bool1D:
    """Return where a real bar held one single price, the close before it."""
    close = panel.close[:, column]
    flat = (panel.high[:, column] == panel.low[:, column]) & ~panel.filled[:, column]
    return flat & (np.concatenate((close[:1], close[:-1])) == close)


def _returns(panel: Panel, column: int) -> Float1D:
    """Return close-to-close log returns, (T,); NaN in the first row and where a bar is filled or absent."""
    close = panel.close[:, column]
    log_price = np.log(close, where=~np.isnan(close), out=np.full(len(close), np.nan))
    returns = np.diff(log_price, prepend=np.nan)
    returns[panel.filled[:, column]] = np.nan
    return returns


def _outliers(returns: Float1D) -> Bool1D:
    known = np.abs(returns[np.isfinite(returns)])
    moving = known[known > 0]  # a coin that rarely trades would have a median return of zero
    if len(moving) == 0:
        return np.zeros(len(returns), dtype=np.bool_)
    return np.asarray(np.abs(returns) > OUTLIER * 1.4826 * np.median(moving))


def _longest(flags: Bool1D) -> int:
    return max((length for _, length in stretches(flags)), default=0)


def _events(panel: Panel, symbol: str) -> FundingEvents | None:
    """Return the settlements of the panel's window, and of a day around it."""
    events = panel.funding.get(symbol)
    return events if events is not None and len(events.time) else None


def _funding_summary(panel: Panel, symbol: str) -> dict[str, Any]:
    events = _events(panel, symbol)
    if events is None:
        return {"settlements": 0, "funding_interval": "", "interval_changes": 0, "missing_settlements": 0}
    lengths = settlement_intervals(events.time)
    changes = np.flatnonzero(np.diff(lengths))
    named = [format_duration(int(lengths[row])) for row in (*changes, len(lengths) - 1) if row >= 0]
    start, end = _window(panel, symbol)
    return {
        "settlements": int(((events.time >= start) & (events.time < end)).sum()),
        "funding_interval": " ".join(named),
        "interval_changes": len(changes),
        "missing_settlements": sum(count for _, _, count in _unsettled(panel, symbol, events)),
    }


def _funding_findings(panel: Panel, symbol: str) -> Iterator[_Finding]:
    events = _events(panel, symbol)
    if events is None:
        yield _Finding(symbol, "no_funding", int(panel.open_time[0]), 0, "no funding rates: funding is not paid")
        return
    lengths = settlement_intervals(events.time)
    for row in np.flatnonzero(np.diff(lengths)):
        text = f"{format_duration(int(lengths[row]))} to {format_duration(int(lengths[row + 1]))}"
        yield _Finding(symbol, "interval_change", int(events.time[row + 1]), 0, f"funding interval {text}")
    for after, before, count in _unsettled(panel, symbol, events):
        detail = f"{count} missing between {format_time(after)} and {format_time(before)}"
        yield _Finding(symbol, "missing_settlement", after, 0, detail)


def _unsettled(panel: Panel, symbol: str, events: FundingEvents) -> list[tuple[int, int, int]]:
    """Return (after, before, count) of settlements missing inside the window, its two edges included."""
    start, end = _window(panel, symbol)
    lengths = settlement_intervals(events.time)
    if len(lengths) == 0:
        return []
    steps = zip(events.time[:-1].tolist(), events.time[1:].tolist(), missing_settlements(events.time), strict=True)
    holes = [(a, b, int(count)) for a, b, count in steps if count and b > start and a < end]
    first, last = int(events.time[0]), int(events.time[-1])
    early, late = (first - start - 1) // int(lengths[0]), (end - last - 1) // int(lengths[-1])
    holes += [(start, first, early)] if early > 0 else []
    holes += [(last, end, late)] if late > 0 else []
    return holes


def _window(panel: Panel, symbol: str) -> tuple[int, int]:
    """Return the span in which a symbol has bars."""
    rows = np.flatnonzero(~np.isnan(panel.close[:, panel.column(symbol)]))
    return int(panel.open_time[rows[0]]), int(panel.open_time[rows[-1]]) + panel.timeframe
