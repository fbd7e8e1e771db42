"""The augmented Dickey-Fuller regression on estimated residuals, from lagged cross-products in one pass.

The regression of lag p is Δe_t = γ e_{t-1} + Σ_{k=1..p} φ_k Δe_{t-k} + u_t, without a constant. Its normal equations at
all lags are nested, so one elimination gives the criterion of every lag; they are Toeplitz but for edge terms, so only
the products Σ Δe_t Δe_{t-k} need a pass over the data. With the columns ordered Δe_{t-1} … Δe_{t-L}, e_{t-1}, Δe_t,
what is left of the last two after p pivots are the residual variances that criterion and t-ratio ask for.
"""

import math
from typing import Final

import numpy as np
from numba import njit

from perpfut_lib.cointegration.sums import dot, lag_products
from perpfut_lib.types import Float1D, Float2D

AIC: Final = 1
BIC: Final = 2
FIXED: Final = 0

# Below this share of its variance left, a column's normal equations lose the digits that 1e-8 needs.
PIVOT_FLOOR: Final = 1e-5
# Below this share the column is a combination of the others for all that float64 can tell.
RANK_FLOOR: Final = 1e-13


@njit(cache=True)
def normal_equations(e: Float1D, d: Float1D, start: int, products: Float1D, square: float) -> Float2D:
    """Return the upper triangle of X'X for the columns d_{i-1} … d_{i-p}, e_i, d_i over i = start … N-1.

    ``products`` are Σ d_i d_{i-k} for k = 0 … p and ``square`` is Σ e_i²; all else follows from the ends of the sample.
    """
    lags = products.shape[0] - 1
    last = d.shape[0] - 1
    gram = np.empty((lags + 2, lags + 2))
    level = 0.5 * (e[last + 1] * e[last + 1] - e[start] * e[start] - products[0])  # Σ e_i d_i
    gram[lags, lags], gram[lags, lags + 1], gram[lags + 1, lags + 1] = square, level, products[0]
    for k in range(lags):
        level += products[k] + e[start] * d[start - 1 - k] - e[last + 1] * d[last - k]  # Σ e_i d_{i-k-1}
        gram[k, lags] = level
        gram[k, lags + 1] = products[k + 1]
        gram[0, k] = products[k] + d[start - 1] * d[start - 1 - k] - d[last] * d[last - k]
    for j in range(1, lags):
        head, tail = d[start - 1 - j], d[last - j]
        for k in range(j, lags):
            gram[j, k] = gram[j - 1, k - 1] + head * d[start - 1 - k] - tail * d[last - k]
    return gram


@njit(cache=True)
def eliminate(gram: Float2D, left: Float2D) -> float:
    """Eliminate the lags one by one; write what is left of (e·e, e·d, d·d) after p pivots into ``left[p]``.

    Returns the smallest share of a column's square that was left when its turn came.
    """
    lags = gram.shape[0] - 2
    diagonal = np.empty(lags + 2)
    for j in range(lags + 2):
        diagonal[j] = gram[j, j]
    smallest = 1.0
    for pivot in range(lags + 1):
        left[pivot, 0], left[pivot, 1] = gram[lags, lags], gram[lags, lags + 1]
        left[pivot, 2] = gram[lags + 1, lags + 1]
        smallest = min(smallest, gram[lags, lags] / diagonal[lags], gram[lags + 1, lags + 1] / diagonal[lags + 1])
        if pivot == lags:
            break
        smallest = min(smallest, gram[pivot, pivot] / diagonal[pivot])
        if not smallest > RANK_FLOOR:
            return smallest
        row = gram[pivot]
        for j in range(pivot + 1, lags + 2):
            factor = row[j] / row[pivot]
            target = gram[j]
            for k in range(j, lags + 2):
                target[k] -= factor * row[k]
    return smallest


@njit(cache=True)
def orthogonalise(e: Float1D, d: Float1D, start: int, left: Float2D) -> float:
    """Do what :func:`eliminate` does by a QR decomposition: for columns that are close to collinear."""
    lags = left.shape[0] - 1
    design = np.empty((d.shape[0] - start, lags + 2))
    for i in range(start, d.shape[0]):
        for k in range(lags):
            design[i - start, k] = d[i - 1 - k]
        design[i - start, lags] = e[i]
        design[i - start, lags + 1] = d[i]
    triangle = np.linalg.qr(design)[1]
    smallest = 1.0
    for j in range(lags + 2):
        whole = np.sum(triangle[: j + 1, j] ** 2)
        smallest = min(smallest, triangle[j, j] ** 2 / whole if whole > 0.0 else 0.0)
    for pivot in range(lags + 1):
        first, second = triangle[pivot : lags + 1, lags], triangle[pivot : lags + 2, lags + 1]
        left[pivot, 0] = np.sum(first * first)
        left[pivot, 1] = np.sum(first * second[: first.shape[0]])
        left[pivot, 2] = np.sum(second * second)
    return smallest


