"""What one symbol's bars say: a recursion over its candles and funding, from the panel's first bar on."""

import math
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numba import njit

from perpfut_lib.indicators import (
    MACD,
    RSI,
    Macd,
    MovingMean,
    Rsi,
    Window,
    averaged,
    lagged,
    macd_step,
    macd_values,
    mean_dtype,
    mean_step,
    moving_mean,
    push,
    rsi_step,
    window_dtype,
    window_position,
)
from perpfut_lib.types import Bool1D, Float1D, Float2D

LONGEST_RETURN: Final = 240
MOVES: Final = 10
# A hundredth of a basis point a bar: what divides by volatility stays finite after an hour without a trade.
LEAST_VOLATILITY: Final = 1e-6
MINUTES_A_DAY: Final = 1440.0
ROOT_5: Final = 5**-0.5
ROOT_15: Final = 15**-0.5
ROOT_60: Final = 60**-0.5
ROOT_240: Final = 240**-0.5


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


NOTHING: Final = AssetQuantities(*[math.nan] * len(AssetQuantities._fields))


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


@njit(cache=True, error_model="numpy")
def advance_asset(indicators: Indicators, state: AssetState, bar: AssetBar) -> None:
    """Advance ``state`` in place by one bar.

    A bar without a price (close NaN: not listed yet, or delisted) leaves the state as it was.
    """
    if math.isnan(bar.close):
        return
    first = state.bars == 0.0
    state.bars += 1.0
    log_close = log_price(bar.close)
    change = 0.0 if first else log_close - lagged(state.logs, 0)
    leaving = 0.0 if first else lagged(state.logs, MOVES - 1) - lagged(state.logs, MOVES)
    push(state.logs, log_close, first)
    state.balance += _sign(change) - _sign(leaving)
    state.variance = averaged(state.variance, change * change, 1.0 - indicators.decay, first)
    push(state.rsi_recent, rsi_step(state.rsi, bar.close, indicators.rsi, first), first)
    macd_step(state.macd, bar.close, (indicators.macd_fast, indicators.macd_slow, indicators.macd_signal), first)
    mean_step(state.closes, bar.close, first)
    state.volume = averaged(state.volume, bar.volume, 1.0 - indicators.volume_decay, first)


@njit(cache=True, error_model="numpy")
def describe_asset(indicators: Indicators, state: AssetState, bar: AssetBar) -> AssetQuantities:
    """Return what is said after ``bar``, by which ``state`` has been advanced; NaN where the bar has no price."""
    if math.isnan(bar.close):
        return NOTHING
    volatility = max(math.sqrt(state.variance), LEAST_VOLATILITY)
    per_vol, per_price = 1.0 / volatility, 1.0 / bar.close
    last, mean, usual_volume = lagged(state.logs, 0), moving_mean(state.closes), state.volume
    bias = bar.close / mean - 1.0
    line, histogram = macd_values(state.macd)
    per_interval = 1.0 / bar.settlement_interval
    return AssetQuantities(
        last, mean,
        (last - lagged(state.logs, 1)) * per_vol,
        (last - lagged(state.logs, 5)) * per_vol * ROOT_5,
        (last - lagged(state.logs, 15)) * per_vol * ROOT_15,
        (last - lagged(state.logs, 60)) * per_vol * ROOT_60,
        (last - lagged(state.logs, LONGEST_RETURN)) * per_vol * ROOT_240,
        lagged(state.rsi_recent, 0), window_position(state.rsi_recent),
        line * per_price, histogram * per_price * per_vol,
        bias, bias * per_vol / math.sqrt(indicators.mean), volatility, state.balance / MOVES,
        (bar.high - max(bar.open, bar.close)) * per_price * per_vol,
        (min(bar.open, bar.close) - bar.low) * per_price * per_vol,
        bar.volume / usual_volume if usual_volume > 0.0 else 0.0,
        1e4 * bar.funding_rate, bar.settlement_minutes, bar.settlement_minutes * per_interval,
        1e4 * bar.funding_rate * MINUTES_A_DAY * per_interval,
    )  # fmt: skip


def scan_asset(indicators: Indicators, state: Any, bars: Float2D, wanted: Bool1D, said: Float2D) -> None:
    """Step ``state`` through bars (T, fields of AssetBar); write the wanted rows of (T, fields of AssetQuantities)."""
    fields = tuple(np.ascontiguousarray(bars.T))
    scan_fields(indicators, state, fields, wanted, said, np.empty(len(bars)))


@njit(cache=True, error_model="numpy", nogil=True)
def scan_fields(
    indicators: Indicators,
    state: AssetState,
    fields: tuple[Float1D, ...],
    wanted: Bool1D,
    said: Float2D,
    logs: Float1D,
) -> None:
    """Do what :func:`scan_asset` does from the eight fields of the bars, (T,) each; write the log closes too, (T,)."""
    opens, high, low, close, volume, rate, minutes, interval = fields
    for t in range(close.shape[0]):
        bar = AssetBar(opens[t], high[t], low[t], close[t], volume[t], rate[t], minutes[t], interval[t])
        advance_asset(indicators, state, bar)
        logs[t] = lagged(state.logs, 0)
        if wanted[t]:
            said[t] = describe_asset(indicators, state, bar)


@njit(cache=True)
def _sign(value: float) -> float:
    return 1.0 if value > 0.0 else (-1.0 if value < 0.0 else 0.0)


@njit(cache=True)
def log_price(price: float) -> float:
    """Return the natural logarithm, by the one routine that every path to a feature uses."""
    return math.log(price)
