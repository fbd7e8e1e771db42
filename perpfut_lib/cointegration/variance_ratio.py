"""Variance ratio and Hurst exponent: whether a series' variance grows slower with time than a random walk's."""

import math

import numpy as np
from numba import njit

from perpfut_lib.cointegration.sums import dot
from perpfut_lib.types import Float1D


@njit(cache=True)
def variance_ratio(series: Float1D, horizon: int) -> float:
    """Return the variance of changes over ``horizon`` bars over ``horizon`` times that over one bar.

    VR(q) = Σ (e_t - e_{t-q})² / (q Σ (e_t - e_{t-1})²), overlapping changes, no drift. 1 for a random walk, below 1 for
    a series that reverts.

    Parameters
    ----------
    series : Float1D
        Values, (n,), finite.
    horizon : int
        Bars q, 2 ≤ q < n.

    Returns
    -------
    float
        NaN for a series that never moves.

    References
    ----------
    Lo, A.W. and MacKinlay, A.C. (1988), "Stock market prices do not follow random walks", Review of Financial Studies
    1, 41-66.
    """
    one, many = _square_changes(series, 1), _square_changes(series, horizon)
    return many / (horizon * one) if one > 0.0 else math.nan


@njit(cache=True)
def hurst_exponent(series: Float1D) -> float:
    """Return the Hurst exponent H = ½ + ln VR(q) / (2 ln q) at the horizon q = max(2, ⌊√n⌋) bars.

    ½ for a random walk, below ½ for a series that reverts (0 for white noise, in the limit), above ½ for one that
    trends; n ≥ 3, NaN for a series that never moves.
    """
    horizon = max(2, int(math.sqrt(series.shape[0])))
    return 0.5 + 0.5 * math.log(variance_ratio(series, horizon)) / math.log(horizon)


@njit(cache=True)
def _square_changes(series: Float1D, lag: int) -> float:
    count = series.shape[0] - lag
    changes = np.empty(count)
    for t in range(count):
        changes[t] = series[t + lag] - series[t]
    return dot(changes, changes)
