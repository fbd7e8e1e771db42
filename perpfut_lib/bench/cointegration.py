"""Engle-Granger and its scan beside statsmodels; the study's full grid; cost over the number of assets."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd
from statsmodels.tsa.stattools import coint

from perpfut_lib.bench._memory import PeakMemory
from perpfut_lib.bench.harness import BenchRow, Contest
from perpfut_lib.cointegration import engle_granger
from perpfut_lib.cointegration.windows import LagRule, scan_windows
from perpfut_lib.config import ComputeConfig
from perpfut_lib.types import Float1D, Float2D, Int1D

BENCH: Final = "cointegration"
FORMATION: Final = 4320
STEP: Final = 1440
GRID_ASSETS, GRID_WINDOWS = 25, 362
PEER: Final = "statsmodels coint"
PEER_PAIRS: Final = 4
ONE_THREAD: Final = ComputeConfig(workers=1)
TWO_CORES: Final = ComputeConfig(workers=2)


def run() -> Iterator[BenchRow]:
    """Yield one row per measurement; statistics and p-values are compared with statsmodels'."""
    for bars in (1440, FORMATION):
        yield _single(bars)
    yield _scanned()
    yield from _grid()
    for assets in (25, 50, 100, 170, 250, 500):
        yield _one_window(assets)


def log_prices(bars: int, assets: int) -> Float2D:
    """Return random walks with a common trend, (bars, assets), of one-minute size."""
    rng = np.random.default_rng(0)
    trend = 6e-4 * rng.standard_normal((bars, 1)).cumsum(axis=0)
    return (
        trend + 4e-4 * rng.standard_normal((bars, assets)).cumsum(axis=0) + 3e-4 * rng.standard_normal((bars, assets))
    )


def _single(bars: int) -> BenchRow:
    """Call the public function on one pair."""
    y, x = log_prices(bars, 2).T.copy()
    return Contest(
        bench=BENCH,
        metric=f"one test, AIC lags, n = {bars}, one thread",
        ours=lambda: np.array([tuple(engle_granger(y, x)[:2]) for _ in range(100)]),
        peer=lambda: np.array([coint(y, x)[:2]]),
        peer_name=PEER,
        error=_difference,
        peer_share=1 / 100,
    ).run()


def _scanned() -> BenchRow:
    """Scan all ordered pairs of 25 assets in one window on one thread; statsmodels does some of them."""
    block = log_prices(FORMATION, GRID_ASSETS)
    stop: Int1D = np.array([FORMATION])
    pairs = [(y, x) for y in range(GRID_ASSETS) for x in range(GRID_ASSETS) if x != y][:PEER_PAIRS]
    return Contest(
        bench=BENCH,
        metric=f"scan of {GRID_ASSETS * (GRID_ASSETS - 1)} tests, n = {FORMATION}, one thread",
        ours=lambda: _answers(scan_windows(block, stop, FORMATION, LagRule(), ONE_THREAD)),
        peer=lambda: np.array([coint(block[:, y], block[:, x])[:2] for y, x in pairs]),
        peer_name=PEER,
        error=_difference,
        peer_share=PEER_PAIRS / (GRID_ASSETS * (GRID_ASSETS - 1)),
        repeats=3,
    ).run()


def _grid() -> Iterator[BenchRow]:
    """Scan the study's grid on two cores: 25 assets, 362 windows of three days, both directions."""
    prices = log_prices(FORMATION + STEP * (GRID_WINDOWS - 1), GRID_ASSETS)
    stops: Int1D = FORMATION + STEP * np.arange(GRID_WINDOWS)
    tests = GRID_ASSETS * (GRID_ASSETS - 1) * GRID_WINDOWS

    def work() -> int:
        return len(scan_windows(prices, stops, FORMATION, LagRule(), TWO_CORES))

    with PeakMemory() as peak:
        yield Contest(BENCH, f"full grid of {tests} tests, two processes", ours=work, repeats=1).run()
    metric = f"full grid of {tests} tests, peak memory"
    yield BenchRow(BENCH, metric, "GiB", round(peak.gib, 3), None, None, None, None)


def _one_window(assets: int) -> BenchRow:
    """Scan one window of many assets: seconds against tests, for the log-log plot."""
    block = log_prices(FORMATION, assets)
    stop: Int1D = np.array([FORMATION])
    metric = f"one window, {assets} assets, {assets * (assets - 1)} tests, one thread"
    work = lambda: scan_windows(block, stop, FORMATION, LagRule(), ONE_THREAD)  # noqa: E731
    return Contest(BENCH, metric, ours=work, repeats=1 if assets > 200 else 3).run()


def _answers(table: pd.DataFrame) -> Float2D:
    return table[["stat", "pvalue"]].to_numpy()


def _difference(ours: Float2D, reference: Float2D) -> float:
    """Return the largest difference over the tests that both did."""
    difference: Float1D = np.abs(ours[: len(reference)] - reference).ravel()
    return float(difference.max())
