"""Technical indicators as recursions: a small named state, and a step that the batch form scans.

A state is a record (a numpy structured scalar) of numbers, changed in place by its step: numba compiles a field
to one memory access, where arrays in a tuple would be counted in and out at every step. Before its first bar a state is
all zeros; the first bar fills its windows, so that until an indicator is warm the oldest bar seen stands in for those
that are missing.
"""

import math
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from numba import njit

from perpfut_lib.types import Float1D, Float2D


class Window(Protocol):
    """The last n values."""

    values: Float1D
    """(n,)."""
    cursor: int
    """Position of the oldest value."""


class MovingMean(Protocol):
    """The last n values and their sum."""

    window: Window
    total: float


class Rsi(Protocol):
    """Wilder's averages."""

    last: float
    """Last price."""
    gain: float
    """Average rise per bar."""
    loss: float
    """Average fall per bar."""


class Macd(Protocol):
    """Exponential averages of the price, and of the difference of the two."""

    fast: float
    slow: float
    signal: float


RSI = np.dtype([(name, np.float64) for name in ("last", "gain", "loss")])
MACD = np.dtype([(name, np.float64) for name in ("fast", "slow", "signal")])


def window_dtype(size: int) -> np.dtype[np.void]:
    """Return the record of a :class:`Window` of ``size`` values."""
    return np.dtype([("values", np.float64, (size,)), ("cursor", np.int64)])


def mean_dtype(size: int) -> np.dtype[np.void]:
    """Return the record of a :class:`MovingMean` over ``size`` values."""
    return np.dtype([("window", window_dtype(size)), ("total", np.float64)])


def blank(dtype: np.dtype[np.void]) -> Any:
    """Return a record before its first bar."""
    return np.zeros(1, dtype)[0]


@njit(cache=True, error_model="numpy")
def copy(source: Float1D, target: Float1D) -> None:
    """Fill ``target`` with the first values of ``source``; a slice assignment takes seconds more to compile."""
    for t in range(target.shape[0]):
        target[t] = source[t]


@njit(cache=True, error_model="numpy")
def push(window: Window, value: float, first: bool) -> bool:
    """Replace the oldest value, or fill with the ``first``; return whether the cursor is back at the start."""
    if first:
        window.values[:] = value
        return True
    cursor = window.cursor
    window.values[cursor] = value
    wrapped = cursor + 1 == window.values.shape[0]
    window.cursor = 0 if wrapped else cursor + 1
    return wrapped


@njit(cache=True, error_model="numpy", inline="always")
def lagged(window: Window, lag: int) -> float:
    """Return the value ``lag`` pushes before the last one, lag < n."""
    position = window.cursor - 1 - lag
    return window.values[position if position >= 0 else position + window.values.shape[0]]


@njit(cache=True, error_model="numpy")
def refill(window: Window, value: float) -> None:
    """Fill a window with one value."""
    window.values[:] = value
    window.cursor = 0


@njit(cache=True, error_model="numpy")
def recent_values(window: Window, values: Float1D) -> None:
    """Write the last values of a window, in order, as many as fit."""
    for lag in range(values.shape[0]):
        values[values.shape[0] - 1 - lag] = lagged(window, lag)


@njit(cache=True, error_model="numpy")
def extend(window: Window, values: Float1D) -> None:
    """Push many values, none of them the first; those that would be pushed out again are left out."""
    size = window.values.shape[0]
    skipped = max(values.shape[0] - size, 0)
    cursor = (window.cursor + skipped) % size
    for value in values[skipped:]:
        window.values[cursor] = value
        cursor = 0 if cursor + 1 == size else cursor + 1
    window.cursor = cursor


@njit(cache=True, fastmath={"nnan", "nsz"}, error_model="numpy")
def window_range(window: Window) -> tuple[float, float]:
    """Return the least and the largest value; no value is NaN, so that comparing them in vector registers is exact."""
    low = high = window.values[0]
    for value in window.values:
        low = value if value < low else low
        high = value if value > high else high
    return low, high


@njit(cache=True, error_model="numpy")
def window_position(window: Window) -> float:
    """Return where the last value lies between the least (0) and the largest (1) of the window; ½ if all are equal."""
    low, high = window_range(window)
    return (lagged(window, 0) - low) / (high - low) if high > low else 0.5


@njit(cache=True, error_model="numpy")
def mean_step(state: MovingMean, value: float, first: bool) -> None:
    """Advance a moving mean; its sum is taken afresh once in every window, so that rounding cannot pile up."""
    oldest = lagged(state.window, state.window.values.shape[0] - 1)
    if push(state.window, value, first):
        state.total = 0.0
        for held in state.window.values:
            state.total += held
    else:
        state.total += value - oldest


@njit(cache=True, error_model="numpy")
def moving_mean(state: MovingMean) -> float:
    """Return the mean of the window."""
    return state.total / state.window.values.shape[0]


