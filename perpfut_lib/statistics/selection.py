"""What choosing among many trials does to a result: deflated Sharpe ratio, backtest overfitting, minimum effect."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import ndtr, ndtri

from perpfut_lib.errors import SchemaError
from perpfut_lib.statistics.metrics import DAYS_PER_YEAR, sharpe
from perpfut_lib.types import Float1D, Float2D


def probabilistic_sharpe(returns: Float1D, benchmark: float = 0.0) -> float:
    r"""Return the probability that the true Sharpe ratio exceeds ``benchmark``.

    .. math:: \Phi\!\left(\frac{(\hat S - S^*)\sqrt{n-1}}{\sqrt{1-\gamma_3\hat S+\frac{\gamma_4-1}{4}\hat S^2}}\right)

    Parameters
    ----------
    returns : ndarray of float64, shape (n,)
        Daily returns.
    benchmark : float
        Sharpe ratio per day to beat, not annualised.

    Returns
    -------
    float
        In [0, 1]; NaN where the returns do not vary.

    References
    ----------
    Bailey and López de Prado (2012), The Sharpe ratio efficient frontier, Journal of Risk 15(2).
    """
    from scipy import stats  # a second to import

    daily = float(sharpe(returns)) / np.sqrt(DAYS_PER_YEAR)
    shape = Shape(len(returns), float(stats.skew(returns)), float(stats.kurtosis(returns, fisher=False)))
    return _exceedance(daily, benchmark, shape)


@dataclass(frozen=True)
class Shape:
    """Number of returns, their skewness and their (non-excess) kurtosis."""

    count: int
    skewness: float
    kurtosis: float


def expected_best_sharpe(trials: int, variance: float) -> float:
    """Return the Sharpe ratio expected of the best of ``trials`` worthless ones whose ratios have ``variance``."""
    if trials <= 1:
        return 0.0
    first, second = ndtri(1.0 - 1.0 / trials), ndtri(1.0 - 1.0 / (trials * np.e))
    return float(np.sqrt(variance) * ((1.0 - np.euler_gamma) * first + np.euler_gamma * second))


def deflated_sharpe(daily_sharpe: float, shape: Shape, *, trials: int, variance: float) -> float:
    """Return the probability that a Sharpe ratio is above what the best of many worthless trials would show.

    Parameters
    ----------
    daily_sharpe : float
        Sharpe ratio per day, not annualised.
    shape : Shape
        Length and higher moments of the returns.
    trials : int
        Number of independent trials that it was chosen from.
    variance : float
        Variance of the trials' daily Sharpe ratios.

    References
    ----------
    Bailey and López de Prado (2014), The deflated Sharpe ratio, Journal of Portfolio Management 40(5).
    """
    return _exceedance(daily_sharpe, expected_best_sharpe(trials, variance), shape)


def _exceedance(ratio: float, benchmark: float, shape: Shape) -> float:
    variance = 1.0 - shape.skewness * ratio + (shape.kurtosis - 1.0) / 4.0 * ratio**2
    return float(ndtr((ratio - benchmark) * np.sqrt(shape.count - 1) / np.sqrt(variance)))


def minimum_detectable_sharpe(days: int, *, level: float = 0.95, power: float = 0.8) -> float:
    """Return the least annualised Sharpe ratio that a test finds (normal approximation, two-sided).

    Parameters
    ----------
    days : int
        Length of the test.
    level : float
        Level of the interval that has to lie above zero.
    power : float
        Probability of finding it.
    """
    return float((ndtri((1.0 + level) / 2.0) + ndtri(power)) * np.sqrt(DAYS_PER_YEAR / days))


def pbo_cscv(returns: Float2D, *, blocks: int = 16) -> float:
    """Return the probability of backtest overfitting by combinatorially symmetric cross-validation.

    Parameters
    ----------
    returns : ndarray of float64, shape (T, N)
        Returns of N >= 2 strategies at T times; a remainder of T over ``blocks`` is dropped at the start.
    blocks : int
        Even number of time blocks; half of them, in every combination, choose the best strategy by Sharpe ratio.

    Returns
    -------
    float
        Share of combinations in which the chosen strategy ranks at or below the median of the other half.

    Raises
    ------
    SchemaError
        Fewer than two strategies, an odd number of blocks, or blocks of fewer than one row.

    References
    ----------
    Bailey, Borwein, López de Prado and Zhu (2017), The probability of backtest overfitting, J. Computational Finance.
    """
    rows, strategies = returns.shape
    if strategies < 2 or blocks < 2 or blocks % 2 or rows < 2 * blocks:
        found = f"{rows} rows, {strategies} strategies, {blocks} blocks"
        raise SchemaError(found, "2 or more strategies, an even number of blocks, 2 or more rows each", "change blocks")
    size = rows // blocks
    parts = returns[rows - size * blocks :].reshape(blocks, size, strategies)
    chosen = np.array(list(combinations(range(blocks), blocks // 2)))
    mask = np.zeros((len(chosen), blocks))
    np.put_along_axis(mask, chosen, 1.0, axis=1)
    moments = parts.sum(axis=1), (parts**2).sum(axis=1)
    inside, outside = _block_sharpe(mask, moments, size), _block_sharpe(1.0 - mask, moments, size)
    best = np.argmax(inside, axis=1)
    from scipy import stats

    ranks = stats.rankdata(outside, axis=1)[np.arange(len(best)), best]
    return float(np.mean(ranks / (strategies + 1) <= 0.5))


def _block_sharpe(mask: Float2D, moments: tuple[Float2D, Float2D], size: int) -> Float2D:
    """Return per-row Sharpe ratios (C, N) of the blocks that each row of ``mask`` (C, B) selects."""
    count = mask.sum(axis=1, keepdims=True) * size
    mean = mask @ moments[0] / count
    variance = mask @ moments[1] / count - mean**2
    ratio = np.zeros_like(mean)
    np.divide(mean, np.sqrt(np.maximum(variance, 0.0)), out=ratio, where=variance > 1e-28)
    return ratio
