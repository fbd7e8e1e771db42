"""What one pair's spread says: a recursion that starts with the formation window and is warm when trading begins."""

import math
from collections.abc import Hashable, Mapping
from typing import Any, Final, NamedTuple, Protocol, Self

import numpy as np
import pandas as pd
from numba import njit

from perpfut_lib.features.asset import LEAST_VOLATILITY, Indicators
from perpfut_lib.indicators import (
    MovingMean,
    Window,
    averaged,
    lagged,
    mean_dtype,
    mean_step,
    moving_mean,
    push,
    window_dtype,
)
from perpfut_lib.kalman import KALMAN, Kalman, kalman_step
from perpfut_lib.types import DAY_MS, Float2D

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
    def of(cls, row: "pd.Series | Mapping[Hashable, Any]", formation: int, timeframe: int) -> Self:
        """Return the pair of one row of the pair-days table; ``formation`` and ``timeframe`` in ms."""
        times = (row["start"] - formation, row["start"], row["end"], timeframe)
        pair = cls(*(float(row[name]) for name in cls._fields[:7]), *map(float, times))
        # A spread that never reverts has an infinite half-life, of which a feature can only say "longer than I saw".
        return pair._replace(half_life=min(max(pair.half_life, LEAST_HALF_LIFE), formation / timeframe))


PAIR: Final = np.dtype([(name, np.float64) for name in Pair._fields])
"""The record of a :class:`Pair`."""


class PairState(Protocol):
    """What the recursion remembers of one pair; a record of :func:`pair_dtype`."""

    bars: float
    """Bars seen."""
    anchor: float
    """Log close of the second leg at the first bar: the filter's hedge ratio turns about it."""
    filter: Kalman
    """Shift of the spread's level and of the hedge ratio, in units of the spread's standard deviation."""
    surprise: float
    """Last innovation of the filter, in standard deviations of the innovation."""
    level: float
    """Mean of the local-level filter of the z-score."""
    level_variance: float
    """Variance of the same."""
    variance: float
    """EWMA variance of the spread's changes."""
    spreads: Window
    """Last spreads, LONGEST_MOMENTUM + 1."""
    mean: MovingMean
    """Moving mean of the spread."""
    start_spread: float
    """Spread at the last bar before trading."""


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


def pair_dtype(indicators: Indicators) -> np.dtype[np.void]:
    """Return the record of a :class:`PairState`."""
    return np.dtype(
        [
            ("bars", np.float64),
            ("anchor", np.float64),
            ("filter", KALMAN),
            ("surprise", np.float64),
            ("level", np.float64),
            ("level_variance", np.float64),
            ("variance", np.float64),
            ("spreads", window_dtype(LONGEST_MOMENTUM + 1)),
            ("mean", mean_dtype(indicators.mean)),
            ("start_spread", np.float64),
        ]
    )


def empty_pair(pair: Pair, indicators: Indicators) -> Any:
    """Return the state of a pair before the first bar of its formation window.

    The filter starts as sure of level and hedge ratio as the formation regression is, were its noise white.
    """
    state = np.zeros(1, pair_dtype(indicators))[0]
    bars = (pair.start - pair.formation_start) / pair.timeframe
    state["filter"]["P"] = np.diag([1.0 / bars, 1.0 / (bars * second_leg_std(pair) ** 2)])
    state["level_variance"] = 1.0
    return state


def filter_noise(pair: Pair, indicators: Indicators) -> Float2D:
    """Return the covariance of the filter's random walk per bar, in variances of the spread and of x in log price."""
    std = second_leg_std(pair)
    cross = indicators.cross_noise / std
    return np.array([[indicators.level_noise, cross], [cross, indicators.hedge_noise / std**2]])


@njit(cache=True, error_model="numpy")
def advance_pair(
    indicators: Indicators, pair: Pair, noise: Float2D, state: PairState, bar: tuple[float, float, float]
) -> None:
    """Advance ``state`` in place by one bar: its open time (ms) and the log closes of the first and the second leg."""
    open_time, log_y, log_x = bar
    first = state.bars == 0.0
    state.bars += 1.0
    spread = log_y - pair.alpha - pair.beta * log_x
    z = (spread - pair.spread_mean) / pair.spread_std
    if first:
        state.anchor = log_x
    change = 0.0 if first else spread - lagged(state.spreads, 0)
    push(state.spreads, spread, first)
    mean_step(state.mean, spread, first)
    state.variance = averaged(state.variance, change * change, 1.0 - indicators.decay, first)
    innovation, uncertainty = kalman_step(state.filter, z, log_x - state.anchor, noise, indicators.observation_noise)
    state.surprise = innovation / math.sqrt(uncertainty)
    # A random walk of variance memory^-2 per bar has a steady-state gain of about 1/memory.
    variance = state.level_variance + 1.0 / indicators.mean**2
    gain = variance / (variance + 1.0)
    state.level += gain * (z - state.level)
    state.level_variance = (1.0 - gain) * variance
    if open_time < pair.start:
        state.start_spread = spread


@njit(cache=True, error_model="numpy")
def describe_pair(pair: Pair, state: PairState, open_time: float) -> PairQuantities:
    """Return what is said after the bar of ``open_time`` (ms), by which ``state`` has been advanced."""
    spread, per_std = lagged(state.spreads, 0), 1.0 / pair.spread_std
    volatility = max(math.sqrt(state.variance), LEAST_VOLATILITY)
    decided = open_time + pair.timeframe
    hour = 2.0 * math.pi * ((int(decided) % DAY_MS) / DAY_MS)
    return PairQuantities(
        (spread - pair.spread_mean) * per_std,
        state.surprise,
        state.filter.theta[1] * pair.spread_std / (1.0 + abs(pair.beta)),
        state.level,
        (moving_mean(state.mean) - pair.spread_mean) * per_std,
        volatility,
        volatility * per_std,
        (spread - lagged(state.spreads, 5)) * per_std,
        (spread - lagged(state.spreads, 15)) * per_std,
        (spread - lagged(state.spreads, LONGEST_MOMENTUM)) * per_std,
        (spread - state.start_spread) * per_std,
        pair.alpha,
        pair.beta,
        pair.correlation,
        pair.pvalue,
        pair.half_life,
        max(decided - pair.start, 0.0) / (pair.end - pair.start),
        math.sin(hour),
        math.cos(hour),
    )


def second_leg_std(pair: Pair) -> float:
    """Return the standard deviation of the second leg's log price, from ρ² = β² var x / var y = 1 - var s / var y."""
    square = pair.correlation**2
    ratio = math.sqrt(square / max(1.0 - square, 1e-12)) / max(abs(pair.beta), 1e-12) if square else 1.0
    return ratio * pair.spread_std
