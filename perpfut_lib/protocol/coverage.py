"""How often intervals and tests are right over so many days: measured on days whose truth is known."""

from typing import Final

import numpy as np

from perpfut_lib import statistics
from perpfut_lib.progress import track
from perpfut_lib.statistics import Resampling
from perpfut_lib.types import JsonObject

DAYS: Final = (9, 12, 26, 49, 60, 78, 120)
WORLDS: Final = 2000
CANDIDATES: Final = 35
TAILS: Final = 4
MEAN, SCALE = 0.002, 0.01


def measured_coverage(worlds: int = WORLDS, seed: int = 0) -> JsonObject:
    """Return, for each number of days, what 95 % intervals cover and how often true hypotheses are rejected at 5 %.

    Daily log growth is drawn from Student's distribution with four degrees of freedom, which has the fat tails of
    daily returns, independently from day to day.

    Parameters
    ----------
    worlds : int
        Samples for each number of days; the standard error of a share of 95 % is √(0.95 x 0.05 / worlds).
    seed : int
        Of the draws.

    Returns
    -------
    dict
        ``worlds``, ``candidates``, ``tails``, and ``rows``: ``days``; ``return`` and ``sharpe`` (coverage of the
        intervals that the tables show), ``bootstrap`` (of a percentile bootstrap of the same Sharpe ratio, for
        comparison); ``spa`` (share of worlds in which the best of ``candidates`` worthless strategies is called
        better than doing nothing).
    """
    generator, rows = np.random.default_rng(seed), []
    for days in track(DAYS, label="coverage", unit="span"):
        rows.append({"days": days, **_shares(generator, days, worlds)})
    return {"worlds": worlds, "candidates": CANDIDATES, "tails": TAILS, "level": 0.95, "rows": rows}


def _shares(generator: np.random.Generator, days: int, worlds: int) -> dict[str, float]:
    growth = MEAN + SCALE * generator.standard_t(TAILS, (worlds, days))
    total = np.expm1(MEAN * days)
    ratio = MEAN / (SCALE * np.sqrt(TAILS / (TAILS - 2.0))) * np.sqrt(statistics.DAYS_PER_YEAR)
    drawn = Resampling(block=1, reps=400)
    rejected = [
        statistics.spa_pvalue(np.zeros(days), SCALE * generator.standard_t(TAILS, (days, CANDIDATES)), drawn) <= 0.05
        for _ in range(worlds)
    ]
    inside = {
        "return": [_holds(statistics.return_interval(np.expm1(one)), total) for one in growth],
        "sharpe": [_holds(statistics.sharpe_interval(one), ratio) for one in growth],
        "bootstrap": [_holds(statistics.bootstrap_ci(one, statistics.sharpe, drawn), ratio) for one in growth],
    }
    return {**{name: float(np.mean(hits)) for name, hits in inside.items()}, "spa": float(np.mean(rejected))}


def _holds(interval: statistics.Interval, truth: float) -> bool:
    return interval.lower <= truth <= interval.upper
