"""Compiled recursions of the simulated market: clustered volatility, factor returns, spreads, candles."""

from typing import Final

import numba
import numpy as np

from perpfut_lib.types import Float1D, Float2D

MINUTES_PER_DAY: Final = 1440
# Hour-of-day volatility (UTC) of 18 Binance USD-M perpetuals, May-June 2025, relative to the day's mean.
_MORNING: Final = (1.34, 1.22, 1.02, 1.00, 0.93, 0.80, 0.90, 0.92, 1.00, 0.94, 0.90, 0.82)
_EVENING: Final = (0.96, 1.21, 1.25, 1.08, 1.15, 1.03, 0.93, 0.89, 0.81, 0.83, 1.02, 1.04)
SEASON: Final = np.array([*_MORNING, *_EVENING])
# Log-volatility, (half-life in minutes, stationary standard deviation): parts shared by all, and a part of each factor.
SHARED_VOLATILITY: Final = ((1440.0, 0.34), (12.0, 0.38))
OWN_VOLATILITY: Final = (40.0, 0.25)
INSTANT_VOLATILITY: Final = 0.42
BRIDGE: Final = 0.8  # a bar's inner path is this much calmer than a Brownian bridge, as high-low ranges show


def season(bars: int, first_minute: int) -> Float1D:
    """Return the intraday volatility factor of each bar, (bars,), with a mean square of one over a day."""
    hours = (np.arange(MINUTES_PER_DAY) + 0.5) / 60 - 0.5
    day = np.interp(hours, np.arange(-1, 25), np.concatenate([SEASON[-1:], SEASON, SEASON[:1]]))
    day /= np.sqrt(np.mean(day**2))
    factor: Float1D = day[(first_minute + np.arange(bars)) % MINUTES_PER_DAY]
    return factor


def activity(rng: np.random.Generator, bars: int, first_minute: int) -> Float1D:
    """Return the market's volatility relative to its root mean square, (bars,): season times two clustered parts."""
    log_volatility = np.zeros(bars)
    for half_life, std in SHARED_VOLATILITY:
        log_volatility += ornstein_uhlenbeck(rng, bars, half_life, std) - std**2
    level: Float1D = season(bars, first_minute) * np.exp(log_volatility)
    return level


@numba.njit(cache=True)
def factor_returns(
    rng: np.random.Generator, level: Float1D, jumps_per_day: float, jump_size: float
) -> tuple[Float1D, Float1D]:
    """Return unit-variance returns with volatility clustering and jumps, (T,), and each bar's volatility without jumps.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    level : (T,)
        The market's volatility, of mean square one: :func:`activity`.
    jumps_per_day : float
        Expected number of jumps a day.
    jump_size : float
        Standard deviation of a jump, in standard deviations of a one-minute return.
    """
    returns, volatility = np.empty(level.size), np.empty(level.size)
    chance = jumps_per_day / MINUTES_PER_DAY
    scale = 1.0 / np.sqrt(1.0 + chance * jump_size**2)
    half_life, std = OWN_VOLATILITY
    phi = 0.5 ** (1.0 / half_life)
    own = std * rng.standard_normal()
    mean = std**2 + INSTANT_VOLATILITY**2  # half of log E[exp(2h)], so that the variance stays one
    for t in range(level.size):
        own = phi * own + std * np.sqrt(1.0 - phi * phi) * rng.standard_normal()
        volatility[t] = scale * level[t] * np.exp(own + INSTANT_VOLATILITY * rng.standard_normal() - mean)
        returns[t] = volatility[t] * rng.standard_normal()
        if rng.random() < chance:
            returns[t] += scale * jump_size * rng.standard_normal()
    return returns, volatility


@numba.njit(cache=True)
def ornstein_uhlenbeck(rng: np.random.Generator, points: int, half_life: float, std: float) -> Float1D:
    """Return a stationary Ornstein-Uhlenbeck path, (points,): s' = φs + ε a bar later, with φ = 2^(-1/half_life)."""
    phi = 0.5 ** (1.0 / half_life)
    step = std * np.sqrt(1.0 - phi * phi)
    path = np.empty(points)
    level = std * rng.standard_normal()
    for t in range(points):
        path[t] = level
        level = phi * level + step * rng.standard_normal()
    return path


@numba.njit(cache=True)
def candles(
    rng: np.random.Generator, log_mid: Float1D, volatility: Float1D, ticks_per_unit: float, out: Float2D
) -> None:
    """Write trade prices of each bar into ``out``, (T, 4): open, high, low, close.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    log_mid : (T + 1,)
        Log mid price at the bars' edges.
    volatility : (T,)
        Standard deviation of the log mid price within each bar.
    ticks_per_unit : float
        Inverse of the tick size, a power of ten, so that a price is the closest double to its decimal text.
    out : (T, 4)
        Written in place.

    Notes
    -----
    A trade happens at the bid or the ask (the ticks around the mid price) with equal chance: the bid-ask bounce. The
    high and the low of the mid price are extremes of a Brownian bridge between its two ends.
    """
    for t in range(volatility.size):
        a, b = log_mid[t], log_mid[t + 1]
        variance = 2.0 * (BRIDGE * volatility[t]) ** 2
        top = 0.5 * (a + b + np.sqrt((b - a) ** 2 - variance * np.log(1.0 - rng.random())))
        bottom = 0.5 * (a + b - np.sqrt((b - a) ** 2 - variance * np.log(1.0 - rng.random())))
        first = np.floor(np.exp(a) * ticks_per_unit) + (1.0 if rng.random() < 0.5 else 0.0)
        last = np.floor(np.exp(b) * ticks_per_unit) + (1.0 if rng.random() < 0.5 else 0.0)
        high = np.floor(np.exp(top) * ticks_per_unit) + 1.0
        low = np.floor(np.exp(bottom) * ticks_per_unit)
        out[t, 0] = max(first, 1.0) / ticks_per_unit
        out[t, 1] = max(high, first, last, 1.0) / ticks_per_unit
        out[t, 2] = max(min(low, first, last), 1.0) / ticks_per_unit
        out[t, 3] = max(last, 1.0) / ticks_per_unit


@numba.njit(cache=True)
def volumes(rng: np.random.Generator, level: Float1D, typical: float, lots_per_unit: float) -> Float1D:
    """Return log-normal volumes in base units on the lot grid, (T,), larger in volatile bars, never zero.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    level : (T,)
        Volatility of each bar relative to its mean.
    typical : float
        Median volume of a bar, base units.
    lots_per_unit : float
        Inverse of the lot size, a power of ten.
    """
    out = np.empty(level.size)
    interest = 0.6 * rng.standard_normal()
    for t in range(level.size):
        interest = 0.95 * interest + 0.6 * np.sqrt(1.0 - 0.95**2) * rng.standard_normal()
        size = typical * np.exp(interest + 0.9 * np.log(level[t]) + 0.2 * rng.standard_normal())
        out[t] = max(np.floor(size * lots_per_unit), 1.0) / lots_per_unit
    return out
