"""What one symbol's bars say: a recursion over its candles and funding, from the panel's first bar on."""

import math
from typing import Final, NamedTuple

import numpy as np
from numba import njit

from perpfut_lib.indicators import (
    MacdState,
    RsiState,
    Window,
    average_step,
    empty_macd,
    empty_rsi,
    empty_window,
    lagged,
    macd_step,
    push,
    rsi_step,
    window_mean,
    window_position,
)
from perpfut_lib.types import Float1D, Float2D

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
    kalman_memory: float
    """Bars over which the dynamic hedge ratio forgets."""


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


class AssetState(NamedTuple):
    """What the recursion remembers of one symbol."""

    bars: Float1D
    """Bars seen, (1,)."""
    logs: Window
    """Log closes, LONGEST_RETURN + 1."""
    closes: Window
    """Closes, for the moving average."""
    rsi: RsiState
    rsi_recent: Window
    macd: MacdState
    variance: Float1D
    """EWMA variance of log returns, (1,)."""
    volume: Float1D
    """EWMA volume, (1,)."""


class AssetQuantities(NamedTuple):
    """What is computed of one symbol at each bar; σ is its EWMA volatility, and h-bar moves are per σ√h."""

    log_close: float
    log_mean: float
    return_1: float
    return_5: float
    return_15: float
    return_60: float
    return_240: float
    rsi: float
    stochastic_rsi: float
    macd_line: float
    macd: float
    bias_fraction: float
    bias: float
    volatility: float
    up_share: float
    upper_fraction: float
    lower_fraction: float
    upper_shadow: float
    lower_shadow: float
    volume: float
    funding_bps: float
    settlement_minutes: float
    settlement_share: float
    daily_funding_bps: float


NOTHING: Final = AssetQuantities(*[math.nan] * len(AssetQuantities._fields))


def empty_asset(indicators: Indicators) -> AssetState:
    """Return the state of a symbol before its first bar."""
    return AssetState(
        np.zeros(1),
        empty_window(LONGEST_RETURN + 1),
        empty_window(indicators.mean),
        empty_rsi(),
        empty_window(indicators.rsi),
        empty_macd(),
        np.zeros(1),
        np.zeros(1),
    )


@njit(cache=True)
def asset_step(indicators: Indicators, state: AssetState, bar: AssetBar) -> AssetQuantities:
    """Advance ``state`` in place by one bar and return what it says.

    A bar without a price (close NaN: not listed yet, or delisted) leaves the state as it was and says NaN.
    """
    if math.isnan(bar.close):
        return NOTHING
    first = state.bars[0] == 0.0
    state.bars[0] += 1.0
    log_close = math.log(bar.close)
    push(state.logs, log_close, first)
    push(state.closes, bar.close, first)
    change = log_close - lagged(state.logs, 1)
    variance = average_step(state.variance, change * change, 1.0 - indicators.decay, first)
    volatility = max(math.sqrt(variance), LEAST_VOLATILITY)
    strength = rsi_step(state.rsi, bar.close, indicators.rsi, first)
    push(state.rsi_recent, strength, first)
    spans = (indicators.macd_fast, indicators.macd_slow, indicators.macd_signal)
    line, histogram = macd_step(state.macd, bar.close, spans, first)
    mean = window_mean(state.closes, indicators.mean)
    bias = bar.close / mean - 1.0
    usual_volume = average_step(state.volume, bar.volume, 1.0 - indicators.volume_decay, first)
    upper = (bar.high - max(bar.open, bar.close)) / bar.close
    lower = (min(bar.open, bar.close) - bar.low) / bar.close
    daily = MINUTES_A_DAY / bar.settlement_interval
    return AssetQuantities(
        log_close, math.log(mean), change / volatility,
        _scaled_return(state.logs, 5, volatility), _scaled_return(state.logs, 15, volatility),
        _scaled_return(state.logs, 60, volatility), _scaled_return(state.logs, LONGEST_RETURN, volatility),
        strength, window_position(state.rsi_recent),
        line / bar.close, histogram / bar.close / volatility,
        bias, bias / (volatility * math.sqrt(indicators.mean)), volatility, _up_share(state.logs),
        upper, lower, upper / volatility, lower / volatility,
        bar.volume / usual_volume if usual_volume > 0.0 else 0.0,
        1e4 * bar.funding_rate, bar.settlement_minutes, bar.settlement_minutes / bar.settlement_interval,
        1e4 * bar.funding_rate * daily,
    )  # fmt: skip


@njit(cache=True)
def scan_asset(indicators: Indicators, state: AssetState, bars: Float2D, quantities: Float2D) -> None:
    """Step through ``bars`` (T, fields of AssetBar) and write (T, fields of AssetQuantities)."""
    for t in range(bars.shape[0]):
        bar = AssetBar(bars[t, 0], bars[t, 1], bars[t, 2], bars[t, 3], bars[t, 4], bars[t, 5], bars[t, 6], bars[t, 7])
        said = asset_step(indicators, state, bar)
        for k in range(quantities.shape[1]):
            quantities[t, k] = said[k]


@njit(cache=True)
def _scaled_return(logs: Window, bars: int, volatility: float) -> float:
    """Return the log return over ``bars`` bars in units of σ√bars."""
    return (lagged(logs, 0) - lagged(logs, bars)) / (volatility * math.sqrt(bars))


@njit(cache=True)
def _up_share(logs: Window) -> float:
    """Return rises less falls among the last MOVES moves, as a share of them."""
    balance = 0.0
    for lag in range(MOVES):
        change = lagged(logs, lag) - lagged(logs, lag + 1)
        balance += 1.0 if change > 0.0 else (-1.0 if change < 0.0 else 0.0)
    return balance / MOVES
