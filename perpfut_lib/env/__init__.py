"""The Markov decision process: a compiled batch of environments, and shells for Gymnasium and Stable-Baselines3.

The shells load on first use, so that the live path imports neither Stable-Baselines3 nor torch.
"""

import importlib
from typing import Any

from perpfut_lib.env.episodes import Episodes, load_episodes
from perpfut_lib.env.kernel import Outcome, Rules, State, World, make_outcome, make_state, reset_all, step_all
from perpfut_lib.env.rules import make_costs, make_rules

_SHELLS = {
    "PairTradingEnv": "perpfut_lib.env.single",
    "PairTradingVecEnv": "perpfut_lib.env.vector",
}

__all__ = [
    "Episodes",
    "Outcome",
    "PairTradingEnv",
    "PairTradingVecEnv",
    "Rules",
    "State",
    "World",
    "load_episodes",
    "make_costs",
    "make_outcome",
    "make_rules",
    "make_state",
    "reset_all",
    "step_all",
]


def __getattr__(name: str) -> Any:
    if name in _SHELLS:
        return getattr(importlib.import_module(_SHELLS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
