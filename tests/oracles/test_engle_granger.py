"""statsmodels' ``coint`` is the oracle of ``engle_granger``: statistic, p-value and lag within 1e-8."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from arch.unitroot import VarianceRatio
from statsmodels.regression.linear_model import OLS
from statsmodels.tools import add_constant
from statsmodels.tsa.stattools import adfuller, coint

from perpfut_lib.cointegration import engle_granger
from perpfut_lib.cointegration.engle_granger import Autolag
from perpfut_lib.cointegration.variance_ratio import hurst_exponent, variance_ratio
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


def _assert_equals_statsmodels(
    y: Float1D, x: Float1D, autolag: Autolag, maxlag: int | None = None, levels: tuple[float, float] = (0.0, 0.0)
) -> None:
    ours = engle_granger(y, x, autolag=autolag, maxlag=maxlag)
    y, x = y - levels[0], x - levels[1]
    stat, pvalue = coint(y, x, autolag=autolag, maxlag=maxlag)[:2]
    fit = OLS(y, add_constant(x)).fit()
    lag = adfuller(fit.resid, autolag=autolag, maxlag=maxlag, regression="n", result_object=False)[2]
    assert ours.lag == lag
    assert ours.stat == pytest.approx(stat, abs=1e-8, rel=1e-8)
    assert ours.pvalue == pytest.approx(pvalue, abs=1e-8)
    alpha, beta = fit.params
    assert ours.alpha == pytest.approx(alpha + levels[0] - beta * levels[1], rel=1e-8, abs=1e-8)
    assert ours.beta == pytest.approx(beta, rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("autolag", ["aic", "bic", None])
@pytest.mark.parametrize("case", CASES)
def test_equals_statsmodels_in_both_directions(case: str, autolag: Autolag) -> None:
    """H0: lag search and residual test are those of statsmodels, on easy and on ill-conditioned pairs, both ways."""
    y, x = CASES[case](0)
    _assert_equals_statsmodels(y, x, autolag)
    _assert_equals_statsmodels(x, y, autolag)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("case", CASES)
def test_equals_statsmodels_on_other_draws(case: str, seed: int) -> None:
    """H0: so it is with other random numbers."""
    _assert_equals_statsmodels(*CASES[case](seed), "aic")


@pytest.mark.parametrize(("autolag", "maxlag"), [(None, 0), (None, 3), ("aic", 5), ("bic", 5)])
@pytest.mark.parametrize("case", ["random-walks", "white-spread", "smooth-spread"])
def test_equals_statsmodels_with_a_given_largest_lag(case: str, autolag: Autolag, maxlag: int | None) -> None:
    """H0: a largest lag that is given is searched up to, or used, as statsmodels does."""
    _assert_equals_statsmodels(*CASES[case](11), autolag, maxlag)


@pytest.mark.parametrize("autolag", ["aic", "bic", None])
@pytest.mark.parametrize(("first", "second"), [("BTCUSDT", "ETHUSDT"), ("SOLUSDT", "XRPUSDT")])
def test_equals_statsmodels_on_recorded_prices(first: str, second: str, autolag: Autolag, shared_data: Path) -> None:
    """H0: the same on recorded minute closes, both ways: three days, one day, and the fewest bars that the lags need.

    statsmodels is given the last ones less their level: at a log price of 11 that moves by 1e-4 its regression loses
    the digits that are compared (by 3e-8, against exact arithmetic; ours does not).
    """
    path = shared_data / "market" / "binance_usdm_1m_2025-05-04_2025-06-24.parquet"
    chosen = [("symbol", "in", [first, second])]
    candles = pd.read_parquet(path, columns=["symbol", "open_time", "close"], filters=chosen)
    closes = candles.astype({"symbol": str}).pivot(index="open_time", columns="symbol", values="close").dropna()
    y, x = np.log(closes[first].to_numpy()), np.log(closes[second].to_numpy())
    for start, count in ((20_000, 4320), (5_000, 1440), (30_000, 23)):
        pair = y[start : start + count], x[start : start + count]
        levels = (0.0, 0.0) if count > 100 else (pair[0][0], pair[1][0])
        _assert_equals_statsmodels(*pair, autolag, levels=levels)
        _assert_equals_statsmodels(*pair[::-1], autolag, levels=levels[::-1])


def test_half_life_is_that_of_the_planted_spread() -> None:
    """An AR(1) spread of persistence ρ has half-life -ln 2 / ln ρ."""
    y, x = _spread_pair(60_000, 0.98, 5)
    assert engle_granger(y, x).half_life == pytest.approx(-math.log(2) / math.log(0.98), rel=0.1)


@pytest.mark.parametrize("horizon", [2, 7, 60])
def test_variance_ratio_is_that_of_arch(horizon: int) -> None:
    """H0: the variance ratio is that of ``arch`` with overlapping changes, no drift and no correction of bias."""
    walk = np.random.default_rng(horizon).standard_normal(3000).cumsum()
    peer = VarianceRatio(walk, horizon, trend="n", debiased=False, overlap=True)
    assert variance_ratio(walk, horizon) == pytest.approx(peer.vr, abs=1e-12)


def test_hurst_exponent_is_that_of_the_residual() -> None:
    """The result's Hurst exponent follows from ``arch``'s variance ratio of the residual over ⌊√n⌋ bars."""
    y, x = CASES["cointegrated"](4)
    result = engle_granger(y, x)
    ratio = VarianceRatio(y - result.alpha - result.beta * x, 65, trend="n", debiased=False).vr
    assert result.hurst == pytest.approx(0.5 + math.log(ratio) / (2 * math.log(65)), abs=1e-10)


def test_hurst_exponent_tells_walks_from_reversion_and_trend() -> None:
    """A random walk has ½, white noise close to 0, a cumulated walk close to 1; a series that never moves has none."""
    noise = np.random.default_rng(0).standard_normal(20_000)
    walk = noise.cumsum()
    assert hurst_exponent(walk) == pytest.approx(0.5, abs=0.03)
    assert hurst_exponent(noise) == pytest.approx(0.0, abs=0.03)
    assert hurst_exponent(walk.cumsum()) == pytest.approx(1.0, abs=0.03)
    assert math.isnan(hurst_exponent(np.ones(10)))


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
