"""Policies behind one protocol: baselines, and exported networks that need neither torch nor Stable-Baselines3."""

from perpfut_lib.policies.exported import ExportedPolicy, PolicyCard, pack_weights
from perpfut_lib.policies.network import Lstm, Network, forward, make_network
from perpfut_lib.policies.protocol import Policy, RecurrentPolicy
from perpfut_lib.policies.recurrent import ExportedRecurrentPolicy, load_policy
from perpfut_lib.policies.rules import Constant, Layout, RandomSwitch, ZScoreRule, baselines

__all__ = [
    "Constant",
    "ExportedPolicy",
    "ExportedRecurrentPolicy",
    "Layout",
    "Lstm",
    "Network",
    "Policy",
    "PolicyCard",
    "RandomSwitch",
    "RecurrentPolicy",
    "ZScoreRule",
    "baselines",
    "forward",
    "load_policy",
    "make_network",
    "pack_weights",
]
