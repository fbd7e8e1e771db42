"""What one pair's spread says: a recursion that starts with the formation window and is warm when trading begins."""

import math
from typing import Final, NamedTuple, Self

import numpy as np
import pandas as pd
from numba import njit

from perpfut_lib.features.asset import LEAST_VOLATILITY, Indicators
from perpfut_lib.indicators import Window, average_step, empty_window, lagged, push, window_mean
from perpfut_lib.kalman import KalmanState, kalman_step
from perpfut_lib.types import DAY_MS, Float1D, Float2D

LONGEST_MOMENTUM: Final = 60
LEAST_HALF_LIFE: Final = 0.1


class Pair(NamedTuple):
    """One pair on one trading window: fixed numbers, from its formation window and the calendar."""

    alpha: float
    beta: float
    """Hedge ratio."""
    correlation: float
    pvalue: float
    half_life: float
    """Bars."""
    spread_mean: float
    spread_std: float
    """Log price."""
    formation_start: float
    """Open time of the first formation bar, ms UTC."""
    start: float
    """Open time of the first trading bar, ms UTC."""
    end: float
    """End of trading, ms UTC."""
    timeframe: float
    """ms."""

    @classmethod
    def of(cls, row: pd.Series, formation: int, timeframe: int) -> Self:
        """Return the pair of one row of the pair-days table; ``formation`` and ``timeframe`` in ms."""
        times = (row["start"] - formation, row["start"], row["end"], timeframe)
        pair = cls(*(float(row[name]) for name in cls._fields[:7]), *map(float, times))
        # A spread that never reverts has an infinite half-life, of which a feature can only say "longer than I saw".
        return pair._replace(half_life=min(max(pair.half_life, LEAST_HALF_LIFE), formation / timeframe))


class PairState(NamedTuple):
    """What the recursion remembers of one pair."""

    bars: Float1D
    """Bars seen, (1,)."""
    anchor: Float1D
    """Log close of the second leg at the first bar: the filter's hedge ratio turns about it, (1,)."""
    filter: KalmanState
    """Shift of the spread's level and of the hedge ratio, in units of the spread's standard deviation."""
    level: Float1D
    """Local-level filter of the z-score: mean and variance, (2,)."""
    variance: Float1D
    """EWMA variance of the spread's changes, (1,)."""
    spreads: Window
    """Last spreads."""
    start_spread: Float1D
    """Spread at the last bar before trading, (1,)."""


class PairQuantities(NamedTuple):
    """What is computed of one pair at each bar; z is in standard deviations of the formation window."""

    spread_z: float
    kalman_z: float
    hedge_drift: float
    kalman_mean: float
    spread_mean: float
    spread_volatility: float
    volatility_ratio: float
    momentum_5: float
    momentum_15: float
    momentum_60: float
    distance: float
    alpha: float
    beta: float
    correlation: float
    pvalue: float
    half_life: float
    elapsed: float
    hour_sin: float
    hour_cos: float


def empty_pair(pair: Pair, indicators: Indicators) -> PairState:
    """Return the state of a pair before the first bar of its formation window."""
    bars = (pair.start - pair.formation_start) / pair.timeframe
    prior = np.diag([1.0 / bars, 1.0 / (bars * _second_leg_std(pair) ** 2)])
    return PairState(
        np.zeros(1),
        np.zeros(1),
        KalmanState.initial(P0=prior),
        np.array([0.0, 1.0]),
        np.zeros(1),
        empty_window(max(LONGEST_MOMENTUM + 1, indicators.mean)),
        np.zeros(1),
    )


def filter_noise(pair: Pair, indicators: Indicators) -> Float2D:
    """Return the covariance of the filter's random walk per bar, relative to the spread's variance.

    A random walk whose variance is memory^-2 of the observation noise has a steady-state gain of 1/memory. The hedge
    ratio walks so that, one standard deviation of the second leg away, that moves the spread as much as the level does.
    """
    rate = indicators.kalman_memory**-2
    return np.diag([rate, rate / _second_leg_std(pair) ** 2])


@njit(cache=True)
def pair_step(
    indicators: Indicators, pair: Pair, noise: Float2D, state: PairState, bar: tuple[float, float, float]
) -> PairQuantities:
    """Advance ``state`` in place by one bar and return what it says.

    ``bar`` is open time (ms), close of the first leg, close of the second.
    """
    open_time, close_y, close_x = bar
    first = state.bars[0] == 0.0
    state.bars[0] += 1.0
    log_x = math.log(close_x)
    spread = math.log(close_y) - pair.alpha - pair.beta * log_x
    z = (spread - pair.spread_mean) / pair.spread_std
    if first:
        state.anchor[0] = log_x
    push(state.spreads, spread, first)
    change = spread - lagged(state.spreads, 1)
    variance = average_step(state.variance, change * change, 1.0 - indicators.decay, first)
    innovation, uncertainty = kalman_step(state.filter, z, log_x - state.anchor[0], noise, 1.0)
    if open_time < pair.start:
        state.start_spread[0] = spread
    volatility = max(math.sqrt(variance), LEAST_VOLATILITY)
    decided = open_time + pair.timeframe
    hour = 2.0 * math.pi * ((decided % DAY_MS) / DAY_MS)
    return PairQuantities(
        z,
        innovation / math.sqrt(uncertainty),
        state.filter.theta[1] * pair.spread_std / (1.0 + abs(pair.beta)),
        _level_step(state.level, z, indicators.mean),
        (window_mean(state.spreads, indicators.mean) - pair.spread_mean) / pair.spread_std,
        volatility,
        volatility / pair.spread_std,
        (spread - lagged(state.spreads, 5)) / pair.spread_std,
        (spread - lagged(state.spreads, 15)) / pair.spread_std,
        (spread - lagged(state.spreads, LONGEST_MOMENTUM)) / pair.spread_std,
        (spread - state.start_spread[0]) / pair.spread_std,
        pair.alpha, pair.beta, pair.correlation, pair.pvalue, pair.half_life,
        max(decided - pair.start, 0.0) / (pair.end - pair.start), math.sin(hour), math.cos(hour),
    )  # fmt: skip


@njit(cache=True)
def _level_step(level: Float1D, z: float, memory: int) -> float:
    """Advance a local-level Kalman filter of steady-state gain 1/memory; return the filtered mean."""
    variance = level[1] + 1.0 / memory**2
    gain = variance / (variance + 1.0)
    level[0] += gain * (z - level[0])
    level[1] = (1.0 - gain) * variance
    return float(level[0])


def _second_leg_std(pair: Pair) -> float:
    """Return the standard deviation of the second leg's log price, from ρ² = β² var x / var y = 1 - var s / var y."""
    square = pair.correlation**2
    ratio = math.sqrt(square / max(1.0 - square, 1e-12)) / max(abs(pair.beta), 1e-12) if square else 1.0
    return ratio * pair.spread_std
