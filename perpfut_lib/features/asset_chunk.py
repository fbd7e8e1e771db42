"""The quantities of a chunk of one symbol's bars, one after another: loops that the compiler turns into vectors."""

import math
from typing import NamedTuple

from numba import njit

from perpfut_lib.features.asset import (
    LEAST_VOLATILITY,
    LONGEST_RETURN,
    MINUTES_A_DAY,
    MOVES,
    AssetQuantities,
    Indicators,
)
from perpfut_lib.indicators import copy
from perpfut_lib.types import Float1D, Float2D

# Rows of what is said, in the order of AssetQuantities.
(
    LOG_CLOSE, MEAN, RETURN_1, RETURN_5, RETURN_15, RETURN_60, RETURN_240, STRENGTH, STOCHASTIC, MACD_FRACTION,
    MACD_VOL, BIAS_FRACTION, BIAS, VOLATILITY, UP_SHARE, UPPER, LOWER, VOLUME, FUNDING, MINUTES, SHARE, DAILY_FUNDING,
) = range(len(AssetQuantities._fields))  # fmt: skip


class Chunk(NamedTuple):
    """Values of one chunk; histories begin with values from before it."""

    logs: Float1D
    """Log closes, behind LONGEST_RETURN earlier ones."""
    closes: Float1D
    """Closes, behind as many earlier ones as the moving mean holds."""
    rsi: Float1D
    """RSI, behind all of its window but one."""
    gain: Float1D
    loss: Float1D
    line: Float1D
    signal: Float1D
    variance: Float1D
    total: Float1D
    """Sum of the moving mean's window."""
    volume: Float1D
    balance: Float1D
    per_vol: Float1D
    per_price: Float1D
    wide: Float1D
    """Work space of the sliding extremes, as long as ``rsi``; likewise the next."""
    wider: Float1D


@njit(cache=True, error_model="numpy")
def describe(
    indicators: Indicators, chunk: Chunk, fields: tuple[Float1D, ...], bars: tuple[int, int], where: tuple[Float2D, int]
) -> None:
    """Write the quantities of a chunk's bars, quantity by quantity; vol is the EWMA volatility."""
    first, stop = bars
    count = stop - first
    close, volatility = fields[3][first:stop], _row(where, VOLATILITY, count)
    for t in range(count):
        volatility[t] = max(math.sqrt(chunk.variance[t]), LEAST_VOLATILITY)
    for t in range(count):
        chunk.per_vol[t] = 1.0 / volatility[t]
    for t in range(count):
        chunk.per_price[t] = 1.0 / close[t]
    _describe_moves(chunk, where, count)
    _describe_strength(indicators, chunk, where, count)
    _describe_averages(indicators, chunk, close, where)
    _describe_shadows(chunk, fields, bars, where)
    _describe_flow(chunk, fields, bars, where)


@njit(cache=True, error_model="numpy", inline="always")
def _row(where: tuple[Float2D, int], quantity: int, count: int) -> Float1D:
    """Return the part of a quantity's row that belongs to a chunk."""
    said, column = where
    return said[quantity, column : column + count]


@njit(cache=True, error_model="numpy")
def _describe_moves(chunk: Chunk, where: tuple[Float2D, int], count: int) -> None:
    """Write the log close and its changes over several horizons h, per vol √h, and the balance of moves."""
    now, share = chunk.logs[LONGEST_RETURN:], _row(where, UP_SHARE, count)
    copy(now, _row(where, LOG_CLOSE, count))
    for quantity, horizon in ((RETURN_1, 1), (RETURN_5, 5), (RETURN_15, 15), (RETURN_60, 60), (RETURN_240, 240)):
        before, root = chunk.logs[LONGEST_RETURN - horizon :], 1.0 / math.sqrt(horizon)
        out = _row(where, quantity, count)
        for t in range(count):
            out[t] = (now[t] - before[t]) * chunk.per_vol[t] * root
    for t in range(count):
        share[t] = chunk.balance[t] / MOVES


