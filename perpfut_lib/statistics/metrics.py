"""Performance measures of return series and equity curves: small, pure, vectorised over leading axes.

A year has 365 days: perpetual futures trade every day. Every measure takes the last axis as time, so a whole
bootstrap (reps, n) is measured in one call. NaN in, NaN out.
"""

from typing import Final

import numpy as np

from perpfut_lib.errors import SchemaError
from perpfut_lib.types import DAY_MS, Float1D, Int1D

DAYS_PER_YEAR: Final = 365


def daily_returns(time: Int1D, equity: Float1D) -> tuple[Int1D, Float1D]:
    """Return one return per UTC day of an equity curve.

    Parameters
    ----------
    time : ndarray of int64, shape (T,)
        Times of the marks in order, ms UTC; the first one is the start. Several may be equal: orders that latency
        carries to a window's end fill at the flattening.
    equity : ndarray of float64, shape (T,)
        Equity at these times.

    Returns
    -------
    days : ndarray of int64, shape (D,)
        Start of each day, ms UTC. A mark at midnight belongs to the day that ends there.
    returns : ndarray of float64, shape (D,)
        Equity at the end of the day over equity at the end of the day before (at first: the start), minus one.

    Raises
    ------
    SchemaError
        Fewer than two marks, or times that go back.
    """
    if len(time) < 2 or len(time) != len(equity) or np.any(np.diff(time) < 0):
        raise SchemaError(f"{len(time)} marks", "two or more marks in order of time", "check the equity curve")
    day = (time[1:] - 1) // DAY_MS
    last = np.append(np.flatnonzero(np.diff(day)), len(day) - 1)
    ends = np.concatenate(([equity[0]], equity[1:][last]))
    return day[last] * DAY_MS, ends[1:] / ends[:-1] - 1.0


def cumulative_return(returns: Float1D) -> Float1D:
    """Return the compounded return, ``prod(1 + r) - 1``, of returns (..., n)."""
    return np.prod(1.0 + returns, axis=-1) - 1.0


def volatility(returns: Float1D) -> Float1D:
    """Return the annualised standard deviation, ``std(r, ddof=1) sqrt(365)``, of daily returns (..., n)."""
    deviation: Float1D = np.std(returns, axis=-1, ddof=1) * np.sqrt(DAYS_PER_YEAR)
    return deviation


def sharpe(returns: Float1D) -> Float1D:
    r"""Return the annualised Sharpe ratio of daily returns (..., n), risk-free rate zero.

    .. math:: \mathrm{SR} = \sqrt{365}\,\bar r / s

    NaN where the returns do not vary.
    """
    return _ratio(np.mean(returns, axis=-1), np.std(returns, axis=-1, ddof=1)) * np.sqrt(DAYS_PER_YEAR)


def sortino(returns: Float1D) -> Float1D:
    """Return the annualised Sortino ratio (target zero, downside deviation over all days); NaN without a losing day."""
    downside = np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2, axis=-1))
    return _ratio(np.mean(returns, axis=-1), downside) * np.sqrt(DAYS_PER_YEAR)


def max_drawdown(equity: Float1D) -> Float1D:
    """Return the largest fall from a running peak, a fraction <= 0, of equity (..., T)."""
    return np.min(equity / np.maximum.accumulate(equity, axis=-1) - 1.0, axis=-1)


def drawdown_duration(time: Int1D, equity: Float1D) -> int:
    """Return the longest time that one equity curve (T,) takes from a peak to its recovery, or to the end.

    Times (T,) and answer in the same unit, such as ms.
    """
    below = equity < np.maximum.accumulate(equity)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], below, [False]))))
    recovered = np.minimum(edges[1::2], len(time) - 1)
    return int(np.max(time[recovered] - time[edges[::2] - 1], initial=0))


def _ratio(numerator: Float1D, denominator: Float1D) -> Float1D:
    """Divide, NaN where the denominator is zero up to rounding."""
    spread = np.asarray(denominator, dtype=np.float64)
    defined = spread > 1e-14
    ratio: Float1D = np.full(np.shape(spread), np.nan)
    np.divide(numerator, spread, out=ratio, where=defined)
    return ratio
