"""The original study's 32 features, as its published notebooks compute them, faults included.

Prices are logarithms, and percentage changes are taken of these logarithms; every indicator starts anew at midnight
UTC; what is not defined yet is zero; the "Kalman" mean is a moving average. The order is alphabetical within three
blocks: the pair, the first leg, the second leg.
"""

from typing import Final, NamedTuple

import numpy as np
import pandas as pd
import ta

from perpfut_lib.types import Float1D, Float2D

PAIR: Final = ("alpha", "beta", "corr", "pval", "spreadNorm", "spreadNormKalman", "spreadNormMa", "spreadNormVol")
LEG: Final = (
    "close",
    "closeBias",
    "closeEwmaVol",
    "closeKalman",
    "closeLowerShadow",
    "closeMacd",
    "closeRsi",
    "closeSigns",
    "closeStochRsi",
    "closeUpperShadow",
    "funding",
    "fundingMinutesLeft",
)
WIDTH: Final = len(PAIR) + 2 * len(LEG)
MEAN_BARS: Final = 20
SIGN_BARS: Final = 10
DECAY: Final = 0.94


class Relation(NamedTuple):
    """What the formation window says about a pair; the mean and standard deviation are those of its spread."""

    alpha: float
    beta: float
    correlation: float
    pvalue: float
    spread_mean: float
    spread_std: float


def pair_features(close_y: Float1D, close_x: Float1D, relation: Relation) -> Float2D:
    """Return the eight features of a pair over one day of closes (T,), as (T, 8)."""
    spread = np.log(close_y) - (relation.alpha + relation.beta * np.log(close_x))
    z = pd.Series((spread - relation.spread_mean) / relation.spread_std)
    mean = z.rolling(MEAN_BARS, min_periods=1).mean()
    constants = [np.full(len(z), value) for value in relation[:4]]
    return _filled([*constants, z, mean, mean, _ewma_volatility(z)])


def leg_features(close: Float1D, funding: Float1D, minutes_left: Float1D) -> Float2D:
    """Return the twelve features of one leg over one day.

    Parameters
    ----------
    close : ndarray, (T,)
        Closes of the day's bars, the first one at midnight UTC.
    funding, minutes_left : ndarray, (T,)
        Last settled rate, fraction, and whole minutes to the next settlement, both at the bar's open; NaN for none.

    Returns
    -------
    ndarray, (T, 12)
        In the order of :data:`LEG`; zero where a feature is not defined yet.
    """
    prices = pd.Series(np.log(close))
    mean = prices.rolling(MEAN_BARS, min_periods=1).mean()
    rsi = ta.momentum.RSIIndicator(prices, window=20).rsi()
    low, high = rsi.rolling(20, min_periods=1).min(), rsi.rolling(20, min_periods=1).max()
    columns = [
        prices,
        prices - mean,
        _ewma_volatility(prices),
        mean,
        prices.rolling(2).max() - prices,
        ta.trend.MACD(prices, window_slow=14, window_fast=5).macd(),
        rsi,
        _rising_share(prices),
        (rsi - low) / (high - low + 1e-12),
        prices - prices.rolling(2).min(),
        funding,
        minutes_left,
    ]
    return _filled(columns)


def _ewma_volatility(series: "pd.Series[float]") -> "pd.Series[float]":
    """Return the exponentially weighted standard deviation of percentage changes; not defined for two bars."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return series.pct_change().iloc[1:].ewm(alpha=1.0 - DECAY).std().reindex(series.index)


def _rising_share(prices: "pd.Series[float]") -> "pd.Series[float]":
    """Return the share of rises among the last ten changes; the first bar's missing change counts as no rise."""
    rises = (prices.pct_change() > 0.0).astype(np.float64)
    bars = np.minimum(np.arange(len(prices)) + 1, SIGN_BARS)
    share = rises.rolling(SIGN_BARS, min_periods=1).sum() / bars
    share.iloc[0] = np.nan
    return share


def _filled(columns: "list[Float1D | pd.Series[float]]") -> Float2D:
    return np.nan_to_num(np.column_stack([np.asarray(column, np.float64) for column in columns]), nan=0.0)
