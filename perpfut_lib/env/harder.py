"""The harder task: a spread that is seen through noise, whose half-life and mean are unknown, change, and may break.

Decisions are filled at the next bar's price. Features are those of the study that a trader could have computed, so a
rule in the latest z-score alone falls short.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from perpfut_lib.accounting import BPS, make_market
from perpfut_lib.env.episodes import Episodes
from perpfut_lib.types import Bool2D, Float1D, Float2D, Float32, Int2D

FORMATION = 1440
"""Bars before an episode that its z-score and first estimates come from; nothing breaks in them."""
FAST, SLOW = 8, 480
"""Half-lives of the running means of a filtered and of a centred spread, bars."""
NAMES = ("spread_z", "kalman_z", "momentum_5", "momentum_60", "distance", "spread_volatility", "half_life", "elapsed")


@dataclass(frozen=True)
class Harder:
    """The harder task; its defaults are those that figures are reported for."""

    half_lives: tuple[float, ...] = (20.0, 40.0, 80.0, 160.0, 320.0)
    """Half-lives that a spread may have, bars."""
    changes: float = 2.0
    """Changes of the half-life per episode, on average."""
    breaks: float = 0.3
    """Breaks per episode, on average: from then on the spread is a random walk."""
    std_bps: float = 30.0
    """Stationary standard deviation of the spread, basis points of gross exposure."""
    wander_bps: float = 30.0
    """Standard deviation by which its mean moves in an episode, a random walk, basis points."""
    seen_noise: float = 0.5
    """Standard deviation of the noise in what is seen, in those of the spread; fills are at the true price."""
    length: int = 1440
    """Decisions per episode."""
    distractors: int = 8
    """Features that are independent of everything."""

    def persistence(self) -> Float1D:
        """Return φ of z' = φ z + √(1-φ²) ε for each half-life, (H,)."""
        return np.asarray(2.0 ** (-1.0 / np.array(self.half_lives)))

    def wander_per_bar(self) -> float:
        """Return the deviation of the mean's step, basis points."""
        return float(self.wander_bps / self.length**0.5)


@dataclass(frozen=True)
class Truth:
    """What nobody sees, at each decision, (E, L) each."""

    z: Float2D
    """Deviation from the mean, in standard deviations."""
    regime: Int2D
    """Index of the half-life."""
    broken: Bool2D
    """Whether the spread has stopped to revert."""


def harder_episodes(task: Harder, count: int, seed: int) -> tuple[Episodes, Truth]:
    """Return ``count`` episodes of the harder ``task``, of split ``train`` with β = 1, and the truth behind them.

    The same ``seed`` gives the same episodes. No feature is NaN.
    """
    generator = np.random.default_rng(seed)
    shape, now = (count, FORMATION + task.length + 2), slice(FORMATION, FORMATION + task.length)
    regime, broken = _regimes(generator, task, shape)
    z = _spread(generator, task.persistence()[regime], broken)
    price = task.std_bps * z + np.cumsum(generator.normal(0.0, task.wander_per_bar(), shape), axis=1)
    seen = price + generator.normal(0.0, task.seen_noise * task.std_bps, shape)
    legs = np.stack([100.0 * np.exp(BPS * price), 100.0 * np.exp(-BPS * price)], axis=2)
    fills, marks = legs[:, FORMATION + 1 :].copy(), legs[:, now].copy()
    episodes = Episodes(
        pair_days=pd.DataFrame({"split": ["train"] * count, "beta": 1.0}),
        features=_features(generator, seen, task)[:, now],
        market=make_market(fills, marks, np.zeros_like(marks)),
        fill_times=np.zeros((count, 1), np.int64) + np.arange(task.length + 1) * 60_000,
        hedge_ratio=np.ones(count),
        names=(*NAMES, *(f"distractor_{number}" for number in range(1, task.distractors + 1))),
        lookback=1,
    )
    return episodes, Truth(z[:, now], regime[:, now], broken[:, now])


def _regimes(generator: np.random.Generator, task: Harder, shape: tuple[int, int]) -> tuple[Int2D, Bool2D]:
    """Return the index of the half-life and whether the spread has broken, (E, T) each."""
    changes = generator.random(shape) < task.changes / task.length
    changes[:, 0] = True
    drawn = generator.integers(0, len(task.half_lives), shape)
    latest = np.maximum.accumulate(np.where(changes, np.arange(shape[1]), 0), axis=1)
    breaks = generator.random(shape) < task.breaks / task.length
    breaks[:, :FORMATION] = False
    return np.take_along_axis(drawn, latest, axis=1), np.logical_or.accumulate(breaks, axis=1)


def _spread(generator: np.random.Generator, persistence: Float2D, broken: Bool2D) -> Float2D:
    """Return paths with unit variance while they revert; a broken one moves as much and reverts no more."""
    z = generator.standard_normal(persistence.shape)
    z[:, 1:] *= np.sqrt(1.0 - persistence[:, 1:] ** 2)
    kept = np.where(broken, 1.0, persistence)
    for bar in range(1, z.shape[1]):
        z[:, bar] += kept[:, bar] * z[:, bar - 1]
    return z


def _features(generator: np.random.Generator, seen: Float2D, task: Harder) -> Float32:
    """Return the features of every bar (E, T, F), each from bars up to its own."""
    start = seen[:, :FORMATION]
    unit = start.std(axis=1, keepdims=True)
    y = (seen - start.mean(axis=1, keepdims=True)) / unit
    filtered, center = _running_mean(y, FAST), _running_mean(y, SLOW)
    gap = filtered - center
    elapsed = np.broadcast_to((np.arange(y.shape[1]) - FORMATION) / task.length, y.shape)
    columns = [y, gap, _change(filtered, 5), _change(filtered, 60), y - center, _log_move(filtered), _log_life(gap)]
    noise = generator.standard_normal((*y.shape, task.distractors), np.float32)
    return np.concatenate([np.stack([*columns, elapsed], axis=2).astype(np.float32), noise], axis=2)


def _running_mean(values: Float2D, half_life: float) -> Float2D:
    """Return the exponentially weighted mean from the first bar on."""
    keep = 2.0 ** (-1.0 / half_life)
    mean: Float2D = lfilter([1.0 - keep], [1.0, -keep], values, axis=1, zi=keep * values[:, :1])[0]
    return mean


def _change(values: Float2D, bars: int) -> Float2D:
    """Return the change over some bars, zero where there are fewer."""
    change = np.zeros_like(values)
    change[:, bars:] = values[:, bars:] - values[:, :-bars]
    return change


def _log_move(values: Float2D) -> Float2D:
    """Return the logarithm of the mean move per bar."""
    move: Float2D = np.log(_running_mean(np.abs(_change(values, 1)), 60) + 1e-4) + 4.0
    return move


def _log_life(gap: Float2D) -> Float2D:
    """Return the logarithm of the half-life that a first-order autoregression of the recent gaps has, less 4."""
    before = np.concatenate([gap[:, :1], gap[:, :-1]], axis=1)
    slope = _running_mean((gap - before) * before, SLOW) / (_running_mean(before**2, SLOW) + 1e-6)
    life: Float2D = np.log(np.log(2.0) / np.clip(-slope, 1e-3, 0.5)) - 4.0
    return life
