"""Technical indicators as recursions: a small named state, and a step that the batch form scans.

A state is a NamedTuple of float64 arrays, changed in place by its step. Before its first bar it is all zeros; the first
bar fills its windows, so that until an indicator is warm the oldest bar seen stands in for those that are missing.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from perpfut_lib.types import Float1D, Float2D


class Window(NamedTuple):
    """The last n values, oldest at the cursor."""

    values: Float1D
    """(n,)."""
    cursor: Float1D
    """(1,): position of the oldest value."""


class RsiState(NamedTuple):
    """Wilder's averages."""

    last: Float1D
    """Last price, (1,)."""
    gain: Float1D
    """Average rise per bar, (1,)."""
    loss: Float1D
    """Average fall per bar, (1,)."""


class MacdState(NamedTuple):
    """Exponential averages of the price and of their difference."""

    fast: Float1D
    """(1,)."""
    slow: Float1D
    """(1,)."""
    signal: Float1D
    """(1,)."""


def empty_window(size: int) -> Window:
    """Return a window of ``size`` values before its first bar."""
    return Window(np.zeros(size), np.zeros(1))


def empty_rsi() -> RsiState:
    """Return the state of the RSI before its first bar."""
    return RsiState(np.zeros(1), np.zeros(1), np.zeros(1))


def empty_macd() -> MacdState:
    """Return the state of the MACD before its first bar."""
    return MacdState(np.zeros(1), np.zeros(1), np.zeros(1))


@njit(cache=True)
def push(window: Window, value: float, first: bool) -> None:
    """Replace the oldest value; the ``first`` value fills the window."""
    if first:
        window.values[:] = value
        return
    cursor = int(window.cursor[0])
    window.values[cursor] = value
    window.cursor[0] = cursor + 1 if cursor + 1 < window.values.shape[0] else 0


@njit(cache=True)
def lagged(window: Window, lag: int) -> float:
    """Return the value ``lag`` pushes before the last one, lag < n."""
    position = int(window.cursor[0]) - 1 - lag
    return window.values[position if position >= 0 else position + window.values.shape[0]]


@njit(cache=True)
def window_mean(window: Window, count: int) -> float:
    """Return the mean of the last ``count`` values, summed from the oldest, so that it depends on nothing older."""
    total = 0.0
    for lag in range(count - 1, -1, -1):
        total += lagged(window, lag)
    return total / count


@njit(cache=True)
def window_position(window: Window) -> float:
    """Return where the last value lies between the least (0) and the largest (1) of the window; ½ if all are equal."""
    low, high = window.values.min(), window.values.max()
    return (lagged(window, 0) - low) / (high - low) if high > low else 0.5


@njit(cache=True)
def average_step(average: Float1D, value: float, weight: float, first: bool) -> float:
    """Advance an exponential average, a ← (1 - w) a + w v, that starts at the ``first`` value."""
    average[0] = value if first else (1.0 - weight) * average[0] + weight * value
    return float(average[0])


@njit(cache=True)
def rsi_step(state: RsiState, price: float, window: int, first: bool) -> float:
    """Advance the relative strength index by one bar.

    RSI = 100 - 100 / (1 + gain / loss) with Wilder's averages of weight 1/window, started at zero as in ``ta``; 50
    where the price has never moved.

    References
    ----------
    Wilder, J.W. (1978), *New Concepts in Technical Trading Systems*.
    """
    change = 0.0 if first else price - state.last[0]
    state.last[0] = price
    gain = average_step(state.gain, max(change, 0.0), 1.0 / window, first)
    loss = average_step(state.loss, max(-change, 0.0), 1.0 / window, first)
    if loss == 0.0:
        return 100.0 if gain > 0.0 else 50.0
    return 100.0 - 100.0 / (1.0 + gain / loss)


@njit(cache=True)
def macd_step(state: MacdState, price: float, spans: tuple[int, int, int], first: bool) -> tuple[float, float]:
    """Advance the moving-average convergence divergence by one bar; return its line and its histogram.

    Line = EMA(fast) - EMA(slow), histogram = line - EMA(signal) of the line, weights 2 / (span + 1), in price units.
    """
    fast = average_step(state.fast, price, 2.0 / (spans[0] + 1.0), first)
    slow = average_step(state.slow, price, 2.0 / (spans[1] + 1.0), first)
    line = fast - slow
    return line, line - average_step(state.signal, line, 2.0 / (spans[2] + 1.0), first)


def rsi(prices: npt.ArrayLike, window: int = 14) -> Float1D:
    """Return the relative strength index of each bar, 0 … 100; see :func:`rsi_step`.

    Parameters
    ----------
    prices : array_like
        (T,), finite.
    window : int
        Wilder's window.
    """
    return _rsi(np.ascontiguousarray(prices, np.float64), window, empty_rsi())


def stochastic_rsi(prices: npt.ArrayLike, window: int = 14) -> Float1D:
    """Return where the RSI lies in its own range over the last ``window`` bars, 0 … 1; ½ where it did not move."""
    return _stochastic_rsi(np.ascontiguousarray(prices, np.float64), window, empty_rsi(), empty_window(window))


def macd(prices: npt.ArrayLike, fast: int = 12, slow: int = 26, signal: int = 9) -> Float2D:
    """Return line and histogram of the MACD of each bar, (T, 2), in price units; see :func:`macd_step`."""
    return _macd(np.ascontiguousarray(prices, np.float64), (fast, slow, signal), empty_macd())


def ewma_volatility(prices: npt.ArrayLike, decay: float = 0.94) -> Float1D:
    """Return the RiskMetrics volatility per bar, (T,): v ← λ v + (1 - λ) r² of log returns, started at zero."""
    return _ewma_volatility(np.ascontiguousarray(prices, np.float64), decay)


@njit(cache=True)
def _rsi(prices: Float1D, window: int, state: RsiState) -> Float1D:
    values = np.empty_like(prices)
    for t in range(prices.shape[0]):
        values[t] = rsi_step(state, prices[t], window, t == 0)
    return values


@njit(cache=True)
def _stochastic_rsi(prices: Float1D, window: int, state: RsiState, recent: Window) -> Float1D:
    values = np.empty_like(prices)
    for t in range(prices.shape[0]):
        push(recent, rsi_step(state, prices[t], window, t == 0), t == 0)
        values[t] = window_position(recent)
    return values


@njit(cache=True)
def _macd(prices: Float1D, spans: tuple[int, int, int], state: MacdState) -> Float2D:
    values = np.empty((prices.shape[0], 2))
    for t in range(prices.shape[0]):
        values[t, 0], values[t, 1] = macd_step(state, prices[t], spans, t == 0)
    return values


@njit(cache=True)
def _ewma_volatility(prices: Float1D, decay: float) -> Float1D:
    values, variance = np.zeros_like(prices), np.zeros(1)
    for t in range(1, prices.shape[0]):
        change = math.log(prices[t]) - math.log(prices[t - 1])
        values[t] = math.sqrt(average_step(variance, change * change, 1.0 - decay, False))
    return values
