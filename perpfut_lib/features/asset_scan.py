"""The recursion over one symbol's bars, from the panel's first bar on: many bars at once in research, one when live.

Both are one compiled function. It goes through a chunk of bars twice: once bar by bar for what depends on the bar
before (averages, logs), and then quantity by quantity over all bars of the chunk, which the compiler turns into vector
instructions. Vector registers round like scalar ones, so the bits do not depend on how bars are cut into calls.
"""

import math
from typing import Any, Final

import numpy as np
from numba import njit

from perpfut_lib.features.asset import (
    LONGEST_RETURN,
    MOVES,
    AssetBar,
    AssetQuantities,
    AssetState,
    Indicators,
    log_price,
)
from perpfut_lib.features.asset_chunk import Chunk, describe
from perpfut_lib.indicators import averaged, copy, extend, lagged, recent_values, refill, strength
from perpfut_lib.types import Bool1D, Float1D, Float2D

CHUNK: Final = 512  # bars whose intermediate values fit into the nearest caches
CHUNK_ROWS: Final = len(Chunk._fields)


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
    chunk = _blank_chunk(indicators, min(count, CHUNK))
    # A literal would be a type of its own, and all that is called below compiled twice.
    first: int = np.int64(0)  # type: ignore[assignment]
    while first < count:
        stop = first
        while stop < count and stop - first < CHUNK and not math.isnan(close[stop]):
            stop += 1
        if stop == first:
            if wanted[first]:
                said[:, column + first] = math.nan
            logs[first] = lagged(state.logs, 0)
            first += 1
            continue
        _advance(indicators, state, close[first:stop], fields[4][first:stop], chunk)
        copy(chunk.logs[LONGEST_RETURN:], logs[first:stop])
        if wanted[first:stop].any():
            describe(indicators, chunk, fields, (first, stop), (said, column + first))
        first = stop


@njit(cache=True, error_model="numpy")
def _blank_chunk(indicators: Indicators, size: int) -> Chunk:
    # One allocation for all: with one each, a chunk's memory would cost a tenth of its arithmetic.
    rows, recent = np.empty((CHUNK_ROWS, size + LONGEST_RETURN)), size + indicators.rsi - 1
    return Chunk(
        rows[0], rows[1, : size + indicators.mean], rows[2, :recent], rows[3, :size], rows[4, :size], rows[5, :size],
        rows[6, :size], rows[7, :size], rows[8, :size], rows[9, :size], rows[10, :size], rows[11, :size],
        rows[12, :size], rows[13, :recent], rows[14, :recent],
    )  # fmt: skip


@njit(cache=True, error_model="numpy")
def _advance(indicators: Indicators, state: AssetState, close: Float1D, volume: Float1D, chunk: Chunk) -> None:
    """Go through a chunk bar by bar; every bar has a price."""
    count = close.shape[0]
    if state.bars == 0.0:
        _start(indicators, state, close[0], volume[0])
    state.bars += count
    recent_values(state.logs, chunk.logs[:LONGEST_RETURN])
    recent_values(state.closes.window, chunk.closes[: indicators.mean])
    recent_values(state.rsi_recent, chunk.rsi[: indicators.rsi - 1])
    logs, closes = chunk.logs[LONGEST_RETURN:], chunk.closes[indicators.mean :]
    for t in range(count):
        logs[t] = log_price(close[t])
        closes[t] = close[t]
    _average_flow(indicators, state, volume, chunk)
    _average_prices(indicators, state, close, chunk)
    _sum_closes(state, chunk, count)
    rsi = chunk.rsi[indicators.rsi - 1 :]
    for t in range(count):
        rsi[t] = strength(chunk.gain[t], chunk.loss[t])
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
def _average_flow(indicators: Indicators, state: AssetState, volumes: Float1D, chunk: Chunk) -> None:
    """Average squared log returns and volume; count rises less falls among the last MOVES."""
    logs = chunk.logs[LONGEST_RETURN - MOVES - 1 :]
    variance, balance, volume = state.variance, state.balance, state.volume
    for t in range(volumes.shape[0]):
        change = logs[MOVES + 1 + t] - logs[MOVES + t]
        variance = averaged(variance, change * change, 1.0 - indicators.decay, False)
        balance += _sign(change) - _sign(logs[t + 1] - logs[t])
        volume = averaged(volume, volumes[t], 1.0 - indicators.volume_decay, False)
        chunk.variance[t], chunk.balance[t], chunk.volume[t] = variance, balance, volume
    state.variance, state.balance, state.volume = variance, balance, volume


@njit(cache=True, error_model="numpy")
def _average_prices(indicators: Indicators, state: AssetState, close: Float1D, chunk: Chunk) -> None:
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
        chunk.gain[t], chunk.loss[t], chunk.line[t], chunk.signal[t] = gain, loss, line, signal
    state.rsi.last, state.rsi.gain, state.rsi.loss = last, gain, loss
    state.macd.fast, state.macd.slow, state.macd.signal = fast, slow, signal


@njit(cache=True, error_model="numpy")
def _sum_closes(state: AssetState, chunk: Chunk, count: int) -> None:
    """Keep the sum of the moving mean's window; afresh once in every window, so that rounding cannot pile up."""
    size, cursor, total = state.closes.window.values.shape[0], state.closes.window.cursor, state.closes.total
    entering = chunk.closes[size:]
    for t in range(count):
        cursor += 1
        if cursor == size:
            cursor, total = 0, 0.0
            for held in chunk.closes[t + 1 : t + 1 + size]:
                total += held
        else:
            total += entering[t] - chunk.closes[t]
        chunk.total[t] = total
    state.closes.total = total


@njit(cache=True)
def _sign(value: float) -> float:
    # A branch would be foretold wrongly at every other bar.
    return float((value > 0.0) - (value < 0.0))
