"""The recursion over one symbol's bars, from the panel's first bar on: many bars at once in research, one when live.

Both are one compiled function. It goes through a tile of bars twice: once bar by bar for what depends on the bar
before (averages, logs), and then quantity by quantity over all bars of the tile, which the compiler turns into vector
instructions. Vector registers round like scalar ones, so the bits do not depend on how bars are cut into calls.
"""

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit

from perpfut_lib.features.asset import (
    LEAST_VOLATILITY,
    LONGEST_RETURN,
    MINUTES_A_DAY,
    MOVES,
    AssetBar,
    AssetQuantities,
    AssetState,
    Indicators,
    log_price,
)
from perpfut_lib.indicators import averaged, extend, lagged, recent_values, refill, strength
from perpfut_lib.types import Bool1D, Float1D, Float2D

TILE: Final = 512  # bars whose intermediate values fit into the nearest caches
# Rows of what is said, in the order of AssetQuantities.
(
    LOG_CLOSE, MEAN, RETURN_1, RETURN_5, RETURN_15, RETURN_60, RETURN_240, STRENGTH, STOCHASTIC, MACD_FRACTION,
    MACD_VOL, BIAS_FRACTION, BIAS, VOLATILITY, UP_SHARE, UPPER, LOWER, VOLUME, FUNDING, MINUTES, SHARE, DAILY_FUNDING,
) = range(len(AssetQuantities._fields))  # fmt: skip


class _Tile(NamedTuple):
    """Values of one tile; histories begin with values from before it."""

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


def step_asset(indicators: Indicators, state: Any, bar: AssetBar) -> Float1D:
    """Advance ``state`` in place by one bar; return what is said after it, (fields of AssetQuantities,).

    A bar without a price (close NaN: not listed yet, or delisted) leaves the state as it was and says NaN.
    """
    said = np.empty((len(AssetQuantities._fields), 1))
    fields = tuple(np.array([value], np.float64) for value in bar)
    scan_fields(indicators, state, fields, np.ones(1, np.bool_), (said, 0), np.empty(1))
    return said[:, 0]


def scan_asset(indicators: Indicators, state: Any, bars: Float2D, wanted: Bool1D, said: Float2D) -> None:
    """Step ``state`` through bars (T, fields of AssetBar); write the wanted rows of (T, fields of AssetQuantities)."""
    columns: Float2D = np.empty((said.shape[1], len(bars)))
    scan_fields(indicators, state, tuple(np.ascontiguousarray(bars.T)), wanted, (columns, 0), np.empty(len(bars)))
    said[wanted] = columns.T[wanted]


@njit(cache=True, error_model="numpy", nogil=True)
def scan_fields(
    indicators: Indicators,
    state: AssetState,
    fields: tuple[Float1D, ...],
    wanted: Bool1D,
    where: tuple[Float2D, int],
    logs: Float1D,
) -> None:
    """Step ``state`` in place through the eight fields of T bars.

    Written are the log closes (T,) and, where it is ``wanted``, what is said: ``where`` is a table (fields of
    AssetQuantities, ≥ T), contiguous, and its column that belongs to the first bar. Bars without a price say NaN.
    """
    close, (said, column) = fields[3], where
    count = close.shape[0]
    tile = _blank_tile(indicators, min(count, TILE))
    first = 0
    while first < count:
        stop = first
        while stop < count and stop - first < TILE and not math.isnan(close[stop]):
            stop += 1
        if stop == first:
            if wanted[first]:
                said[:, column + first] = math.nan
            logs[first] = lagged(state.logs, 0)
            first += 1
            continue
        _advance(indicators, state, close[first:stop], fields[4][first:stop], tile)
        logs[first:stop] = tile.logs[LONGEST_RETURN : LONGEST_RETURN + stop - first]
        if wanted[first:stop].any():
            _describe(indicators, tile, fields, (first, stop), (said, column + first))
        first = stop


@njit(cache=True, error_model="numpy")
def _blank_tile(indicators: Indicators, size: int) -> _Tile:
    return _Tile(
        np.empty(size + LONGEST_RETURN), np.empty(size + indicators.mean), np.empty(size + indicators.rsi - 1),
        np.empty(size), np.empty(size), np.empty(size), np.empty(size), np.empty(size), np.empty(size), np.empty(size),
        np.empty(size), np.empty(size), np.empty(size), np.empty(size + indicators.rsi - 1),
        np.empty(size + indicators.rsi - 1),
    )  # fmt: skip


@njit(cache=True, error_model="numpy")
def _advance(indicators: Indicators, state: AssetState, close: Float1D, volume: Float1D, tile: _Tile) -> None:
    """Go through a tile bar by bar; every bar has a price."""
    count = close.shape[0]
    if state.bars == 0.0:
        _start(indicators, state, close[0], volume[0])
    state.bars += count
    recent_values(state.logs, tile.logs[:LONGEST_RETURN])
    recent_values(state.closes.window, tile.closes[: indicators.mean])
    recent_values(state.rsi_recent, tile.rsi[: indicators.rsi - 1])
    logs, closes = tile.logs[LONGEST_RETURN:], tile.closes[indicators.mean :]
    for t in range(count):
        logs[t] = log_price(close[t])
        closes[t] = close[t]
    _average_flow(indicators, state, volume, tile)
    _average_prices(indicators, state, close, tile)
    _sum_closes(state, tile, count)
    rsi = tile.rsi[indicators.rsi - 1 :]
    for t in range(count):
        rsi[t] = strength(tile.gain[t], tile.loss[t])
    extend(state.logs, logs[:count])
    extend(state.closes.window, closes[:count])
    extend(state.rsi_recent, rsi[:count])


