"""``ta`` and pandas are the oracles of the indicators after warm-up."""

import numpy as np
import pandas as pd
import pytest
from ta.momentum import RSIIndicator, StochRSIIndicator
from ta.trend import MACD

from perpfut_lib import indicators
from perpfut_lib.config import FeaturesConfig
from perpfut_lib.features import feature_spec
from perpfut_lib.features.asset import AssetQuantities, asset_dtype
from perpfut_lib.features.asset_scan import scan_asset

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
    peer = RSIIndicator(prices, window).rsi()
    assert np.abs(indicators.rsi(prices, window) - peer)[WARM:].max() < 1e-9


@pytest.mark.parametrize("window", [14, 20])
def test_stochastic_rsi(prices: pd.Series, window: int) -> None:
    """H0: the stochastic RSI is that of ``ta`` wherever the RSI has moved in its window."""
    peer = StochRSIIndicator(prices, window).stochrsi()[WARM:]
    ours = pd.Series(indicators.stochastic_rsi(prices, window))[WARM:]
    moved = peer.notna() & (RSIIndicator(prices, window).rsi().rolling(window).std() > 1e-6)[WARM:]
    assert moved.mean() > 0.9
    assert np.abs(ours - peer)[moved].max() < 1e-9


@pytest.mark.parametrize(("fast", "slow"), [(12, 26), (5, 14)])
def test_macd(prices: pd.Series, fast: int, slow: int) -> None:
    """H0: line and histogram are those of ``ta``."""
    peer = MACD(prices, slow, fast, 9)
    ours = indicators.macd(prices, fast, slow, 9)[WARM:]
    assert np.abs(ours[:, 0] - peer.macd()[WARM:]).max() < 1e-9
    assert np.abs(ours[:, 1] - peer.macd_diff()[WARM:]).max() < 1e-9


def test_ewma_volatility(prices: pd.Series) -> None:
    """H0: the RiskMetrics volatility is pandas' exponential mean of squared log returns."""
    squares = np.log(prices).diff() ** 2
    peer = np.sqrt(squares.ewm(alpha=0.06, adjust=False).mean())
    assert np.abs(indicators.ewma_volatility(prices, 0.94) - peer)[WARM:].max() < 1e-15


def test_the_features_recursion_says_the_same(prices: pd.Series) -> None:
    """H0: what the scan of the features says of a symbol are the indicators of ``ta`` and pandas."""
    windows = feature_spec(FeaturesConfig()).indicators
    bars = np.column_stack([prices] * 4 + [np.ones(len(prices))] + [np.full(len(prices), 60.0)] * 3)
    said = np.empty((len(bars), len(AssetQuantities._fields)))
    scan_asset(windows, indicators.blank(asset_dtype(windows)), bars, np.ones(len(bars), bool), said)
    ours = AssetQuantities(*said[WARM:].T)
    vol = np.sqrt((np.log(prices).diff() ** 2).ewm(alpha=1 - windows.decay, adjust=False).mean())
    spans = (windows.macd_slow, windows.macd_fast, windows.macd_signal)
    moved = (RSIIndicator(prices, windows.rsi).rsi().rolling(windows.rsi).std() > 1e-6)[WARM:].to_numpy()
    peers = {
        "rsi": RSIIndicator(prices, windows.rsi).rsi(),
        "macd_fraction": MACD(prices, *spans).macd() / prices,
        "macd": MACD(prices, *spans).macd_diff() / prices / vol,
        "mean": prices.rolling(windows.mean).mean(),
        "return_60": np.log(prices).diff(60) / vol / np.sqrt(60),
        "volatility": vol,
        "up_share": np.sign(prices.diff()).rolling(10).mean(),
    }
    for name, peer in peers.items():
        assert np.abs(getattr(ours, name) - peer.to_numpy()[WARM:])[vol[WARM:] > 1e-5].max() < 1e-9, name
    stochastic = StochRSIIndicator(prices, windows.rsi).stochrsi().to_numpy()[WARM:]
    assert np.abs(ours.stochastic_rsi - stochastic)[moved].max() < 1e-9


def test_a_price_that_never_moved_is_neutral() -> None:
    """Without a single move there is no strength: RSI 50, stochastic ½, MACD and volatility 0."""
    flat = np.full(50, 7.0)
    assert (indicators.rsi(flat) == 50.0).all()
    assert (indicators.stochastic_rsi(flat) == 0.5).all()
    assert (indicators.macd(flat) == 0.0).all()
    assert (indicators.ewma_volatility(flat) == 0.0).all()


def test_moving_mean(prices: pd.Series) -> None:
    """H0: the moving mean is pandas' rolling mean, without drift over thousands of bars."""
    state = indicators.blank(indicators.mean_dtype(20))
    ours = []
    for t, price in enumerate(prices):
        indicators.mean_step(state, price, t == 0)
        ours.append(indicators.moving_mean(state))
    assert np.abs(np.array(ours) - prices.rolling(20).mean())[WARM:].max() < 1e-11


def test_window_holds_the_last_values() -> None:
    """A window returns the value any number of pushes ago, and its range."""
    values = np.random.default_rng(0).standard_normal(100)
    window = indicators.blank(indicators.window_dtype(8))
    for t, value in enumerate(values):
        indicators.push(window, value, t == 0)
    assert [indicators.lagged(window, lag) for lag in range(8)] == values[:-9:-1].tolist()
    assert indicators.window_range(window) == (values[-8:].min(), values[-8:].max())