@njit(cache=True, error_model="numpy")
def _describe_strength(indicators: Indicators, chunk: Chunk, where: tuple[Float2D, int], count: int) -> None:
    """Write the RSI and where it lies between the least (0) and the largest (1) of its window; ½ if all are equal."""
    window, said, now = indicators.rsi, _row(where, STOCHASTIC, count), _row(where, STRENGTH, count)
    rsi = chunk.rsi[: window - 1 + count]
    copy(_sliding_extreme(rsi, window, -1.0, chunk)[window - 1 :], now)
    low = _sliding_extreme(rsi, window, 1.0, chunk)[window - 1 : rsi.shape[0]]
    last = rsi[window - 1 :]
    for t in range(count):
        width = -now[t] - low[t]
        said[t] = (last[t] - low[t]) / width if width > 0.0 else 0.5
    copy(last, now)


@njit(cache=True, error_model="numpy")
def _sliding_extreme(values: Float1D, window: int, sign: float, chunk: Chunk) -> Float1D:
    """Return the least of the last ``window`` values times ``sign``, from the position window - 1 on.

    The least over some bars and that over as many before make the least over twice as many.
    """
    now, then, width = chunk.wide, chunk.wider, 1
    for t in range(values.shape[0]):
        now[t] = sign * values[t]
    while width < window:
        step = min(width, window - width)
        width += step
        now, then = then, now
        earlier, later, out = then[: values.shape[0] - step], then[step : values.shape[0]], now[step:]
        for t in range(later.shape[0]):
            out[t] = earlier[t] if earlier[t] < later[t] else later[t]
    return now


@njit(cache=True, error_model="numpy")
def _describe_averages(indicators: Indicators, chunk: Chunk, close: Float1D, where: tuple[Float2D, int]) -> None:
    """Write the MACD, and the moving mean with the close's distance from it."""
    count, root = close.shape[0], 1.0 / math.sqrt(indicators.mean)
    line, histogram = _row(where, MACD_FRACTION, count), _row(where, MACD_VOL, count)
    mean, bias, scaled = _row(where, MEAN, count), _row(where, BIAS_FRACTION, count), _row(where, BIAS, count)
    for t in range(count):
        line[t] = chunk.line[t] * chunk.per_price[t]
    for t in range(count):
        histogram[t] = (chunk.line[t] - chunk.signal[t]) * chunk.per_price[t] * chunk.per_vol[t]
    for t in range(count):
        mean[t] = chunk.total[t] / indicators.mean
    for t in range(count):
        bias[t] = close[t] / mean[t] - 1.0
    for t in range(count):
        scaled[t] = bias[t] * chunk.per_vol[t] * root


@njit(cache=True, error_model="numpy")
def _describe_shadows(
    chunk: Chunk, fields: tuple[Float1D, ...], bars: tuple[int, int], where: tuple[Float2D, int]
) -> None:
    """Write the parts of the bar above and below its body, per price and vol."""
    first, stop = bars
    opens, high = fields[0][first:stop], fields[1][first:stop]
    low, close = fields[2][first:stop], fields[3][first:stop]
    upper, lower = _row(where, UPPER, stop - first), _row(where, LOWER, stop - first)
    for t in range(stop - first):
        upper[t] = (high[t] - max(opens[t], close[t])) * chunk.per_price[t] * chunk.per_vol[t]
    for t in range(stop - first):
        lower[t] = (min(opens[t], close[t]) - low[t]) * chunk.per_price[t] * chunk.per_vol[t]


@njit(cache=True, error_model="numpy")
def _describe_flow(
    chunk: Chunk, fields: tuple[Float1D, ...], bars: tuple[int, int], where: tuple[Float2D, int]
) -> None:
    """Write volume over its average, and funding."""
    first, stop = bars
    volume, rate = fields[4][first:stop], fields[5][first:stop]
    minutes, interval = fields[6][first:stop], fields[7][first:stop]
    said = _row(where, VOLUME, stop - first)
    for t in range(stop - first):
        said[t] = volume[t] / chunk.volume[t] if chunk.volume[t] > 0.0 else 0.0
    said = _row(where, FUNDING, stop - first)
    for t in range(stop - first):
        said[t] = 1e4 * rate[t]
    copy(minutes, _row(where, MINUTES, stop - first))
    said = _row(where, SHARE, stop - first)
    for t in range(stop - first):
        said[t] = minutes[t] / interval[t]
    said = _row(where, DAILY_FUNDING, stop - first)
    for t in range(stop - first):
        said[t] = 1e4 * rate[t] * (MINUTES_A_DAY / interval[t])