@njit(cache=True, error_model="numpy")
def _start(indicators: Indicators, state: AssetState, price: float, volume: float) -> None:
    """Fill the state as if the first price had stood for ever."""
    refill(state.logs, log_price(price))
    refill(state.closes.window, price)
    refill(state.rsi_recent, strength(0.0, 0.0))
    state.closes.total = price * indicators.mean
    state.rsi.last = state.macd.fast = state.macd.slow = price
    state.volume = volume


@njit(cache=True, error_model="numpy")
def _average_flow(indicators: Indicators, state: AssetState, volumes: Float1D, tile: _Tile) -> None:
    """Average squared log returns and volume; count rises less falls among the last MOVES."""
    logs = tile.logs[LONGEST_RETURN - MOVES - 1 :]
    variance, balance, volume = state.variance, state.balance, state.volume
    for t in range(volumes.shape[0]):
        change = logs[MOVES + 1 + t] - logs[MOVES + t]
        variance = averaged(variance, change * change, 1.0 - indicators.decay, False)
        balance += _sign(change) - _sign(logs[t + 1] - logs[t])
        volume = averaged(volume, volumes[t], 1.0 - indicators.volume_decay, False)
        tile.variance[t], tile.balance[t], tile.volume[t] = variance, balance, volume
    state.variance, state.balance, state.volume = variance, balance, volume


@njit(cache=True, error_model="numpy")
def _average_prices(indicators: Indicators, state: AssetState, close: Float1D, tile: _Tile) -> None:
    """Average rises and falls (Wilder), and prices (MACD)."""
    last, gain, loss = state.rsi.last, state.rsi.gain, state.rsi.loss
    fast, slow, signal = state.macd.fast, state.macd.slow, state.macd.signal
    weight, signal_weight = 1.0 / indicators.rsi, 2.0 / (indicators.macd_signal + 1.0)
    fast_weight, slow_weight = 2.0 / (indicators.macd_fast + 1.0), 2.0 / (indicators.macd_slow + 1.0)
    for t in range(close.shape[0]):
        price = close[t]
        gain = averaged(gain, max(price - last, 0.0), weight, False)
        loss = averaged(loss, max(last - price, 0.0), weight, False)
        fast, slow = averaged(fast, price, fast_weight, False), averaged(slow, price, slow_weight, False)
        line, last = fast - slow, price
        signal = averaged(signal, line, signal_weight, False)
        tile.gain[t], tile.loss[t], tile.line[t], tile.signal[t] = gain, loss, line, signal
    state.rsi.last, state.rsi.gain, state.rsi.loss = last, gain, loss
    state.macd.fast, state.macd.slow, state.macd.signal = fast, slow, signal


@njit(cache=True, error_model="numpy")
def _sum_closes(state: AssetState, tile: _Tile, count: int) -> None:
    """Keep the sum of the moving mean's window; afresh once in every window, so that rounding cannot pile up."""
    size, cursor, total = state.closes.window.values.shape[0], state.closes.window.cursor, state.closes.total
    entering = tile.closes[size:]
    for t in range(count):
        cursor += 1
        if cursor == size:
            cursor, total = 0, 0.0
            for held in tile.closes[t + 1 : t + 1 + size]:
                total += held
        else:
            total += entering[t] - tile.closes[t]
        tile.total[t] = total
    state.closes.total = total


@njit(cache=True, error_model="numpy")
def _describe(
    indicators: Indicators, tile: _Tile, fields: tuple[Float1D, ...], bars: tuple[int, int], where: tuple[Float2D, int]
) -> None:
    """Write what is said of a tile's bars, quantity by quantity; vol is the EWMA volatility."""
    first, stop = bars
    count = stop - first
    close, volatility = fields[3][first:stop], _row(where, VOLATILITY, count)
    for t in range(count):
        volatility[t] = max(math.sqrt(tile.variance[t]), LEAST_VOLATILITY)
    for t in range(count):
        tile.per_vol[t] = 1.0 / volatility[t]
    for t in range(count):
        tile.per_price[t] = 1.0 / close[t]
    _describe_moves(tile, where, count)
    _describe_strength(indicators, tile, where, count)
    _describe_averages(indicators, tile, close, where)
    _describe_shadows(tile, fields, bars, where)
    _describe_flow(tile, fields, bars, where)


@njit(cache=True, error_model="numpy")
def _row(where: tuple[Float2D, int], quantity: int, count: int) -> Float1D:
    """Return the part of a quantity's row that belongs to a tile."""
    said, column = where
    return said[quantity, column : column + count]


