"""Kalman filter of a dynamic hedge ratio: y_t = alpha_t + beta_t x_t + noise, (alpha, beta) a random walk."""

from typing import Protocol

import numpy as np
import numpy.typing as npt
from numba import njit

from perpfut_lib.errors import DegenerateSeriesError
from perpfut_lib.store.frames import require_one_index
from perpfut_lib.types import Float1D, Float2D, Float3D

DIMENSION = 2  # intercept and hedge ratio
KALMAN = np.dtype([("theta", np.float64, (DIMENSION,)), ("P", np.float64, (DIMENSION, DIMENSION))])


class Kalman(Protocol):
    """What the filter expects of the next bar, before it is seen; a record of dtype KALMAN."""

    theta: Float1D
    """Mean of (intercept, hedge ratio), (2,)."""
    P: Float2D
    """Its covariance, (2, 2)."""


Belief = tuple[float, float, float, float, float]  # intercept, hedge ratio, and the covariance's 00, 01, 11


@njit(cache=True, error_model="numpy")
def corrected(belief: Belief, y: float, x: float, r: float) -> tuple[Belief, float, float]:
    """Return the belief after a bar, the innovation and its variance.

    Scalars, because the covariance is symmetric and numba keeps them in registers; every path to a filtered value goes
    through these lines, so that all have the same bits.
    """
    level, slope, p00, p01, p11 = belief
    to_level, to_slope = p00 + p01 * x, p01 + p11 * x  # covariance of the state with y
    variance = (to_level + r) + x * to_slope
    gain_level, gain_slope = to_level / variance, to_slope / variance
    innovation = y - level - slope * x
    means = level + gain_level * innovation, slope + gain_slope * innovation
    covariance = p00 - gain_level * to_level, p01 - gain_level * to_slope, p11 - gain_slope * to_slope
    return (*means, *covariance), innovation, variance


@njit(cache=True, error_model="numpy")
def kalman_step(state: Kalman, y: float, x: float, Q: Float2D, r: float) -> tuple[float, float]:
    """Advance ``state`` in place by one bar and return the innovation and its variance.

    On return the state holds the *prediction* for the next bar; its mean is also the filtered mean of this one, and
    its covariance the filtered one plus ``Q``.
    """
    theta, P = state.theta, state.P
    belief, innovation, variance = corrected((theta[0], theta[1], P[0, 0], P[0, 1], P[1, 1]), y, x, r)
    theta[0], theta[1] = belief[0], belief[1]
    # The covariance's own difference first: it cancels, and adding Q to a term of it would round away what is left.
    P[0, 0], P[0, 1], P[1, 1] = belief[2] + Q[0, 0], belief[3] + Q[0, 1], belief[4] + Q[1, 1]
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
        Log prices, (T,), finite. Series of pandas must share their index; row t of the answer belongs to its label t.
    q : float or array_like
        Q: a number times the identity, a diagonal (2,), or a matrix (2, 2).
    r : float
        Variance of the observation noise, positive.
    theta0, P0 : array_like, optional
        Mean (2,) and covariance (2, 2) of θ before the first bar; by default zero and the identity, as in pykalman.

    Returns
    -------
    theta, P : ndarray, (T, 2) and (T, 2, 2)
        Filtered means (intercept, hedge ratio) and their covariances. Row t has seen bars 0 … t.

    Raises
    ------
    IndexMismatchError
        Two pandas series have different indices.
    DegenerateSeriesError
        Lengths differ, a value is NaN or infinite, or ``r`` is not positive.
    """
    require_one_index(y, x)
    y, x = _checked(y, x, r)
    return _scan(y, x, noise_covariance(q), float(r), _belief(theta0, P0))


def _belief(theta0: npt.ArrayLike | None, P0: npt.ArrayLike | None) -> Belief:
    """Return mean and covariance before the first bar; by default zero and the identity."""
    theta = np.zeros(DIMENSION) if theta0 is None else np.asarray(theta0, np.float64)
    P = np.eye(DIMENSION) if P0 is None else np.asarray(P0, np.float64)
    return float(theta[0]), float(theta[1]), float(P[0, 0]), float(P[0, 1]), float(P[1, 1])


def _checked(y: npt.ArrayLike, x: npt.ArrayLike, r: float) -> tuple[Float1D, Float1D]:
    """Return both series as arrays, or raise why they, or ``r``, cannot be filtered with."""
    y, x = np.ascontiguousarray(y, np.float64), np.ascontiguousarray(x, np.float64)
    if y.ndim != 1 or y.shape != x.shape or not (np.isfinite(y).all() and np.isfinite(x).all()):
        found = f"series of shapes {y.shape} and {x.shape}, or values that are NaN or infinite"
        raise DegenerateSeriesError(found, "two finite series of one length", "align and fill them first")
    if not r > 0:
        raise DegenerateSeriesError(f"observation variance {r:g}", "a positive one", "set r")
    return y, x


def noise_covariance(q: float | npt.ArrayLike) -> Float2D:
    """Return Q from a number, a diagonal or a matrix."""
    given = np.array(q, np.float64)
    if given.ndim == DIMENSION:
        return given
    return np.diag(np.broadcast_to(given, (DIMENSION,))).copy()


@njit(cache=True, error_model="numpy")
def _scan(y: Float1D, x: Float1D, Q: Float2D, r: float, belief: Belief) -> tuple[Float2D, Float3D]:
    """Return filtered means and covariances of every bar, from the belief before the first."""
    theta, P = np.empty((y.shape[0], 2)), np.empty((y.shape[0], 2, 2))
    q00, q01, q11 = Q[0, 0], Q[0, 1], Q[1, 1]
    for t in range(y.shape[0]):
        belief, _, _ = corrected(belief, y[t], x[t], r)
        level, slope, p00, p01, p11 = belief
        theta[t, 0], theta[t, 1] = level, slope
        P[t, 0, 0], P[t, 0, 1], P[t, 1, 0], P[t, 1, 1] = p00, p01, p01, p11
        belief = (level, slope, p00 + q00, p01 + q01, p11 + q11)
    return theta, P
