"""One period through the frontier: every threshold, decision interval and delay, all trading windows of the data."""

from collections.abc import Iterator
from itertools import product
from typing import Any, Final

import numpy as np
import pandas as pd

from perpfut_lib.accounting import Ledger
from perpfut_lib.artifacts import Run
from perpfut_lib.cointegration import load_pair_days
from perpfut_lib.cointegration.stage import load_windows
from perpfut_lib.config import Profile
from perpfut_lib.env.stage import cut_market, decision_rows
from perpfut_lib.evaluate.measure import holding_bars
from perpfut_lib.frontier.execution import EXECUTIONS, cut_bars, execute, price_step, quotes
from perpfut_lib.frontier.rules import THRESHOLDS, settle_sides, sides, spread_z
from perpfut_lib.frontier.sums import BPS_PER_UNIT, DIGITS, Sums
from perpfut_lib.progress import track
from perpfut_lib.store.panel import Panel
from perpfut_lib.store.stage import load_panel
from perpfut_lib.types import DAY_MS, MINUTE_MS, Float1D, Float2D, Int1D, JsonObject

INTERVALS: Final = (1, 5, 15, 60)
"""Minutes from one decision to the next; those shorter than a bar are left out."""
MEMORIES: Final = (30, 120, 480, None)
"""Minutes whose mean and standard deviation the spread is measured against; None for the formation window. The longer,
the longer positions are held. Those of fewer than ten bars are left out."""
LEAST_BARS: Final = 10
DELAYS: Final = (0, 1, 2, 3)
"""Bars from the next open to the fill."""
KEYS: Final = ("memory", "interval", "delay", "entry", "exit", "block")
COLUMNS: Final = (*KEYS, *Sums.__dataclass_fields__, "funding", "holding_bars")
EXECUTION_KEYS: Final = ("memory", "interval", "execution", "entry", "exit", "block")
EXECUTION_COLUMNS: Final = (*EXECUTION_KEYS, *Sums.__dataclass_fields__, "maker")
BLOCK_WINDOWS: Final = 20
MOST_BLOCKS: Final = 4


def study_period(profile: Profile, run: Run) -> JsonObject:
    """Return what the rule earns and trades before costs on all trading windows of a run's data.

    Nothing is fitted, so that training, validation and test windows all count.

    Parameters
    ----------
    profile : Profile
        Screen, bar, fills, funding.
    run : Run
        Holds the stages up to ``cointegration``.

    Returns
    -------
    dict
        ``start``, ``end`` (ISO dates), ``bar`` (minutes), ``windows``, ``pair_days``, ``symbols``, ``simulated``,
        ``half_tick_bps`` (mean over pair-days and legs), ``columns`` and ``cells``: one row per memory, decision
        interval, delay, thresholds and block of windows, with the :class:`~perpfut_lib.frontier.sums.Sums` of gross P&L
        and notional, the funding received, and the mean holding time in bars, all to seven significant digits;
        ``execution_columns`` and ``executions``: the same by :mod:`perpfut_lib.frontier.execution` instead of delay.
    """
    panel, pair_days = load_panel(run), load_pair_days(run)
    windows = load_windows(run)["start"].to_numpy(np.int64)
    bar = panel.timeframe // MINUTE_MS
    days = [str(np.datetime64(int(time), "ms").astype("datetime64[D]")) for time in (windows[0], windows[-1])]
    return {
        "start": days[0],
        "end": days[1],
        "bar": bar,
        "windows": len(windows),
        "window_days": profile.cointegration.trading / DAY_MS,
        "pair_days": len(pair_days),
        "symbols": list(panel.symbols),
        "simulated": profile.data.source in ("sim", "venue"),
        "half_tick_bps": half_tick_bps(panel, pair_days),
        "columns": list(COLUMNS),
        "cells": [list(_brief(row)) for row in _cells(profile, panel, pair_days, windows)],
        "execution_columns": list(EXECUTION_COLUMNS),
        "executions": [list(_brief(row)) for row in _executions(profile, panel, pair_days, windows)],
    }


