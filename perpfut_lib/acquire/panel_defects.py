"""Symbols that only the others betray: the same returns under two names, and bars shifted in time."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from perpfut_lib.acquire.bar_defects import Defect
from perpfut_lib.config import format_duration
from perpfut_lib.types import HOUR_MS, Bool1D, Float1D, Float2D, Int1D

BLOCK_BARS: Final = 240
LEAST_MOVES: Final = 60
"""Two symbols are the same where all moves of a block of bars agree in direction, so many moves at least."""
LONGEST_SHIFT_MS: Final = 14 * HOUR_MS
"""Time zones differ from UTC by no more."""
LEAST_OTHERS: Final = 3
"""Fewer other symbols do not say who is shifted."""
LEAST_BARS: Final = 500
CLEAR_PEAK: Final = (0.15, 2.0, 8.0)
"""A shift is told from noise: correlation there, times the one without a shift, and standard errors above zero."""


def duplicates(candles: Mapping[str, pd.DataFrame]) -> list[Defect]:
    """Return the symbols whose prices repeat those of an earlier name, by a block of bars of equal moves.

    Price levels do not matter: a contract of 1000 coins repeats the coin.
    """
    seen: dict[bytes, str] = {}
    found: dict[str, Defect] = {}
    for symbol in sorted(candles):
        bars = candles[symbol]
        time, close = bars["open_time"].to_numpy(), bars["close"].to_numpy()
        moves = np.sign(np.diff(close)).astype(np.int8)
        blocks = {}
        for first in _block_starts(time[1:]):
            part = moves[first : first + BLOCK_BARS]
            if len(part) == BLOCK_BARS and np.count_nonzero(part) >= LEAST_MOVES:
                blocks[int(time[first + 1]).to_bytes(8, "big") + part.tobytes()] = int(time[first + 1])
        for key, start in blocks.items():
            other = seen.setdefault(key, symbol)
            if other != symbol and symbol not in found:
                detail = f"the moves of {other}, bar by bar: one market under two names"
                found[symbol] = Defect(symbol, "duplicate", start, float(BLOCK_BARS), detail)
    return list(found.values())


def _block_starts(time: Int1D) -> Int1D:
    """Return rows at which blocks begin, the same times for all symbols."""
    if len(time) < 2:
        return np.zeros(0, np.int64)
    step = int(np.median(np.diff(time)))
    starts = np.flatnonzero(time // step % BLOCK_BARS == 0)
    return starts.astype(np.int64)


def shifts(candles: Mapping[str, pd.DataFrame], timeframe: int) -> list[Defect]:
    """Return the symbols whose returns agree with the others' clearly best at another time.

    The cross-correlation of each symbol's returns with the mean return of the others, both clipped at five robust
    deviations, over all shifts of up to 14 hours.
    """
    usable = sorted(symbol for symbol, bars in candles.items() if len(bars) >= LEAST_BARS)
    if len(usable) <= LEAST_OTHERS:
        return []
    start, returns, known = _returns(candles, usable, timeframe)
    total, count = returns.sum(axis=1), known.sum(axis=1)
    found = []
    for column, symbol in enumerate(usable):
        others = count - known[:, column]
        mean = np.where(others >= LEAST_OTHERS, (total - returns[:, column]) / np.maximum(others, 1), 0.0)
        shift, peak = _best_shift(returns[:, column], mean, LONGEST_SHIFT_MS // timeframe)
        if shift:
            length = format_duration(abs(shift) * timeframe)
            detail = f"returns agree best ({peak:.2f}) with the others' {length} {'earlier' if shift > 0 else 'later'}"
            first = start + int(known[:, column].argmax()) * timeframe
            found.append(Defect(symbol, "shifted", first, float(shift), detail))
    # One shifted symbol disturbs the mean of all the others but little; where most seem shifted, nobody can tell.
    return found if 2 * len(found) < len(usable) else []


def _returns(candles: Mapping[str, pd.DataFrame], symbols: list[str], timeframe: int) -> tuple[int, Float2D, Bool1D]:
    """Return the first bar's time, clipped standardised returns (T, N), zero where unknown, and which are known."""
    start = min(int(candles[symbol]["open_time"].iloc[0]) for symbol in symbols)
    end = max(int(candles[symbol]["open_time"].iloc[-1]) for symbol in symbols)
    table = np.zeros(((end - start) // timeframe + 1, len(symbols)))
    known = np.zeros(table.shape, np.bool_)
    for column, symbol in enumerate(symbols):
        time, close = candles[symbol]["open_time"].to_numpy(), candles[symbol]["close"].to_numpy()
        rows = ((time - start) // timeframe)[1:]
        table[rows, column] = _standardised(np.diff(np.log(close)))
        known[rows, column] = True
    return start, table, known


def _standardised(returns: Float1D) -> Float1D:
    moving = np.abs(returns[returns != 0])
    scale = 1.4826 * float(np.median(moving)) if len(moving) else 1.0
    clipped: Float1D = np.clip(returns / scale, -5.0, 5.0)
    return clipped


def _best_shift(own: Float1D, others: Float1D, longest: int) -> tuple[int, float]:
    """Return by how many bars ``own`` runs behind ``others``, 0 unless that is clear, and the correlation there."""
    size = 1 << (2 * len(own) - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(own, size) * np.conj(np.fft.rfft(others, size)), size)
    norm = float(np.sqrt(np.dot(own, own) * np.dot(others, others)))
    if norm == 0.0:
        return 0, 0.0
    lags = np.arange(-longest, longest + 1)
    correlation = product[lags] / norm
    best = int(correlation.argmax())
    peak, none = float(correlation[best]), abs(float(correlation[longest]))
    least, times, errors = CLEAR_PEAK
    clear = peak > max(least, times * none, errors / np.sqrt(max(int(np.count_nonzero(own)), 1)))
    return (int(lags[best]) if clear else 0), peak
