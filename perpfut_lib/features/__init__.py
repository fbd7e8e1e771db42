"""Features as recursions: one step for live and, scanned, for research; bit-equal by construction.

What reads a run loads on first use: the recursion itself needs no files.
"""

import importlib
from typing import TYPE_CHECKING, Any

from perpfut_lib.features.asset import AssetBar
from perpfut_lib.features.catalogue import feature_spec
from perpfut_lib.features.pair import Pair
from perpfut_lib.features.recursion import FeatureState, init_state, open_pair, step
from perpfut_lib.features.scaler import Scaler, scale
from perpfut_lib.features.scan import compute
from perpfut_lib.features.settlement import known_funding
from perpfut_lib.features.spec import Feature, FeatureSpec

if TYPE_CHECKING:
    from perpfut_lib.features.stage import Features, load_clip_report, load_features

_OF_A_RUN = ("Features", "load_clip_report", "load_features")

__all__ = [
    "AssetBar",
    "Feature",
    "FeatureSpec",
    "FeatureState",
    "Features",
    "Pair",
    "Scaler",
    "compute",
    "feature_spec",
    "init_state",
    "known_funding",
    "load_clip_report",
    "load_features",
    "open_pair",
    "scale",
    "step",
]


def __getattr__(name: str) -> Any:
    if name in _OF_A_RUN:
        return getattr(importlib.import_module("perpfut_lib.features.stage"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
