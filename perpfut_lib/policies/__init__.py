"""Policies behind one protocol: baselines, and exported networks that need neither torch nor Stable-Baselines3."""

from perpfut_lib.policies.exported import ExportedPolicy, PolicyCard, pack_weights
from perpfut_lib.policies.network import Network, forward, make_network
from perpfut_lib.policies.protocol import Policy
from perpfut_lib.policies.rules import Constant, Layout, RandomSwitch, ZScoreRule, baselines

__all__ = [
    "Constant",
    "ExportedPolicy",
    "Layout",
    "Network",
    "Policy",
    "PolicyCard",
    "RandomSwitch",
    "ZScoreRule",
    "baselines",
    "forward",
    "make_network",
    "pack_weights",
]
