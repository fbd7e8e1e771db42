"""Baselines: policies that learn nothing, behind the same protocol."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from perpfut_lib.accounting import Sizing
from perpfut_lib.errors import PolicyError
from perpfut_lib.types import Float1D, Float32

PLAIN: Final = Sizing()
TUNED: Final = ("z-score", "ou-stopping", "ridge")
"""Names of the baselines that are fitted to the fee that they are tested at."""


@dataclass(frozen=True)
class Layout:
    """Where the features lie in an observation, and how they were scaled."""

    names: tuple[str, ...]
    lookback: int
    center: Float1D
    scale: Float1D

    def column(self, name: str) -> int:
        """Return the column of a feature's newest row; :class:`PolicyError` if it is not observed."""
        if name not in self.names:
            raise PolicyError(f"no feature {name!r}", f"one of {', '.join(self.names)}", "choose another baseline")
        return (self.lookback - 1) * len(self.names) + self.names.index(name)

    def raw(self, observation: Float32, name: str) -> Float1D:
        """Return a feature's newest value (P,) in its own unit."""
        first = self.column(self.names[0])
        return self.unscaled(observation[:, first : first + len(self.names)], name)

    def unscaled(self, rows: Float32, name: str) -> Float1D:
        """Return a feature in its own unit, (N,), from scaled feature rows (N, F)."""
        index = self.names.index(name)
        scaled: Float1D = rows[:, index].astype(np.float64)
        return scaled * self.scale[index] + self.center[index]


@dataclass(frozen=True)
class Constant:
    """The same exposure at all times: 0 is flat, 1 long and -1 short the spread."""

    exposure: float
    sizing: Sizing = PLAIN

    def act(self, observation: Float32) -> Float1D:
        """Return the exposure for each row."""
        return np.full(len(observation), self.exposure)


@dataclass(frozen=True)
class FunctionPolicy:
    """Someone else's policy: a function from observations (P, D) to P actions, such as a model's forward pass.

    ``FunctionPolicy(lambda seen: model.predict(seen, deterministic=True)[0])`` takes one of Stable-Baselines3.
    """

    function: Callable[[Float32], npt.ArrayLike]
    """Deterministic, and blind to other rows: row p of its answer depends on row p of the observations only."""
    sizing: Sizing = PLAIN
    """How its actions become target weights."""

    def act(self, observation: Float32) -> Float1D:
        """Return the function's actions (P,).

        Raises
        ------
        PolicyError
            There is not one number per row, or one that is not finite or lies outside [-1, 1].
        """
        action = np.asarray(self.function(observation), np.float64)
        if action.size != len(observation):
            found = f"an answer of shape {action.shape} to {len(observation)} observations"
            raise PolicyError(found, "one action per row", "return an array of shape (P,)")
        action = action.reshape(len(observation))
        bad = np.flatnonzero(~(np.abs(action) <= 1.0))
        if len(bad):
            raise PolicyError(
                f"action {action[bad[0]]:g}", "actions in [-1, 1]", "clip or scale what the function returns"
            )
        return action


@dataclass(frozen=True)
class ZScoreRule:
    """The textbook rule: against the spread beyond ``entry`` standard deviations, out within ``exit``.

    What is held is read from the observation, so the rule needs no memory. Thresholds are numbers, or one a row.
    """

    layout: Layout
    entry: float | Float1D = 2.0
    exit: float | Float1D = 0.5
    sizing: Sizing = PLAIN

    def act(self, observation: Float32) -> Float1D:
        """Return +1, -1 or 0 per row."""
        z = self.layout.raw(observation, "spread_z")
        side = np.sign(observation[:, -3]).astype(np.float64)
        stay = (side != 0) & (side * z < -self.exit)
        return np.where(np.abs(z) > self.entry, -np.sign(z), np.where(stay, side, 0.0))


@dataclass(frozen=True)
class RandomSwitch:
    """A coin-flip trader: keeps its side, and with a fixed probability draws a new one.

    Its randomness is a hash of the observation and the seed, so it is stateless and repeats exactly.
    """

    switch: float
    seed: int = 0
    sizing: Sizing = PLAIN

    @classmethod
    def trading(cls, turnover: float, length: int, sizing: Sizing = PLAIN) -> Self:
        """Return the trader whose episodes of ``length`` decisions trade ``turnover`` equities on average.

        Coming in and going out trade one each and a new side trades one on average: half of them are the old side.
        """
        return cls(min(1.0, max(0.0, (turnover - 2.0) / length)), sizing=sizing)

    def act(self, observation: Float32) -> Float1D:
        """Return +1 or -1 per row, the held side but for a share ``switch`` of decisions."""
        bits = np.ascontiguousarray(observation, np.float32).view(np.uint32).astype(np.uint64)
        state = np.full(len(bits), np.uint64(0x9E3779B97F4A7C15) + np.uint64(self.seed), np.uint64)
        with np.errstate(over="ignore"):
            for column in range(bits.shape[1]):
                state = (state ^ bits[:, column]) * np.uint64(0xBF58476D1CE4E5B9)
                state ^= state >> np.uint64(29)
        draw = (state >> np.uint64(11)).astype(np.float64) / 2.0**53
        side = np.sign(observation[:, -3]).astype(np.float64)
        fresh = np.where(state & np.uint64(1024), 1.0, -1.0)  # a bit that the draw does not use
        return np.where((side == 0) | (draw < self.switch), fresh, side)
