"""Kalman filter of a dynamic hedge ratio: y_t = alpha_t + beta_t x_t + noise, (alpha, beta) a random walk."""

from typing import Protocol

import numpy as np
import numpy.typing as npt
from numba import njit

from perpfut_lib.errors import DegenerateSeriesError
from perpfut_lib.types import Float1D, Float2D, Float3D

DIMENSION = 2  # intercept and hedge ratio
KALMAN = np.dtype([("theta", np.float64, (DIMENSION,)), ("P", np.float64, (DIMENSION, DIMENSION))])


class Kalman(Protocol):
    """What the filter expects of the next bar, before it is seen; a record of dtype KALMAN."""

    theta: Float1D
    """Mean of (intercept, hedge ratio), (2,)."""
    P: Float2D
    """Its covariance, (2, 2)."""


@njit(cache=True, error_model="numpy")
def kalman_step(state: Kalman, y: float, x: float, Q: Float2D, r: float) -> tuple[float, float]:
    """Advance ``state`` in place by one bar and return the innovation and its variance.

    On return the state holds the *prediction* for the next bar; its mean is also the filtered mean of this one, and
    its covariance the filtered one plus ``Q``.
    """
    theta, P = state.theta, state.P
    to_level, to_slope = P[0, 0] + P[0, 1] * x, P[0, 1] + P[1, 1] * x  # covariance of the state with y
    variance = to_level + x * to_slope + r
    gain_level, gain_slope = to_level / variance, to_slope / variance
    innovation = y - theta[0] - theta[1] * x
    theta[0] += gain_level * innovation
    theta[1] += gain_slope * innovation
    # The difference first: it cancels, and adding Q to a term of it would round away what is left.
    P[0, 0] = (P[0, 0] - gain_level * to_level) + Q[0, 0]
    P[0, 1] = (P[0, 1] - gain_level * to_slope) + Q[0, 1]
    P[1, 1] = (P[1, 1] - gain_slope * to_slope) + Q[1, 1]
    P[1, 0] = P[0, 1]
    return innovation, variance


def filter_hedge_ratio(
    y: npt.ArrayLike,
    x: npt.ArrayLike,
    *,
    q: float | npt.ArrayLike,
    r: float,
    theta0: npt.ArrayLike | None = None,
    P0: npt.ArrayLike | None = None,
) -> tuple[Float2D, Float3D]:
    """Filter intercept and hedge ratio of ``y`` on ``x``.

    y_t = [1, x_t] θ_t + v_t with v ~ N(0, r), and θ_t = θ_{t-1} + w_t with w ~ N(0, Q).

    Parameters
    ----------
    y, x : array_like
        Log prices, (T,), finite.
    q : float or array_like
        Q: a number times the identity, a diagonal (2,), or a matrix (2, 2).
    r : float
        Variance of the observation noise, positive.
    theta0, P0 : array_like, optional
        Mean (2,) and covariance (2, 2) of θ before the first bar; by default zero and the identity, as in pykalman.

    Returns
    -------
    theta : Float2D
        Filtered means, (T, 2): intercept, hedge ratio. Row t has seen bars 0 … t.
    P : Float3D
        Filtered covariances, (T, 2, 2).

    Raises
    ------
    DegenerateSeriesError
        Lengths differ, a value is NaN or infinite, or ``r`` is not positive.
    """
    y, x = np.ascontiguousarray(y, np.float64), np.ascontiguousarray(x, np.float64)
    if y.ndim != 1 or y.shape != x.shape or not (np.isfinite(y).all() and np.isfinite(x).all()):
        found = f"series of shapes {y.shape} and {x.shape}, or values that are NaN or infinite"
        raise DegenerateSeriesError(found, "two finite series of one length", "align and fill them first")
    if not r > 0:
        raise DegenerateSeriesError(f"observation variance {r:g}", "a positive one", "set r")
    state = np.zeros(1, KALMAN)[0]
    state["theta"] = np.zeros(DIMENSION) if theta0 is None else np.asarray(theta0, np.float64)
    state["P"] = np.eye(DIMENSION) if P0 is None else np.asarray(P0, np.float64)
    return _scan(y, x, noise_covariance(q), float(r), state)


def noise_covariance(q: float | npt.ArrayLike) -> Float2D:
    """Return Q from a number, a diagonal or a matrix."""
    given = np.array(q, np.float64)
    if given.ndim == DIMENSION:
        return given
    return np.diag(np.broadcast_to(given, (DIMENSION,))).copy()


@njit(cache=True, error_model="numpy")
def _scan(y: Float1D, x: Float1D, Q: Float2D, r: float, state: Kalman) -> tuple[Float2D, Float3D]:
    """Return filtered means and covariances of every bar."""
    theta, P = np.empty((y.shape[0], 2)), np.empty((y.shape[0], 2, 2))
    for t in range(y.shape[0]):
        kalman_step(state, y[t], x[t], Q, r)
        for i in range(DIMENSION):
            theta[t, i] = state.theta[i]
            for j in range(DIMENSION):
                P[t, i, j] = state.P[i, j] - Q[i, j]
    return theta, P
