"""Policies behind one protocol: baselines, and exported networks that need neither torch nor Stable-Baselines3.

What is fitted to episodes loads on first use, so that the live path does not import the environment.
"""

import importlib
from typing import Any, Final

from perpfut_lib.policies.exported import ExportedPolicy, PolicyCard, pack_weights
from perpfut_lib.policies.network import Lstm, Network, NetworkPolicy, forward, make_network
from perpfut_lib.policies.protocol import Policy, RecurrentPolicy
from perpfut_lib.policies.recurrent import ExportedRecurrentPolicy, load_policy
from perpfut_lib.policies.rules import Constant, FunctionPolicy, Layout, RandomSwitch, ZScoreRule

_LATER: Final = {
    "BASELINES": "perpfut_lib.policies.fitted",
    "Fitting": "perpfut_lib.policies.fitting",
    "RidgePolicy": "perpfut_lib.policies.ridge",
    "StoppingRule": "perpfut_lib.policies.stopping",
    "baselines": "perpfut_lib.policies.fitted",
    "fit_ridge": "perpfut_lib.policies.ridge",
    "fit_stopping": "perpfut_lib.policies.stopping",
}

__all__ = [
    "BASELINES",
    "Constant",
    "ExportedPolicy",
    "ExportedRecurrentPolicy",
    "Fitting",
    "FunctionPolicy",
    "Layout",
    "Lstm",
    "Network",
    "NetworkPolicy",
    "Policy",
    "PolicyCard",
    "RandomSwitch",
    "RecurrentPolicy",
    "RidgePolicy",
    "StoppingRule",
    "ZScoreRule",
    "baselines",
    "fit_ridge",
    "fit_stopping",
    "forward",
    "load_policy",
    "make_network",
    "pack_weights",
]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(importlib.import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