def block_count(windows: int) -> int:
    """Return into how many blocks windows are cut: thresholds used in one are chosen on the others."""
    return min(MOST_BLOCKS, max(1, windows // BLOCK_WINDOWS))


def half_tick_bps(panel: Panel, pair_days: pd.DataFrame) -> float:
    """Return half a price step of the traded legs, basis points of their price, mean over pair-days and legs.

    A symbol's price step is the smallest difference between two of its closes: it needs no exchange, and is never
    smaller than the true step.
    """
    own = {symbol: _half_tick(panel.close[:, panel.column(symbol)]) for symbol in panel.symbols}
    return float(np.mean([[own[symbol] for symbol in pair_days[leg]] for leg in ("y", "x")]))


def _half_tick(close: Float1D) -> float:
    return BPS_PER_UNIT * 0.5 * price_step(close) / float(np.median(np.unique(close[np.isfinite(close)])))


def _cells(profile: Profile, panel: Panel, pair_days: pd.DataFrame, windows: Int1D) -> Iterator[tuple[Any, ...]]:
    place, spreads, bar = _spreads(panel, pair_days, windows)
    hedge_ratio = pair_days["beta"].to_numpy(np.float64)
    for delay in track(DELAYS, label="frontier", unit="delay"):
        market, _ = cut_market(panel, pair_days, profile.changed({"env.latency": delay, "env.fill": "next_open"}))
        for (memory, minutes), (entry, out) in product(paces(bar), THRESHOLDS):
            book = settle_sides(sides(spreads[memory], (entry, out), minutes // bar), market, hedge_ratio)
            for block, sums in enumerate(_sums(book, place, len(windows))):
                yield (memory, minutes, delay, entry, out, block, *sums)


def _executions(profile: Profile, panel: Panel, pair_days: pd.DataFrame, windows: Int1D) -> Iterator[tuple[Any, ...]]:
    place, spreads, bar = _spreads(panel, pair_days, windows)
    hedge_ratio = pair_days["beta"].to_numpy(np.float64)
    market, _ = cut_market(panel, pair_days, profile.changed({"env.latency": 0, "env.fill": "next_open"}))
    for minutes in track(
        list(dict.fromkeys(minutes for _, minutes in paces(bar))), label="executions", unit="interval"
    ):
        patience = minutes // bar
        bars = cut_bars(panel, pair_days, patience)
        choices = list(product([memory for memory, other in paces(bar) if other == minutes], THRESHOLDS))
        held = [sides(spreads[memory], thresholds, patience) for memory, thresholds in choices]
        for execution in EXECUTIONS:
            quoted = quotes(bars, hedge_ratio, execution, patience)
            for (memory, (entry, out)), own in zip(choices, held, strict=True):
                done = execute(own, market, hedge_ratio, quoted)
                by_window = [np.bincount(place, values, len(windows)).astype(np.float64) for values in done]
                for block, rows in enumerate(np.array_split(np.arange(len(windows)), block_count(len(windows)))):
                    gross, traded, maker = (values[rows] for values in by_window)
                    sums = Sums.of(gross, traded).values()
                    yield (memory, minutes, execution, entry, out, block, *sums, maker.sum())


def _spreads(panel: Panel, pair_days: pd.DataFrame, windows: Int1D) -> tuple[Int1D, dict[int | None, Float2D], int]:
    """Return each pair-day's window, the spreads in standard deviations by memory, and the bar in minutes."""
    bar = panel.timeframe // MINUTE_MS
    rows = decision_rows(panel, pair_days)[:, :-1] - 1
    memories = dict.fromkeys(memory for memory, _ in paces(bar))
    spreads = {
        memory: spread_z(panel, pair_days, rows, None if memory is None else memory // bar) for memory in memories
    }
    return np.searchsorted(windows, pair_days["start"].to_numpy(np.int64)), spreads, bar


def paces(bar: int) -> list[tuple[int | None, int]]:
    """Return the memories and decision intervals that make sense on bars of so many minutes."""
    memories = [memory for memory in MEMORIES if memory is None or memory >= LEAST_BARS * bar]
    intervals = [minutes for minutes in INTERVALS if minutes >= bar and minutes % bar == 0]
    return [
        (memory, minutes) for memory, minutes in product(memories, intervals) if memory is None or 2 * minutes <= memory
    ]


def _sums(book: Ledger, place: Int1D, count: int) -> Iterator[tuple[Any, ...]]:
    """Yield, block by block, the sums, the funding received, and the mean holding time in bars."""
    start, holding = book.equity[:, :1], holding_bars(book.weights)

    def by_window(flow: Float2D) -> Float1D:
        return np.bincount(place, (flow / start).sum(axis=1), count).astype(np.float64)

    traded, funding = by_window(book.turnover * book.equity[:, :-1]), by_window(book.funding)
    gross = by_window(book.price) + funding
    for rows in np.array_split(np.arange(count), block_count(count)):
        yield (*Sums.of(gross[rows], traded[rows]).values(), float(funding[rows].sum()), holding)


def _brief(row: tuple[Any, ...]) -> Iterator[Any]:
    for value in row:
        if isinstance(value, float):
            yield float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None
        else:
            yield value
