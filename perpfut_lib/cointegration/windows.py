"""The Engle-Granger test of every pair in many windows: the part of the scan that takes time."""

import math
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numba import njit

from perpfut_lib.cointegration.engle_granger import CRITERIA, Autolag, pair_test, resolve_maxlag
from perpfut_lib.cointegration.sums import demean, dot
from perpfut_lib.compute import run_tasks, worker_count
from perpfut_lib.config import ComputeConfig
from perpfut_lib.types import Float2D, Int1D

TEST_COLUMNS: Final = (
    "window",
    "y",
    "x",
    "correlation",
    "alpha",
    "beta",
    "stat",
    "pvalue",
    "lag",
    "half_life",
    "hurst",
    "spread_mean",
    "spread_std",
)
_COUNTS: Final = ("window", "y", "x", "lag")


class LagRule(NamedTuple):
    """How the lag of the residual regression is chosen."""

    maxlag: int | None = None
    """Most lagged differences; by default Schwert's ⌈12 (n/100)^¼⌉."""
    autolag: Autolag = "aic"
    """Criterion that picks the lag on a common sample; None uses ``maxlag`` itself."""


class _Task(NamedTuple):
    prices: Float2D
    first_window: int
    stops: Int1D
    bars: int
    maxlag: int
    criterion: int


def scan_windows(
    log_prices: Float2D, stops: Int1D, bars: int, rule: LagRule, compute: ComputeConfig | None = None
) -> pd.DataFrame:
    """Test all pairs of columns, in both directions, in every window.

    Parameters
    ----------
    log_prices : Float2D
        Log prices, (T, N). A column with a NaN in a window, or constant there, is left out of that window.
    stops : Int1D
        Row after the last one of each window, (W,).
    bars : int
        Rows in a window.
    rule : LagRule
        Choice of the lag.
    compute : ComputeConfig, optional
        Where the windows are shared out to; by default this process does them all.

    Returns
    -------
    DataFrame
        One row per window and ordered pair with the columns :data:`TEST_COLUMNS`, sorted by window, y, x; ``window``
        counts ``stops``, ``y`` and ``x`` count columns. ``stat`` is NaN where the residual regression is singular;
        ``spread_mean`` is 0, because the regression has an intercept.

    Raises
    ------
    DegenerateSeriesError
        The window is too short for the lags.
    """
    compute = compute or ComputeConfig(workers=1)
    maxlag = resolve_maxlag(bars, rule.maxlag)
    chunks = min(len(stops), 1 if compute.workers == 1 else 4 * worker_count(compute))
    parts = np.array_split(np.arange(len(stops)), chunks) if chunks else []
    tasks = [_task(log_prices, stops, part, (bars, maxlag, CRITERIA[rule.autolag])) for part in parts]
    blocks = run_tasks(_test_chunk, tasks, compute, label="cointegration tests" if len(tasks) > 1 else "")
    rows = np.concatenate(blocks) if blocks else np.empty((0, len(TEST_COLUMNS)))
    table = pd.DataFrame(rows, columns=list(TEST_COLUMNS))
    return table.astype(dict.fromkeys(_COUNTS, "int64"))


def _task(log_prices: Float2D, stops: Int1D, part: Int1D, rule: tuple[int, int, int]) -> _Task:
    """Return the task of some windows, with no more prices than these need."""
    low, high = stops[part[0]] - rule[0], stops[part].max()
    return _Task(log_prices[low:high], int(part[0]), stops[part] - low, *rule)


def _test_chunk(task: _Task) -> Float2D:
    """Return the rows of consecutive windows."""
    tables = []
    for number, stop in enumerate(task.stops):
        block = np.ascontiguousarray(task.prices[stop - task.bars : stop].T)
        tables.append(_test_block(block, float(task.first_window + number), task.maxlag, task.criterion))
    return np.concatenate(tables)


@njit(cache=True)
def _test_block(block: Float2D, window: float, maxlag: int, criterion: int) -> Float2D:
    """Return one row per ordered pair of usable rows of ``block`` (N, n), columns as in :data:`TEST_COLUMNS`."""
    count, bars = block.shape
    centred, mean, square = np.empty_like(block), np.empty(count), np.empty(count)
    usable = np.empty(count, np.int64)
    found = 0
    for i in range(count):
        mean[i], moved = demean(block[i], centred[i])
        square[i] = dot(centred[i], centred[i])
        if 0.0 < moved < math.inf:
            usable[found] = i
            found += 1
    rows = np.empty((found * (found - 1), len(TEST_COLUMNS)))
    row = 0
    for i in usable[:found]:
        for j in usable[:found]:
            if i != j:
                y, x, across = centred[i], centred[j], dot(centred[i], centred[j])
                test = pair_test(y, x, (across, square[j], square[i]), maxlag, criterion)
                stat, pvalue, beta, lag, half_life, hurst, left = test
                alpha, correlation = mean[i] - beta * mean[j], across / math.sqrt(square[i] * square[j])
                spread_std = math.sqrt(left / (bars - 1))
                rows[row] = (
                    window, float(i), float(j), correlation, alpha, beta,
                    stat, pvalue, float(lag), half_life, hurst, 0.0, spread_std,
                )  # fmt: skip
                row += 1
    return rows
