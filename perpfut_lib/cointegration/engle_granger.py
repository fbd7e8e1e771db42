"""Engle and Granger's two-step test of cointegration for one pair."""

import math
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from perpfut_lib.cointegration.mackinnon import mackinnon_pvalue
from perpfut_lib.cointegration.residual_test import AIC, BIC, FIXED, residual_test
from perpfut_lib.cointegration.sums import demean, dot
from perpfut_lib.cointegration.variance_ratio import hurst_exponent
from perpfut_lib.errors import DegenerateSeriesError
from perpfut_lib.store.frames import require_one_index
from perpfut_lib.types import Float1D

Autolag = Literal["aic", "bic"] | None
CRITERIA: Final[dict[Autolag, int]] = {"aic": AIC, "bic": BIC, None: FIXED}

# Above this R² statsmodels calls two series collinear; so do we.
COLLINEAR_R2: Final = 1 - 100 * math.sqrt(np.finfo(np.float64).eps)


class EngleGranger(NamedTuple):
    """Result of the Engle-Granger test; the null hypothesis is *no cointegration*."""

    stat: float
    """t-ratio of the lagged residual; minus infinity where the series are collinear (R² > 1 - 1.5e-6)."""
    pvalue: float
    """MacKinnon's asymptotic p-value."""
    alpha: float
    """Intercept of y = alpha + beta x + e."""
    beta: float
    """Hedge ratio."""
    lag: int
    """Lagged differences in the residual regression."""
    half_life: float
    """-ln 2 / ln(1 + c) in bars, c the slope of the change of e on its last value; infinity where e does not revert."""
    hurst: float
    """Hurst exponent of e from its variance ratio over ⌊√n⌋ bars: ½ for a random walk, less where e reverts; NaN where
    the series are collinear."""


def engle_granger(
    y: npt.ArrayLike, x: npt.ArrayLike, *, maxlag: int | None = None, autolag: Autolag = "aic"
) -> EngleGranger:
    """Test whether ``y`` and ``x`` are cointegrated: OLS with a constant, then a unit-root test on its residuals.

    Parameters
    ----------
    y, x : array_like
        Log prices, (n,), without NaN. The direction matters: ``y`` is regressed on ``x``. Series of pandas must share
        their index; those of polars, and Arrow arrays, are taken by position.
    maxlag : int, optional
        Most lagged differences; by default Schwert's ⌈12 (n/100)^¼⌉, at most n//2 - 1.
    autolag : {"aic", "bic", None}
        Criterion that picks the lag on a common sample; None uses ``maxlag`` itself.

    Returns
    -------
    EngleGranger
        Statistic, p-value and lag equal ``statsmodels.tsa.stattools.coint(y, x, trend="c")`` to 1e-8.

    Raises
    ------
    IndexMismatchError
        Two pandas series have different indices: by position, values of different times would be compared.
    DegenerateSeriesError
        Lengths differ, a value is NaN or infinite, a series is constant, the sample is too short for ``maxlag``, or
        the residual regression is singular (a residual without noise).

    References
    ----------
    Engle, R.F. and Granger, C.W.J. (1987), "Co-integration and error correction", Econometrica 55, 251-276.
    """
    require_one_index(y, x)
    y, x = _aligned(y, x)
    lags = resolve_maxlag(len(y), maxlag)
    (y_centred, y_mean), (x_centred, x_mean) = _demean_checked("y", y), _demean_checked("x", x)
    products = (dot(x_centred, y_centred), dot(x_centred, x_centred), dot(y_centred, y_centred))
    stat, pvalue, beta, lag, half_life, hurst, _ = pair_test(y_centred, x_centred, products, lags, CRITERIA[autolag])
    _require_noise(stat)
    return EngleGranger(stat, pvalue, y_mean - beta * x_mean, beta, lag, half_life, hurst)


def _require_noise(stat: float) -> None:
    """Raise if the residual regression was singular."""
    if math.isnan(stat):
        found = "residuals that follow a linear recurrence without noise"
        raise DegenerateSeriesError(found, "a residual with noise", "leave this pair out")


def resolve_maxlag(count: int, maxlag: int | None) -> int:
    """Return the largest lag for a sample of ``count`` bars.

    Raises
    ------
    DegenerateSeriesError
        The regression at the largest lag would have no degree of freedom left: n < 2 maxlag + 3.
    """
    schwert = min(count // 2 - 1, math.ceil(12 * (count / 100) ** 0.25))
    lags = schwert if maxlag is None else maxlag
    if lags < 0 or count < 2 * lags + 3:
        expected = f"at least {max(2 * lags + 3, 3)} for {max(lags, 0)} lags"
        raise DegenerateSeriesError(f"{count} bars", expected, "lengthen the window or lower maxlag")
    return lags


@njit(cache=True)
def pair_test(
    y: Float1D, x: Float1D, products: tuple[float, float, float], maxlag: int, criterion: int
) -> tuple[float, float, float, int, float, float, float]:
    """Run both steps on demeaned, finite, moving series whose Σ x y, Σ x², Σ y² are ``products``.

    Returns (stat, pvalue, beta, lag, half_life, hurst, Σ e²); stat is NaN if the residual regression is singular.
    """
    across, square_x, square_y = products
    beta = across / square_x
    residual = y - beta * x
    square = dot(residual, residual)
    if not square > (1.0 - COLLINEAR_R2) * square_y:
        return -math.inf, 0.0, beta, 0, 0.0, math.nan, square
    stat, lag, half_life = residual_test(residual, maxlag, criterion)
    return stat, mackinnon_pvalue(stat), beta, lag, half_life, hurst_exponent(residual), square


def _aligned(y: npt.ArrayLike, x: npt.ArrayLike) -> tuple[Float1D, Float1D]:
    """Return both series as arrays, or raise that they are not of one length."""
    y, x = np.ascontiguousarray(y, np.float64), np.ascontiguousarray(x, np.float64)
    if y.ndim != 1 or y.shape != x.shape:
        shapes = f"shapes {y.shape} and {x.shape}"
        raise DegenerateSeriesError(shapes, "two series of one length", "align them on one grid")
    return y, x


def _demean_checked(name: str, series: Float1D) -> tuple[Float1D, float]:
    """Return the demeaned series and its mean, or raise what is wrong with it."""
    centred = np.empty_like(series)
    mean, square = demean(series, centred)
    if not math.isfinite(square):
        bad = int((~np.isfinite(series)).sum())
        raise DegenerateSeriesError(f"{bad} values of {name} that are NaN or infinite", "none", "fill or drop bars")
    if square == 0.0:
        found = f"{name} constant at {series[0]:g}"
        raise DegenerateSeriesError(found, "a series that moves", "leave this symbol out of the window")
    return centred, mean
