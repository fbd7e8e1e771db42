"""One slow tick: from the log prices of a formation window to the pairs that are traded next."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd
from statsmodels.tsa.stattools import coint

from perpfut_lib.bench._slow_tick_live import seconds_of_slow_ticks
from perpfut_lib.bench.cointegration import FORMATION, PEER, log_prices
from perpfut_lib.bench.harness import BenchRow, Contest
from perpfut_lib.cointegration import scan
from perpfut_lib.types import Float2D

BENCH: Final = "slow-tick"
TOP: Final = 5


def run() -> Iterator[BenchRow]:
    """Yield the study's 25 assets, and the 170 that both venues list."""
    for assets in (25, 170):
        yield _tick(assets)
    for which, seconds in seconds_of_slow_ticks(170).items():
        metric = f"170 assets, whole tick with its fetch from the local exchange, {which}"
        yield BenchRow(BENCH, metric, "s", seconds, None, None, None, None)


def _tick(assets: int) -> BenchRow:
    """Measure the choice of pairs on one thread; the peer tests the chosen ones only."""
    prices = pd.DataFrame(log_prices(FORMATION, assets), columns=[f"S{number:03d}" for number in range(assets)])
    tests = assets * (assets - 1)

    def choose() -> pd.DataFrame:
        return scan(prices, window=FORMATION, step=1, min_corr=0.0, max_pvalue=0.5, top=TOP)

    chosen = choose()[["y", "x"]].to_numpy().tolist()

    def check(table: pd.DataFrame, reference: Float2D) -> float:
        return float(np.abs(table[["stat", "pvalue"]].to_numpy() - reference).max())

    return Contest(
        bench=BENCH,
        metric=f"{assets} assets, {tests} tests, best {TOP} pairs, one thread",
        ours=choose,
        peer=lambda: np.array([coint(prices[y], prices[x])[:2] for y, x in chosen]),
        peer_name=PEER,
        error=check,
        peer_share=len(chosen) / tests,
        repeats=3,
    ).run()
