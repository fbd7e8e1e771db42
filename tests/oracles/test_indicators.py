"""``ta`` and pandas are the oracles of the indicators after warm-up."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from ta.momentum import RSIIndicator, StochRSIIndicator
from ta.trend import MACD

from perpfut_lib import indicators
from perpfut_lib.config import FeaturesConfig
from perpfut_lib.features import feature_spec
from perpfut_lib.features.asset import AssetQuantities, Indicators, asset_dtype
from perpfut_lib.features.asset_scan import scan_asset
from perpfut_lib.types import Float1D, Float2D
from tests.oracles.conditioning import EPS, assert_agrees

WARM = 1500


@pytest.fixture
def prices() -> pd.Series:
    """Return 5,000 bars with a flat stretch of 74 bars, as after an outage."""
    steps = np.random.default_rng(4).standard_normal(5000)
    steps[2000:2074] = 0.0
    return pd.Series(100 * np.exp(1e-3 * steps.cumsum()))


@pytest.mark.parametrize("window", [14, 20])
def test_rsi(prices: pd.Series, window: int) -> None:
    """H0: the RSI is that of ``ta`` (Wilder's averages)."""
    assert_agrees(
        indicators.rsi(prices, window)[WARM:], lambda p: RSIIndicator(pd.Series(p), window).rsi()[WARM:], prices
    )


@pytest.mark.parametrize("window", [14, 20])
def test_stochastic_rsi(prices: pd.Series, window: int) -> None:
    """H0: the stochastic RSI is that of ``ta`` wherever the RSI has moved in its window."""
    peer = StochRSIIndicator(prices, window).stochrsi()[WARM:]
    ours = pd.Series(indicators.stochastic_rsi(prices, window))[WARM:]
    moved = peer.notna() & (RSIIndicator(prices, window).rsi().rolling(window).std() > 1e-6)[WARM:]
    assert moved.mean() > 0.9
    assert_agrees(ours[moved], lambda p: StochRSIIndicator(pd.Series(p), window).stochrsi()[WARM:][moved], prices)


@pytest.mark.parametrize(("fast", "slow"), [(12, 26), (5, 14)])
def test_macd(prices: pd.Series, fast: int, slow: int) -> None:
    """H0: line and histogram are those of ``ta``."""

    def peer(prices: Float1D) -> Float2D:
        said = MACD(pd.Series(prices), slow, fast, 9)
        return np.column_stack([said.macd(), said.macd_diff()])[WARM:]

    assert_agrees(indicators.macd(prices, fast, slow, 9)[WARM:], peer, prices)


def test_ewma_volatility(prices: pd.Series) -> None:
    """H0: the RiskMetrics volatility is pandas' exponential mean of squared log returns."""

    def peer(prices: Float1D) -> pd.Series:
        squares = np.log(pd.Series(prices)).diff() ** 2
        return np.sqrt(squares.ewm(alpha=0.06, adjust=False).mean())[WARM:]

    assert_agrees(indicators.ewma_volatility(prices, 0.94)[WARM:], peer, prices)


def test_the_features_recursion_says_the_same(prices: pd.Series) -> None:
    """H0: what the scan of the features says of a symbol are the indicators of ``ta`` and pandas."""
    windows = feature_spec(FeaturesConfig()).indicators
    bars = np.column_stack([prices] * 4 + [np.ones(len(prices))] + [np.full(len(prices), 60.0)] * 3)
    said = np.empty((len(bars), len(AssetQuantities._fields)))
    scan_asset(windows, indicators.blank(asset_dtype(windows)), bars, np.ones(len(bars), bool), said)
    ours = AssetQuantities(*said[WARM:].T)
    names = "rsi macd_fraction macd mean return_60 volatility".split()
    moved = (RSIIndicator(prices, windows.rsi).rsi().rolling(windows.rsi).std() > 1e-6)[WARM:].to_numpy()
    lively = ours.volatility > 1e-5

    def peer(prices: Float1D) -> Float2D:
        return np.column_stack([values[WARM:] for values in _peers(pd.Series(prices), windows)])[lively]

    assert_agrees(np.column_stack([getattr(ours, name) for name in names])[lively], peer, prices)
    moves = np.sign(prices.diff()).rolling(10).mean().to_numpy()[WARM:]  # whole numbers over ten: no condition but one
    assert np.abs(ours.up_share - moves).max() <= EPS
    assert_agrees(
        ours.stochastic_rsi[moved],
        lambda p: StochRSIIndicator(pd.Series(p), windows.rsi).stochrsi()[WARM:][moved],
        prices,
    )


def _peers(prices: pd.Series, windows: Indicators) -> list[pd.Series]:
    """Return the quantities of the test above by ``ta`` and pandas."""
    vol = np.sqrt((np.log(prices).diff() ** 2).ewm(alpha=1 - windows.decay, adjust=False).mean())
    line = MACD(prices, windows.macd_slow, windows.macd_fast, windows.macd_signal)
    return [
        RSIIndicator(prices, windows.rsi).rsi(),
        line.macd() / prices,
        line.macd_diff() / prices / vol,
        prices.rolling(windows.mean).mean(),
        np.log(prices).diff(60) / vol / np.sqrt(60),
        vol,
    ]


def test_a_price_that_never_moved_is_neutral() -> None:
    """Without a single move there is no strength: RSI 50, stochastic ½, MACD and volatility 0."""
    flat = np.full(50, 7.0)
    assert (indicators.rsi(flat) == 50.0).all()
    assert (indicators.stochastic_rsi(flat) == 0.5).all()
    assert (indicators.macd(flat) == 0.0).all()
    assert (indicators.ewma_volatility(flat) == 0.0).all()


def test_moving_mean(prices: pd.Series) -> None:
    """H0: the moving mean is the exact mean but for the rounding of its sums, without drift over thousands of bars."""
    state = indicators.blank(indicators.mean_dtype(20))
    ours = []
    for t, price in enumerate(prices):
        indicators.mean_step(state, price, t == 0)
        ours.append(indicators.moving_mean(state))
    # pandas carries a running sum, so that its own error grows with the bars; the exact mean is Fraction's.
    exact = [float(sum(map(Fraction, prices[t - 19 : t + 1])) / 20) for t in range(WARM, len(prices), 50)]
    additions = 20 + 2 * 20  # a fresh sum, and what each bar of a window adds and takes away, half an ulp each
    assert np.abs(np.array(ours[WARM::50]) - exact).max() <= additions * np.spacing(20 * prices.max()) / 2 / 20


def test_window_holds_the_last_values() -> None:
    """A window returns the value any number of pushes ago, and its range."""
    values = np.random.default_rng(0).standard_normal(100)
    window = indicators.blank(indicators.window_dtype(8))
    for t, value in enumerate(values):
        indicators.push(window, value, t == 0)
    assert [indicators.lagged(window, lag) for lag in range(8)] == values[:-9:-1].tolist()
    assert indicators.window_range(window) == (values[-8:].min(), values[-8:].max())
