"""Student's t intervals: they cover what they say already at ten days, where a percentile bootstrap does not."""

import numpy as np
from scipy.special import stdtrit

from perpfut_lib.errors import SchemaError
from perpfut_lib.statistics.bootstrap import Interval
from perpfut_lib.statistics.metrics import cumulative_return, sharpe
from perpfut_lib.types import Float1D


def total_interval(values: Float1D, level: float = 0.95) -> Interval:
    r"""Return the sum of observations with Student's t interval for :math:`n` times their expectation.

    .. math:: \sum_i v_i \pm t_{n-1}\, s \sqrt{n}

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        One number per day, such as its log growth; independent, n >= 2.
    level : float
        Coverage.

    Raises
    ------
    SchemaError
        Fewer than two values, or one that is not finite.

    References
    ----------
    Student (1908), The probable error of a mean, Biometrika 6(1).
    """
    count = len(values)
    if count < 2 or not np.all(np.isfinite(values)):
        raise SchemaError(f"{count} values", "two or more finite values", "lengthen the test span")
    total = float(np.sum(values))
    reach = float(stdtrit(count - 1, 0.5 + level / 2.0) * np.std(values, ddof=1) * np.sqrt(count))
    return Interval(total, total - reach, total + reach, level)


def mean_interval(values: Float1D, level: float = 0.95) -> Interval:
    """Return the mean of observations (n,) with Student's t interval; see :func:`total_interval`."""
    total, count = total_interval(values, level), len(values)
    return Interval(total.estimate / count, total.lower / count, total.upper / count, level)


def ratio_interval(numerator: Float1D, denominator: Float1D, level: float = 0.95) -> Interval:
    r"""Return the ratio of two means over the same n observations, with a t interval from its residuals.

    .. math:: R = \bar a / \bar b, \qquad R \pm t_{n-1} \frac{s(a - R b)}{\bar b \sqrt n}

    NaN where the denominator's mean is not positive.

    References
    ----------
    Cochran, W.G. (1977), Sampling Techniques, section 2.11 (the linearised variance of a ratio).
    """
    below = float(denominator.mean())
    if below <= 0.0:
        return Interval(float("nan"), float("nan"), float("nan"), level)
    ratio = float(numerator.mean()) / below
    apart = mean_interval(numerator - ratio * denominator, level)
    reach = 0.5 * (apart.upper - apart.lower) / below
    return Interval(ratio, ratio - reach, ratio + reach, level)


def return_interval(returns: Float1D, level: float = 0.95) -> Interval:
    """Return the compounded return of daily returns (n,) with the t interval of their log growth.

    Bounds are NaN where a day loses everything.

    Raises
    ------
    SchemaError
        Fewer than two returns, or one that is not finite.

    Parameters
    ----------
    returns : ndarray, (n,)
        Daily returns.
    level : float
        Coverage of the interval.
    """
    if np.any(returns <= -1.0):
        return Interval(float(cumulative_return(returns)), float("nan"), float("nan"), level)
    growth = total_interval(np.log1p(returns), level)
    estimate, lower, upper = np.expm1([growth.estimate, growth.lower, growth.upper]).tolist()
    return Interval(estimate, lower, upper, level)


def sharpe_interval(returns: Float1D, level: float = 0.95) -> Interval:
    """Return the annualised Sharpe ratio of daily returns (n,) with its jackknife interval; NaN where none varies.

    Raises
    ------
    SchemaError
        Fewer than two returns, or one that is not finite.

    Parameters
    ----------
    returns : ndarray, (n,)
        Daily returns.
    level : float
        Coverage of the interval.
    """
    if len(returns) < 2 or not np.all(np.isfinite(returns)):
        raise SchemaError(f"{len(returns)} returns", "two or more finite returns", "lengthen the test span")
    count = len(returns)
    others = np.broadcast_to(returns, (count, count))[~np.eye(count, dtype=bool)].reshape(count, count - 1)
    left_out = sharpe(others) if count > 2 else np.full(count, np.nan)
    return jackknife_interval(float(sharpe(returns)), left_out, level)


def jackknife_interval(estimate: float, left_out: Float1D, level: float = 0.95) -> Interval:
    r"""Return the t interval of a statistic from its values with one observation left out at a time, (n,).

    .. math:: \hat\theta \pm t_{n-1} \sqrt{\tfrac{n-1}{n} \sum_i (\hat\theta_{(i)} - \bar\theta_{(\cdot)})^2}

    Bounds are NaN where there are fewer than two observations, or a value is not finite.

    References
    ----------
    Tukey (1958), Bias and confidence in not-quite large samples (abstract), Annals of Mathematical Statistics 29(2).
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 11.
    """
    count = len(left_out)
    if count < 2 or not np.all(np.isfinite(left_out)):
        return Interval(estimate, float("nan"), float("nan"), level)
    error = np.sqrt((count - 1) * left_out.var())
    reach = float(stdtrit(count - 1, 0.5 + level / 2.0) * error)
    return Interval(estimate, estimate - reach, estimate + reach, level)
