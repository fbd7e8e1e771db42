"""Comparing agents: superior predictive ability against baselines, interquartile means over seeds."""

import numpy as np

from perpfut_lib.errors import SchemaError
from perpfut_lib.statistics.bootstrap import Interval, Resampling
from perpfut_lib.types import Float1D, Float2D


def spa_pvalue(benchmark: Float1D, candidates: Float2D, resampling: Resampling) -> float:
    """Return the p-value of Hansen's test for superior predictive ability.

    The null hypothesis is that no candidate has a higher expected return than the benchmark.

    Parameters
    ----------
    benchmark : ndarray of float64, shape (n,)
        Daily returns to beat.
    candidates : ndarray of float64, shape (n, N)
        Daily returns of N candidates.
    resampling : Resampling
        Block length, resamples and seed.

    Returns
    -------
    float
        Hansen's consistent p-value; small where the best candidate is better than chance explains.

    Raises
    ------
    SchemaError
        Lengths differ.

    References
    ----------
    Hansen (2005), A test for superior predictive ability, Journal of Business and Economic Statistics 23(4).
    """
    if candidates.ndim != 2 or len(candidates) != len(benchmark):
        raise SchemaError(f"candidates of shape {candidates.shape}", f"({len(benchmark)}, N)", "align the returns")
    from arch.bootstrap import SPA  # it brings statsmodels and scipy.stats along

    test = SPA(-benchmark, -candidates, block_size=resampling.block, reps=resampling.reps, seed=resampling.seed)
    test.compute()
    return float(test.pvalues["consistent"])


def interquartile_mean(scores: Float2D) -> Float1D:
    """Return the mean of the middle half of all scores (..., seeds, tasks); robust as a median, efficient as a mean."""
    from scipy import stats  # a second to import

    flat = scores.reshape(*scores.shape[:-2], -1)
    return np.asarray(stats.trim_mean(flat, 0.25, axis=-1))


def interquartile_mean_ci(scores: Float2D, resampling: Resampling) -> Interval:
    """Return the interquartile mean over seeds and tasks with a stratified bootstrap interval.

    Parameters
    ----------
    scores : ndarray of float64, shape (seeds, tasks)
        One score per seed and task; seeds are resampled within each task.
    resampling : Resampling
        Resamples, level and seed.

    References
    ----------
    Agarwal et al. (2021), Deep reinforcement learning at the edge of the statistical precipice, NeurIPS.
    """
    generator = np.random.default_rng(resampling.seed)
    seeds, tasks = scores.shape
    rows = generator.integers(0, seeds, (resampling.reps, seeds, tasks))
    values = interquartile_mean(np.take_along_axis(scores[None], rows, axis=1))
    tail = (1.0 - resampling.level) / 2.0
    lower, upper = np.quantile(values, (tail, 1.0 - tail))
    return Interval(float(interquartile_mean(scores)), float(lower), float(upper), resampling.level)