@njit(cache=True, error_model="numpy")
def averaged(average: float, value: float, weight: float, first: bool) -> float:
    """Return an exponential average after one bar, (1 - w) a + w v; it starts at the ``first`` value."""
    return value if first else (1.0 - weight) * average + weight * value


@njit(cache=True, error_model="numpy")
def rsi_step(state: Rsi, price: float, window: int, first: bool) -> float:
    """Advance the relative strength index by one bar.

    RSI = 100 gain / (gain + loss) with Wilder's averages of weight 1/window, started at zero as in ``ta``; 50 where
    the price has never moved.

    References
    ----------
    Wilder, J.W. (1978), *New Concepts in Technical Trading Systems*.
    """
    change = 0.0 if first else price - state.last
    state.last = price
    state.gain = averaged(state.gain, max(change, 0.0), 1.0 / window, first)
    state.loss = averaged(state.loss, max(-change, 0.0), 1.0 / window, first)
    return strength(state.gain, state.loss)


@njit(cache=True, error_model="numpy")
def strength(gain: float, loss: float) -> float:
    """Return the relative strength index, 0 … 100, of an average rise and fall; 50 where there is neither."""
    moved = gain + loss
    return 100.0 * gain / moved if moved > 0.0 else 50.0


@njit(cache=True, error_model="numpy")
def macd_step(state: Macd, price: float, spans: tuple[int, int, int], first: bool) -> None:
    """Advance the moving-average convergence divergence by one bar.

    Line = EMA(fast) - EMA(slow), histogram = line - EMA(signal) of the line, weights 2 / (span + 1), in price units.
    """
    state.fast = averaged(state.fast, price, 2.0 / (spans[0] + 1.0), first)
    state.slow = averaged(state.slow, price, 2.0 / (spans[1] + 1.0), first)
    state.signal = averaged(state.signal, state.fast - state.slow, 2.0 / (spans[2] + 1.0), first)


@njit(cache=True, error_model="numpy")
def macd_values(state: Macd) -> tuple[float, float]:
    """Return line and histogram, price units."""
    line = state.fast - state.slow
    return line, line - state.signal


def rsi(prices: npt.ArrayLike, window: int = 14) -> Float1D:
    """Return the relative strength index of each bar, 0 … 100; see :func:`rsi_step`.

    Parameters
    ----------
    prices : array_like
        (T,), finite.
    window : int
        Wilder's window.
    """
    return _rsi(np.ascontiguousarray(prices, np.float64), window, blank(RSI))


def stochastic_rsi(prices: npt.ArrayLike, window: int = 14) -> Float1D:
    """Return where the RSI lies in its own range over the last ``window`` bars, 0 … 1; ½ where it did not move."""
    return _stochastic_rsi(np.ascontiguousarray(prices, np.float64), window, blank(RSI), blank(window_dtype(window)))


def macd(prices: npt.ArrayLike, fast: int = 12, slow: int = 26, signal: int = 9) -> Float2D:
    """Return line and histogram of the MACD of each bar, (T, 2), in price units; see :func:`macd_step`."""
    return _macd(np.ascontiguousarray(prices, np.float64), (fast, slow, signal), blank(MACD))


def ewma_volatility(prices: npt.ArrayLike, decay: float = 0.94) -> Float1D:
    """Return the RiskMetrics volatility per bar, (T,): v ← λ v + (1 - λ) r² of log returns, started at zero."""
    return _ewma_volatility(np.ascontiguousarray(prices, np.float64), decay)


@njit(cache=True)
def _rsi(prices: Float1D, window: int, state: Rsi) -> Float1D:
    values = np.empty_like(prices)
    for t in range(prices.shape[0]):
        values[t] = rsi_step(state, prices[t], window, t == 0)
    return values


@njit(cache=True)
def _stochastic_rsi(prices: Float1D, window: int, state: Rsi, recent: Window) -> Float1D:
    values = np.empty_like(prices)
    for t in range(prices.shape[0]):
        push(recent, rsi_step(state, prices[t], window, t == 0), t == 0)
        values[t] = window_position(recent)
    return values


@njit(cache=True)
def _macd(prices: Float1D, spans: tuple[int, int, int], state: Macd) -> Float2D:
    values = np.empty((prices.shape[0], 2))
    for t in range(prices.shape[0]):
        macd_step(state, prices[t], spans, t == 0)
        values[t, 0], values[t, 1] = macd_values(state)
    return values


@njit(cache=True)
def _ewma_volatility(prices: Float1D, decay: float) -> Float1D:
    values, variance = np.zeros_like(prices), 0.0
    for t in range(1, prices.shape[0]):
        change = math.log(prices[t]) - math.log(prices[t - 1])
        variance = averaged(variance, change * change, 1.0 - decay, False)
        values[t] = math.sqrt(variance)
    return values