@njit(cache=True)
def choose_lag(left: Float2D, count: int, criterion: int) -> int:
    """Return the lag of the smallest criterion; the shorter one where two are equal."""
    penalty = 2.0 if criterion == AIC else math.log(count)
    best, chosen = math.inf, 0
    for lag in range(left.shape[0]):
        variance = (left[lag, 2] - left[lag, 1] * left[lag, 1] / left[lag, 0]) / count
        value = count * math.log(variance) + penalty * (lag + 1)
        if value < best:
            best, chosen = value, lag
    return chosen


@njit(cache=True)
def partial_products(e: Float1D, d: Float1D, start: int, products: Float1D, square: float) -> float:
    """Lengthen the sample of ``products`` and ``square`` from ``start`` down to as many lags as ``products`` has."""
    lags = products.shape[0] - 1
    for i in range(lags, start):
        square += e[i] * e[i]
        for k in range(lags + 1):
            products[k] += d[i] * d[i - k]
    return square


@njit(cache=True)
def reduce_design(e: Float1D, d: Float1D, start: int, products: Float1D, square: float) -> tuple[Float2D, float]:
    """Return what each pivot leaves and the smallest pivot share; by QR where normal equations are too coarse."""
    left = np.empty((products.shape[0], 3))
    smallest = eliminate(normal_equations(e, d, start, products, square), left)
    if not smallest > PIVOT_FLOOR:
        smallest = orthogonalise(e, d, start, left)
    return left, smallest


@njit(cache=True)
def residual_test(e: Float1D, maxlag: int, criterion: int) -> tuple[float, int, float]:
    """Return t-ratio of the lagged residual, lag, and half-life of residuals ``e``.

    Parameters
    ----------
    e : Float1D
        Residuals of the cointegrating regression, (n,), finite; n ≥ 2 maxlag + 3.
    maxlag : int
        Most lags; with ``criterion`` FIXED the lag itself.
    criterion : int
        AIC, BIC (both compared on one common sample, as in statsmodels) or FIXED.

    Returns
    -------
    tuple
        (stat, lag, half_life); stat is NaN where the regression is singular. The half-life is -ln 2 / ln(1 + γ) bars
        of the regression without lags, infinity where γ ≥ 0, 0 where γ ≤ -1.
    """
    count = e.shape[0] - 1
    d = np.empty(count)
    for i in range(count):
        d[i] = e[i + 1] - e[i]
    products = np.empty(maxlag + 1)
    lag_products(d, maxlag, products)
    square = dot(e[maxlag:count], e[maxlag:count])
    half_life = _half_life(e, d, maxlag, products[0], square)
    lag = maxlag
    if criterion != FIXED:
        left, smallest = reduce_design(e, d, maxlag, products, square)
        if not smallest > RANK_FLOOR:
            return math.nan, 0, half_life
        lag = choose_lag(left, count - maxlag, criterion)
    products = products[: lag + 1]
    square = partial_products(e, d, maxlag, products, square)
    left, smallest = reduce_design(e, d, lag, products, square)
    if not smallest > RANK_FLOOR:
        return math.nan, lag, half_life
    level, cross, change = left[lag]
    variance = (change - cross * cross / level) / (count - lag - (lag + 1))
    return cross / math.sqrt(level * variance), lag, half_life


@njit(cache=True)
def _half_life(e: Float1D, d: Float1D, start: int, changes: float, square: float) -> float:
    """Return the half-life in bars over the whole sample; ``changes`` and ``square`` are sums from ``start`` on."""
    for i in range(start):
        square += e[i] * e[i]
        changes += d[i] * d[i]
    gamma = 0.5 * (e[-1] * e[-1] - e[0] * e[0] - changes) / square
    if gamma >= 0.0:
        return math.inf
    if gamma <= -1.0:
        return 0.0
    return -math.log(2.0) / math.log1p(gamma)
