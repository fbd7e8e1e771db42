"""Stationary block bootstrap (Politis and Romano, 1994): intervals that respect serial dependence."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from perpfut_lib.errors import SchemaError
from perpfut_lib.types import Float1D, Int1D


@dataclass(frozen=True)
class Interval:
    """A percentile interval around an estimate; bounds are NaN where too few resamples define the statistic."""

    estimate: float
    lower: float
    upper: float
    level: float


@dataclass(frozen=True)
class Resampling:
    """How to resample: mean block length in observations, number of resamples, level of intervals, seed."""

    block: int = 3
    reps: int = 2000
    level: float = 0.95
    seed: int = 0


@lru_cache(maxsize=32)
def resample_indices(length: int, resampling: Resampling) -> Int1D:
    """Return indices (reps, length) of stationary-bootstrap resamples of a series of that length."""
    from arch.bootstrap import StationaryBootstrap  # it brings statsmodels and scipy.stats along

    source = StationaryBootstrap(resampling.block, np.arange(length), seed=np.random.default_rng(resampling.seed))
    indices = np.stack([data[0][0] for data in source.bootstrap(resampling.reps)])
    indices.setflags(write=False)
    return indices


def bootstrap_ci(returns: Float1D, statistic: Callable[[Float1D], Float1D], resampling: Resampling) -> Interval:
    """Return a statistic of a return series with its percentile interval.

    Parameters
    ----------
    returns : ndarray of float64, shape (n,)
        One series; n >= 2.
    statistic : callable
        Maps (..., n) to (...), such as :func:`perpfut_lib.statistics.sharpe`.
    resampling : Resampling
        Block length, resamples, level and seed.

    Returns
    -------
    Interval
        Resamples whose statistic is NaN (no variation) are left out; fewer than half of them defined gives NaN bounds.

    Raises
    ------
    SchemaError
        Fewer than two returns, or one that is not finite.
    """
    if len(returns) < 2 or not np.all(np.isfinite(returns)):
        raise SchemaError(f"{len(returns)} returns", "two or more finite returns", "lengthen the test span")
    estimate = float(statistic(returns))
    values = np.asarray(statistic(returns[resample_indices(len(returns), resampling)]))
    defined = values[np.isfinite(values)]
    if 2 * len(defined) < len(values):
        return Interval(estimate, float("nan"), float("nan"), resampling.level)
    tail = (1.0 - resampling.level) / 2.0
    lower, upper = np.quantile(defined, (tail, 1.0 - tail))
    return Interval(estimate, float(lower), float(upper), resampling.level)
