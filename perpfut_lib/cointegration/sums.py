"""Sums over time that are fast and have the same bits everywhere.

The compiler may not reorder them (no fastmath: a function compiled into two callers would then give two answers), so
the order that fills vector registers is written out; BLAS sums stay below the length at which it starts threads.
"""

from typing import Final

import numpy as np
from numba import njit

from perpfut_lib.types import Float1D

_BLAS_LENGTH: Final = 8192


@njit(cache=True)
def dot(left: Float1D, right: Float1D) -> float:
    """Return Σ a b, block by block."""
    total = 0.0
    for start in range(0, left.shape[0], _BLAS_LENGTH):
        total += np.dot(left[start : start + _BLAS_LENGTH], right[start : start + _BLAS_LENGTH])
    return total


@njit(cache=True)
def demean(series: Float1D, centred: Float1D) -> tuple[float, float]:
    """Write ``series`` less its mean into ``centred``; return mean and Σ (v - v₀)².

    The square is exactly 0 for a constant series and NaN or infinite for one that holds such a value.
    """
    count, reference, total = series.shape[0], series[0], 0.0
    for i in range(count):
        centred[i] = series[i] - reference
    square = dot(centred, centred)
    whole = count - count % 8
    for i in range(0, whole, 8):
        low = (centred[i] + centred[i + 1]) + (centred[i + 2] + centred[i + 3])
        total += low + ((centred[i + 4] + centred[i + 5]) + (centred[i + 6] + centred[i + 7]))
    for i in range(whole, count):
        total += centred[i]
    shift = total / count
    for i in range(count):
        centred[i] -= shift
    return reference + shift, square


@njit(cache=True)
def lag_products(d: Float1D, start: int, products: Float1D) -> None:
    """Write Σ_{i ≥ start} d_i d_{i-k} for k = 0 … K into ``products``, K ≤ start.

    Eight bars at a time meet all lags, which lie side by side in memory.
    """
    lags = products.shape[0] - 1
    reverse = np.zeros(lags + 1)
    i, stop = start, d.shape[0]
    while i + 8 <= stop:
        a0, a1, a2, a3 = d[i], d[i + 1], d[i + 2], d[i + 3]
        a4, a5, a6, a7 = d[i + 4], d[i + 5], d[i + 6], d[i + 7]
        w = d[i - lags :]
        for m in range(lags + 1):
            low = (a0 * w[m] + a1 * w[m + 1]) + (a2 * w[m + 2] + a3 * w[m + 3])
            reverse[m] += low + ((a4 * w[m + 4] + a5 * w[m + 5]) + (a6 * w[m + 6] + a7 * w[m + 7]))
        i += 8
    while i < stop:
        for m in range(lags + 1):
            reverse[m] += d[i] * d[i - lags + m]
        i += 1
    for k in range(lags + 1):
        products[k] = reverse[lags - k]
