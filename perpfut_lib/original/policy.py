"""The original study's three trained policies: weights read without executing anything, and the decisions they make.

Source: models/{no,low,high}_fees.zip of the repository lazi-nhr/ai-agents-perpetuals (MIT licence), whose weights are
not part of this project.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from numba import njit
from safetensors.numpy import load_file

from perpfut_lib.artifacts import file_sha256
from perpfut_lib.errors import ArtifactError, MissingInputError
from perpfut_lib.original.features import WIDTH
from perpfut_lib.types import Float1D, Float2D, Float3D, Float32

LOOKBACK: Final = 60
DAY_BARS: Final = 1440
DECISION_BARS: Final = DAY_BARS - LOOKBACK + 1
"""Decisions per pair-day: the first one waits until an hour of the day has closed."""
BOUND: Final = 5.0
"""The observation space clips *raw* features here: RSI and minutes to settlement saturate for good (fault 8)."""
REGIMES: Final = {"no_fees": 0.0, "low_fees": 1.44, "high_fees": 4.5}
"""Files of the policies and the fee that each was trained with, basis points."""
SOURCE: Final = "models/{no,low,high}_fees.zip of the repository lazi-nhr/ai-agents-perpetuals, as safetensors"


@dataclass(frozen=True)
class OriginalPolicy:
    """Two hidden layers of 64 tanh units over 60 bars of 32 features, stacked feature by feature, and three weights."""

    name: str
    fee_bps: float
    sha256: str
    market: Float2D
    """First layer's weights of the stacked features, (64, 1920)."""
    held: Float2D
    """First layer's weights of what is held: leg y, leg x, cash, (64, 3)."""
    bias: Float1D
    """First layer's biases, (64,)."""
    hidden: tuple[Float2D, Float1D]
    """Second layer, (64, 64) and (64,)."""
    output: tuple[Float1D, float]
    """Mean action, (64,) and a number."""

    @classmethod
    def load(cls, path: Path, fee_bps: float) -> Self:
        """Read one policy.

        Raises
        ------
        MissingInputError
            There is no such file.
        ArtifactError
            It holds other tensors than the study's.
        """
        if not path.is_file():
            raise MissingInputError(f"no {path.name} in {path.parent}", SOURCE, "name the folder with --weights")
        tensors = {name: np.asarray(tensor, np.float64) for name, tensor in load_file(path).items()}
        try:
            first = tensors["mlp_extractor.policy_net.0.weight"]
            if first.shape != (64, WIDTH * LOOKBACK + 3):
                raise ArtifactError(f"{path.name} with a first layer of {first.shape}", "(64, 1923)", f"use {SOURCE}")
            return cls(
                path.stem,
                fee_bps,
                file_sha256(path),
                np.ascontiguousarray(first[:, :-3]),
                np.ascontiguousarray(first[:, -3:]),
                tensors["mlp_extractor.policy_net.0.bias"],
                (tensors["mlp_extractor.policy_net.2.weight"], tensors["mlp_extractor.policy_net.2.bias"]),
                (tensors["action_net.weight"][0], float(tensors["action_net.bias"][0])),
            )
        except KeyError as error:
            raise ArtifactError(f"{path.name} without {error}", "an MlpPolicy of the study", f"use {SOURCE}") from error

    def project(self, features: Float32) -> Float2D:
        """Return the first layer's sums over the market part of every decision of a day (1440, 32), as (L, 64)."""
        clipped = np.clip(features, -BOUND, BOUND).astype(np.float64)
        windows = np.lib.stride_tricks.sliding_window_view(clipped, LOOKBACK, axis=0)
        stacked = windows.reshape(len(windows), WIDTH * LOOKBACK)
        projected: Float2D = stacked @ self.market.T + self.bias
        return projected


def load_policies(folder: Path) -> list[OriginalPolicy]:
    """Return the three policies of a folder; errors as for :meth:`OriginalPolicy.load`."""
    return [OriginalPolicy.load(folder / f"{name}.safetensors", fee) for name, fee in REGIMES.items()]


def decide_days(policy: OriginalPolicy, features: Float32, *, carried: bool) -> Float2D:
    """Return the actions of a policy on pair-days (E, 1440, 32) in order, (E, L).

    Parameters
    ----------
    policy : OriginalPolicy
        Its mean action is taken, as the study's evaluation does.
    features : ndarray, (E, 1440, 32)
        Raw features.
    carried : bool
        Whether a pair-day begins with the weights that the pair-day before it ended with, as in the study's test, or
        flat.
    """
    projected = np.stack([policy.project(day) for day in features]) if len(features) else np.empty((0, 0, 64))
    weights = (policy.held, *policy.hidden, *policy.output)
    actions = np.empty(projected.shape[:2])
    _walk(projected, weights, carried, actions)
    return actions


@njit(cache=True)
def _walk(
    projected: Float3D,
    weights: tuple[Float2D, Float2D, Float1D, Float1D, float],
    carried: bool,
    out: Float2D,
) -> None:
    """Write the actions of pair-days (E, L, 64) in order; a decision sees the weights that the one before it chose."""
    held_weights, second, second_bias, last, last_bias = weights
    action = 0.0
    for day in range(projected.shape[0]):
        action = action if carried else 0.0
        for step in range(projected.shape[1]):
            half = 0.5 * action
            held = np.array([half, -half, 1.0 - abs(action)])
            first = np.tanh(projected[day, step] + held_weights @ held)
            mean = np.dot(last, np.tanh(second @ first + second_bias)) + last_bias
            action = min(1.0, max(-1.0, mean))
            out[day, step] = action
