"""The reference task: episodes whose spread is a known Ornstein-Uhlenbeck process, with features that say nothing else.

What the best policy earns on them is known (:mod:`perpfut_lib.policies.oracle`), so a learner that falls short has
only itself to blame.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from perpfut_lib.accounting import BPS, make_market
from perpfut_lib.env.episodes import Episodes
from perpfut_lib.types import Float2D, Float32

MEMORIES = (1.0, 10.0, 60.0, 240.0)  # half-lives of the distracting features, bars


@dataclass(frozen=True)
class Planted:
    """The reference task; its defaults are those that the learnability figures are reported for."""

    half_life: float = 60.0
    """Bars in which a deviation halves."""
    std_bps: float = 30.0
    """Stationary standard deviation of the spread per unit of gross exposure, basis points; 0 plants nothing."""
    noise_bps: float = 0.0
    """Innovation per bar of a random walk beside the planted spread, basis points of gross exposure: no edge in it."""
    length: int = 1440
    """Decisions per episode."""
    features: int = 40
    """Features: the spread's z-score, then distractors that are independent of everything."""

    def persistence(self) -> float:
        """Return φ of z' = φ z + √(1-φ²) ε."""
        return float(2.0 ** (-1.0 / self.half_life))


def planted_episodes(task: Planted, count: int, seed: int) -> Episodes:
    """Return ``count`` episodes of a reference ``task``, all of split ``train``, with β = 1 and no funding.

    The same ``seed`` gives the same episodes.

    Legs move by plus and minus the spread per unit of gross exposure, so that an exposure of one earns what the spread
    moves; a decision fills at the price that it has seen.
    """
    generator = np.random.default_rng(seed)
    z = _stationary(generator, task.persistence(), (count, task.length + 1))
    walk = np.cumsum(generator.normal(0.0, task.noise_bps, z.shape), axis=1)
    spread = BPS * (task.std_bps * z + walk)
    fills = np.stack([100.0 * np.exp(spread), 100.0 * np.exp(-spread)], axis=2)
    marks = fills[:, :-1].copy()
    times = np.zeros((count, 1), np.int64) + np.arange(task.length + 1) * 60_000
    return Episodes(
        pair_days=pd.DataFrame({"split": ["train"] * count, "beta": 1.0}),
        features=_features(generator, z, task),
        market=make_market(fills, marks, np.zeros_like(marks)),
        fill_times=times,
        hedge_ratio=np.ones(count),
        names=("z", *(f"distractor_{number}" for number in range(1, task.features))),
        lookback=1,
    )


def _features(generator: np.random.Generator, z: Float2D, task: Planted) -> Float32:
    features = np.empty((len(z), task.length, task.features), np.float32)
    features[:, :, 0] = z[:, :-1]
    for column in range(1, task.features):
        memory = 2.0 ** (-1.0 / MEMORIES[column % len(MEMORIES)])
        features[:, :, column] = _stationary(generator, memory, features.shape[:2])
    return features


def _stationary(generator: np.random.Generator, persistence: float, shape: tuple[int, ...]) -> Float2D:
    """Return paths of a stationary first-order autoregression with unit variance."""
    noise = generator.standard_normal(shape)
    noise[:, 1:] *= np.sqrt(1.0 - persistence**2)
    from scipy.signal import lfilter  # half a second to import

    paths: Float2D = lfilter([1.0], [1.0, -persistence], noise, axis=1)
    return paths
