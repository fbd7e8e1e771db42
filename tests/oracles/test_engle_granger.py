"""statsmodels' ``coint`` is the oracle of ``engle_granger``: statistic, p-value and lag within 1e-8."""

import math

import numpy as np
import pytest
from statsmodels.regression.linear_model import OLS
from statsmodels.tools import add_constant
from statsmodels.tsa.stattools import adfuller, coint

from perpfut_lib.cointegration import engle_granger
from perpfut_lib.cointegration.engle_granger import Autolag
from perpfut_lib.errors import DegenerateSeriesError
from perpfut_lib.types import Float1D

Pair = tuple[Float1D, Float1D]


def _spread_pair(count: int, persistence: float, seed: int, noise: float = 1.0) -> Pair:
    """Return y = 0.3 + 1.4 x + s with s an AR(1) of the given persistence and x a random walk."""
    rng = np.random.default_rng(seed)
    x = 5.0 + 0.01 * rng.standard_normal(count).cumsum()
    shocks, spread = noise * 0.005 * rng.standard_normal(count), np.zeros(count)
    for t in range(1, count):
        spread[t] = persistence * spread[t - 1] + shocks[t]
    return 0.3 + 1.4 * x + spread, x


def _smooth_pair(count: int, seed: int) -> Pair:
    """Return a pair whose spread is smooth, so that its lagged changes are close to collinear."""
    y, x = _spread_pair(count, 0.9, seed)
    kernel = np.hanning(15)
    return 2.0 * x + np.convolve(y - 1.4 * x, kernel / kernel.sum(), mode="same"), x


CASES = {
    "random-walks": lambda seed: _spread_pair(1440, 1.0, seed),
    "near-unit-root": lambda seed: _spread_pair(1440, 0.9999, seed),
    "cointegrated": lambda seed: _spread_pair(4320, 0.98, seed),
    "white-spread": lambda seed: _spread_pair(720, 0.0, seed),
    "alternating-spread": lambda seed: _spread_pair(720, -0.7, seed),
    "nearly-collinear": lambda seed: _spread_pair(1440, 0.95, seed, noise=0.03),
    "smooth-spread": lambda seed: _smooth_pair(1440, seed),
    "short-22": lambda seed: _spread_pair(22, 0.5, seed),
    "short-60": lambda seed: _spread_pair(60, 0.9, seed),
}


def _assert_equals_statsmodels(y: Float1D, x: Float1D, autolag: Autolag, maxlag: int | None = None) -> None:
    ours = engle_granger(y, x, autolag=autolag, maxlag=maxlag)
    stat, pvalue = coint(y, x, autolag=autolag, maxlag=maxlag)[:2]
    fit = OLS(y, add_constant(x)).fit()
    lag = adfuller(fit.resid, autolag=autolag, maxlag=maxlag, regression="n", result_object=False)[2]
    assert ours.lag == lag
    assert ours.stat == pytest.approx(stat, abs=1e-8, rel=1e-8)
    assert ours.pvalue == pytest.approx(pvalue, abs=1e-8)
    assert (ours.alpha, ours.beta) == pytest.approx(tuple(fit.params), rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("case", CASES)
def test_equals_statsmodels_with_aic(case: str, seed: int) -> None:
    """H0: our AIC lag search and residual test are those of statsmodels, on easy and on ill-conditioned pairs."""
    _assert_equals_statsmodels(*CASES[case](seed), "aic")


@pytest.mark.parametrize(("autolag", "maxlag"), [("bic", None), (None, None), (None, 0), (None, 3), ("aic", 5)])
@pytest.mark.parametrize("case", ["random-walks", "white-spread", "smooth-spread"])
def test_equals_statsmodels_with_other_lag_rules(case: str, autolag: Autolag, maxlag: int | None) -> None:
    """H0: BIC, fixed lags and a given largest lag choose and compute what statsmodels does."""
    _assert_equals_statsmodels(*CASES[case](11), autolag, maxlag)


def test_half_life_is_that_of_the_planted_spread() -> None:
    """An AR(1) spread of persistence ρ has half-life -ln 2 / ln ρ."""
    y, x = _spread_pair(60_000, 0.98, 5)
    assert engle_granger(y, x).half_life == pytest.approx(-math.log(2) / math.log(0.98), rel=0.1)


@pytest.mark.filterwarnings("ignore::statsmodels.tools.sm_exceptions.CollinearityWarning")
def test_collinear_series_give_minus_infinity_as_in_statsmodels() -> None:
    """Perfectly collinear series: statistic minus infinity and p-value 0, the documented answer of both."""
    x = np.random.default_rng(0).standard_normal(300).cumsum()
    ours, (stat, pvalue) = engle_granger(2.0 * x + 1.0, x), coint(2.0 * x + 1.0, x)[:2]
    assert ours.stat == stat == -math.inf
    assert ours.pvalue == pvalue == 0.0
    assert ours.beta == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("y", "x", "found"),
    [
        (np.ones(100), np.arange(100.0), "y constant"),
        (np.arange(100.0), np.full(100, 3.0), "x constant"),
        (np.r_[np.nan, np.arange(99.0)], np.arange(100.0), "1 values of y"),
        (np.arange(100.0), np.r_[np.inf, np.arange(99.0)], "1 values of x"),
        (np.r_[np.inf, -np.inf, np.arange(98.0)], np.arange(100.0), "2 values of y"),
        (np.arange(20.0) ** 2, np.arange(20.0), "20 bars"),
        (np.arange(10.0), np.arange(9.0), "shapes"),
        (np.empty(0), np.empty(0), "0 bars"),
        (np.sin(np.arange(300.0)), np.arange(300.0), "linear recurrence"),
    ],
)
def test_degenerate_input_is_a_named_error(y: Float1D, x: Float1D, found: str) -> None:
    """Constant, NaN, infinite, too short, unequal or noiseless series raise an error that says what was found."""
    with pytest.raises(DegenerateSeriesError, match=found):
        engle_granger(y, x)
