"""Policies behind one protocol: baselines, and exported networks that need neither torch nor Stable-Baselines3."""

from perpfut_lib.policies.protocol import Policy

__all__ = ["Policy"]