@njit(cache=True, error_model="numpy")
def _describe_moves(tile: _Tile, where: tuple[Float2D, int], count: int) -> None:
    """Write the log close and its changes over several horizons h, per vol √h, and the balance of moves."""
    now, share = tile.logs[LONGEST_RETURN:], _row(where, UP_SHARE, count)
    _row(where, LOG_CLOSE, count)[:] = now[:count]
    for quantity, horizon in ((RETURN_1, 1), (RETURN_5, 5), (RETURN_15, 15), (RETURN_60, 60), (RETURN_240, 240)):
        before, root = tile.logs[LONGEST_RETURN - horizon :], 1.0 / math.sqrt(horizon)
        out = _row(where, quantity, count)
        for t in range(count):
            out[t] = (now[t] - before[t]) * tile.per_vol[t] * root
    for t in range(count):
        share[t] = tile.balance[t] / MOVES


@njit(cache=True, error_model="numpy")
def _describe_strength(indicators: Indicators, tile: _Tile, where: tuple[Float2D, int], count: int) -> None:
    """Write the RSI and where it lies between the least (0) and the largest (1) of its window; ½ if all are equal."""
    window, said, now = indicators.rsi, _row(where, STOCHASTIC, count), _row(where, STRENGTH, count)
    rsi = tile.rsi[: window - 1 + count]
    now[:] = _sliding_extreme(rsi, window, -1.0, tile)[window - 1 : rsi.shape[0]]
    low = _sliding_extreme(rsi, window, 1.0, tile)[window - 1 : rsi.shape[0]]
    last = rsi[window - 1 :]
    for t in range(count):
        width = -now[t] - low[t]
        said[t] = (last[t] - low[t]) / width if width > 0.0 else 0.5
    now[:] = last


@njit(cache=True, error_model="numpy")
def _sliding_extreme(values: Float1D, window: int, sign: float, tile: _Tile) -> Float1D:
    """Return the least of the last ``window`` values times ``sign``, from the position window - 1 on.

    The least over some bars and that over as many before make the least over twice as many.
    """
    now, then, width = tile.wide, tile.wider, 1
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
def _describe_averages(indicators: Indicators, tile: _Tile, close: Float1D, where: tuple[Float2D, int]) -> None:
    """Write the MACD, and the moving mean with the close's distance from it."""
    count, root = close.shape[0], 1.0 / math.sqrt(indicators.mean)
    line, histogram = _row(where, MACD_FRACTION, count), _row(where, MACD_VOL, count)
    mean, bias, scaled = _row(where, MEAN, count), _row(where, BIAS_FRACTION, count), _row(where, BIAS, count)
    for t in range(count):
        line[t] = tile.line[t] * tile.per_price[t]
    for t in range(count):
        histogram[t] = (tile.line[t] - tile.signal[t]) * tile.per_price[t] * tile.per_vol[t]
    for t in range(count):
        mean[t] = tile.total[t] / indicators.mean
    for t in range(count):
        bias[t] = close[t] / mean[t] - 1.0
    for t in range(count):
        scaled[t] = bias[t] * tile.per_vol[t] * root


@njit(cache=True, error_model="numpy")
def _describe_shadows(
    tile: _Tile, fields: tuple[Float1D, ...], bars: tuple[int, int], where: tuple[Float2D, int]
) -> None:
    """Write the parts of the bar above and below its body, per price and vol."""
    first, stop = bars
    opens, high = fields[0][first:stop], fields[1][first:stop]
    low, close = fields[2][first:stop], fields[3][first:stop]
    upper, lower = _row(where, UPPER, stop - first), _row(where, LOWER, stop - first)
    for t in range(stop - first):
        upper[t] = (high[t] - max(opens[t], close[t])) * tile.per_price[t] * tile.per_vol[t]
    for t in range(stop - first):
        lower[t] = (min(opens[t], close[t]) - low[t]) * tile.per_price[t] * tile.per_vol[t]


@njit(cache=True, error_model="numpy")
def _describe_flow(tile: _Tile, fields: tuple[Float1D, ...], bars: tuple[int, int], where: tuple[Float2D, int]) -> None:
    """Write volume over its average, and funding."""
    first, stop = bars
    volume, rate = fields[4][first:stop], fields[5][first:stop]
    minutes, interval = fields[6][first:stop], fields[7][first:stop]
    said = _row(where, VOLUME, stop - first)
    for t in range(stop - first):
        said[t] = volume[t] / tile.volume[t] if tile.volume[t] > 0.0 else 0.0
    said = _row(where, FUNDING, stop - first)
    for t in range(stop - first):
        said[t] = 1e4 * rate[t]
    _row(where, MINUTES, stop - first)[:] = minutes
    said = _row(where, SHARE, stop - first)
    for t in range(stop - first):
        said[t] = minutes[t] / interval[t]
    said = _row(where, DAILY_FUNDING, stop - first)
    for t in range(stop - first):
        said[t] = 1e4 * rate[t] * (MINUTES_A_DAY / interval[t])


@njit(cache=True)
def _sign(value: float) -> float:
    return 1.0 if value > 0.0 else (-1.0 if value < 0.0 else 0.0)
