"""Johansen's trace test of two series, by statsmodels: a second opinion that treats both legs alike."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from perpfut_lib.types import Float2D

# BLAS may add in another order elsewhere; six decimals agree everywhere.
DECIMALS: Final = 6
CONSTANT: Final = 0  # statsmodels' det_order of a constant in the error-correction model
LEVEL_95: Final = 1  # column of the 5 % critical value


class Johansen(NamedTuple):
    """Result of the trace test; the first null hypothesis is *no cointegration* (rank 0)."""

    trace: float
    """Trace statistic of rank 0."""
    critical: float
    """Its 5 % critical value."""
    rank: int
    """Rank at 5 %: 0 none, 1 cointegrated, 2 both series stationary."""
    beta: float
    """Hedge ratio of the first cointegrating vector, scaled to one unit of y."""


def johansen(y: npt.ArrayLike, x: npt.ArrayLike, lags: int) -> Johansen:
    """Test two series for cointegration in a vector error-correction model with a constant.

    Parameters
    ----------
    y, x : array_like
        Log prices, (n,), finite.
    lags : int
        Lagged differences; at least one is used.

    Returns
    -------
    Johansen
        Rounded to six decimals.

    References
    ----------
    Johansen, S. (1991), "Estimation and hypothesis testing of cointegration vectors in Gaussian vector autoregressive
    models", Econometrica 59, 1551-1580.
    """
    from statsmodels.tsa.vector_ar.vecm import coint_johansen  # takes a second to import; the live agent never asks

    pair: Float2D = np.column_stack([np.asarray(y, np.float64), np.asarray(x, np.float64)])
    fit = coint_johansen(pair, CONSTANT, max(lags, 1))
    above = fit.trace_stat > fit.trace_stat_crit_vals[:, LEVEL_95]
    rank = 0 if not above[0] else 1 + int(above[1])
    vector = fit.evec[:, 0]
    numbers = fit.trace_stat[0], fit.trace_stat_crit_vals[0, LEVEL_95], -vector[1] / vector[0]
    trace, critical, beta = (round(float(number), DECIMALS) for number in numbers)
    return Johansen(trace, critical, rank, beta)


def johansen_task(task: tuple[Float2D, int]) -> Johansen:
    """Test the columns y, x of one table (n, 2) with that many lags."""
    table, lags = task
    return johansen(table[:, 0], table[:, 1], lags)
