"""Comparing agents: superior predictive ability against baselines, interquartile means over seeds."""

import numpy as np

from perpfut_lib.errors import SchemaError
from perpfut_lib.statistics.bootstrap import Interval, Resampling
from perpfut_lib.types import Float1D, Float2D


def spa_pvalue(benchmark: Float1D, candidates: Float2D, resampling: Resampling) -> float:
    r"""Return the p-value of a test for superior predictive ability that keeps its size over few days.

    The null hypothesis is that no candidate has a higher expected return than the benchmark. The statistic is the
    largest t ratio of the candidates' excess returns; its distribution is that over random signs of whole days, the
    same for all candidates, which is exact for any number of days where excess returns are symmetric about zero.
    Hansen's bootstrap of the same hypothesis rejects true ones in 17 of 100 cases over nine days at a level of 5 %.

    Parameters
    ----------
    benchmark : ndarray of float64, shape (n,)
        Daily returns to beat.
    candidates : ndarray of float64, shape (n, N)
        Daily returns of N candidates.
    resampling : Resampling
        Number of draws and seed; days are taken as independent.

    Returns
    -------
    float
        Small where the best candidate is better than chance explains; 1 where no candidate differs.

    Raises
    ------
    SchemaError
        Lengths differ.

    References
    ----------
    Hansen (2005), A test for superior predictive ability, Journal of Business and Economic Statistics 23(4).
    Romano and Wolf (2005), Exact and approximate stepdown methods for multiple hypothesis testing, JASA 100(469).
    """
    if candidates.ndim != 2 or len(candidates) != len(benchmark):
        raise SchemaError(f"candidates of shape {candidates.shape}", f"({len(benchmark)}, N)", "align the returns")
    excess = candidates - benchmark[:, None]
    excess = excess[:, np.ptp(excess, axis=0) > 0.0]
    return _sign_test(excess, resampling) if excess.size else 1.0


def _sign_test(excess: Float2D, resampling: Resampling) -> float:
    """Return how often the largest t ratio under random signs of the days (n, N) is at least the one found."""
    signs = np.random.default_rng(resampling.seed).choice((-1.0, 1.0), (resampling.reps, len(excess)))
    squares = (excess**2).sum(axis=0)  # no sign changes them
    found, drawn = (_largest_ratio(rows @ excess, squares, len(excess)) for rows in (np.ones(len(excess)), signs))
    return float((1 + np.sum(drawn >= found)) / (1 + resampling.reps))


def _largest_ratio(sums: Float2D, squares: Float1D, count: int) -> Float1D:
    """Return the largest t ratio (...) of candidates with these sums (..., N) and sums of squares (N,) over n days."""
    variance = np.maximum(squares - sums**2 / count, 1e-300) / (count - 1)
    largest: Float1D = (sums / np.sqrt(count * variance)).max(axis=-1)
    return largest


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
