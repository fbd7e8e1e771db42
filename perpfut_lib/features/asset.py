"""What one symbol's bars say: what is remembered of them, what is said, and the windows of the indicators."""

import math
from typing import Final, NamedTuple, Protocol

import numpy as np
from numba import njit

from perpfut_lib.indicators import MACD, RSI, Macd, MovingMean, Rsi, Window, mean_dtype, window_dtype

LONGEST_RETURN: Final = 240
MOVES: Final = 10
# A hundredth of a basis point a bar: what divides by volatility stays finite after an hour without a trade.
LEAST_VOLATILITY: Final = 1e-6
MINUTES_A_DAY: Final = 1440.0


class Indicators(NamedTuple):
    """Windows of the indicators, in bars."""

    rsi: int
    """Wilder's window; also that of the stochastic RSI."""
    macd_fast: int
    macd_slow: int
    macd_signal: int
    mean: int
    """Moving average of the close and of the spread."""
    decay: float
    """Weight of the past in volatilities, per bar."""
    volume_decay: float
    """Weight of the past in the average volume, per bar."""
    level_noise: float
    """Variance per bar of the random walk of the spread's level, in variances of the formation spread."""
    hedge_noise: float
    """The same of the hedge ratio's, with the second leg in its standard deviations."""
    cross_noise: float
    """Their covariance."""
    observation_noise: float
    """Variance of the noise that the spread is observed with, in variances of the formation spread."""


class AssetBar(NamedTuple):
    """One closed bar of one symbol and the funding known at its close."""

    open: float
    high: float
    low: float
    close: float
    volume: float
    """Base units."""
    funding_rate: float
    """Last settled rate, a fraction."""
    settlement_minutes: float
    """Minutes from the close to the next settlement."""
    settlement_interval: float
    """Minutes between settlements."""


class AssetState(Protocol):
    """What the recursion remembers of one symbol; a record of :func:`asset_dtype`."""

    bars: float
    """Bars seen."""
    logs: Window
    """Log closes, LONGEST_RETURN + 1."""
    closes: MovingMean
    rsi: Rsi
    rsi_recent: Window
    macd: Macd
    variance: float
    """EWMA variance of log returns."""
    volume: float
    """EWMA volume."""
    balance: float
    """Rises less falls among the last MOVES moves."""


class AssetQuantities(NamedTuple):
    """What is said of one symbol at each bar; vol is its EWMA volatility, and moves over h bars are per vol √h."""

    log_close: float
    mean: float
    return_1: float
    return_5: float
    return_15: float
    return_60: float
    return_240: float
    rsi: float
    stochastic_rsi: float
    macd_fraction: float
    macd: float
    bias_fraction: float
    bias: float
    volatility: float
    up_share: float
    upper_shadow: float
    lower_shadow: float
    volume: float
    funding_bps: float
    settlement_minutes: float
    settlement_share: float
    daily_funding_bps: float


def asset_dtype(indicators: Indicators) -> np.dtype[np.void]:
    """Return the record of an :class:`AssetState`."""
    return np.dtype(
        [
            ("bars", np.float64),
            ("logs", window_dtype(LONGEST_RETURN + 1)),
            ("closes", mean_dtype(indicators.mean)),
            ("rsi", RSI),
            ("rsi_recent", window_dtype(indicators.rsi)),
            ("macd", MACD),
            ("variance", np.float64),
            ("volume", np.float64),
            ("balance", np.float64),
        ]
    )


@njit(cache=True)
def log_price(price: float) -> float:
    """Return the natural logarithm, by the one routine that every path to a feature uses."""
    return math.log(price)
