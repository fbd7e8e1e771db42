"""Scaling to about unit variance, fitted on training episodes only; it travels with the policy."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from numba import njit

from perpfut_lib.errors import PolicyError
from perpfut_lib.features.spec import FeatureSpec
from perpfut_lib.types import Float1D, Float3D, Float32, JsonObject


@dataclass(frozen=True)
class Scaler:
    """Centre and scale of every feature, and the bound on what comes out."""

    names: tuple[str, ...]
    center: Float1D
    """(F,)."""
    scale: Float1D
    """(F,), positive."""
    clip: float

    def to_json(self) -> JsonObject:
        """Return a JSON object that reads back to the same bits."""
        arrays = {"center": self.center.tolist(), "scale": self.scale.tolist()}
        return {"names": list(self.names), **arrays, "clip": self.clip}

    @classmethod
    def from_json(cls, data: JsonObject) -> Self:
        """Read what :meth:`to_json` wrote."""
        return cls(tuple(data["names"]), np.array(data["center"]), np.array(data["scale"]), float(data["clip"]))


def fit_scaler(spec: FeatureSpec, raw: Float3D, clip: float) -> Scaler:
    """Return the scaler of training episodes (E, T, F): mean and standard deviation, never below the least scale.

    The least scale keeps a feature that hardly varies in training (a hedge ratio, with few pairs) from blowing up.
    """
    center, scale = _moments(raw)
    return Scaler(spec.names, center, np.maximum(scale, spec.least_scales()), clip)


def scale(raw: npt.NDArray[np.float64], scaler: Scaler) -> Float32:
    """Return (raw - center) / scale bounded by ±clip, float32: elementwise, so equal bits for any shape (…, F).

    Raises
    ------
    PolicyError
        ``raw`` has another number of features than the scaler.
    """
    if raw.shape[-1] != len(scaler.names):
        found, expected = f"{raw.shape[-1]} features", f"the {len(scaler.names)} that were scaled in training"
        raise PolicyError(found, expected, "use the specification that the policy was trained with")
    scaled = np.subtract(raw, scaler.center)
    scaled /= scaler.scale
    return np.clip(scaled, -scaler.clip, scaler.clip, out=scaled).astype(np.float32)


def clip_report(raw: Float3D, scaler: Scaler, splits: npt.NDArray[Any]) -> pd.DataFrame:
    """Return one row per split and feature: ``split``, ``feature``, ``clipped`` (share), ``min``, ``max`` (scaled)."""
    tables = []
    for split in dict.fromkeys(splits.tolist()):
        shares, low, high = _extremes(raw, np.flatnonzero(splits == split), scaler.center, scaler.scale, scaler.clip)
        columns = {"feature": scaler.names, "clipped": shares, "min": low, "max": high}
        tables.append(pd.DataFrame({"split": split, **columns}))
    return pd.concat(tables, ignore_index=True)


@njit(cache=True)
def _moments(raw: Float3D) -> tuple[Float1D, Float1D]:
    """Return mean and standard deviation of every feature, in two passes without a copy."""
    count = raw.shape[0] * raw.shape[1]
    mean, square = np.zeros(raw.shape[2]), np.zeros(raw.shape[2])
    for e in range(raw.shape[0]):
        for t in range(raw.shape[1]):
            for f in range(raw.shape[2]):
                mean[f] += raw[e, t, f]
    mean /= count
    for e in range(raw.shape[0]):
        for t in range(raw.shape[1]):
            for f in range(raw.shape[2]):
                square[f] += (raw[e, t, f] - mean[f]) ** 2
    return mean, np.sqrt(square / count)


@njit(cache=True)
def _extremes(
    raw: Float3D, episodes: npt.NDArray[np.int64], center: Float1D, divisor: Float1D, clip: float
) -> tuple[Float1D, Float1D, Float1D]:
    """Return the share of clipped values and the extremes of every scaled feature over some episodes."""
    features = raw.shape[2]
    clipped, low, high = np.zeros(features), np.full(features, np.inf), np.full(features, -np.inf)
    for e in episodes:
        for t in range(raw.shape[1]):
            for f in range(features):
                value = (raw[e, t, f] - center[f]) / divisor[f]
                clipped[f] += abs(value) > clip
                low[f], high[f] = min(low[f], value), max(high[f], value)
    return clipped / (len(episodes) * raw.shape[1]), low, high
