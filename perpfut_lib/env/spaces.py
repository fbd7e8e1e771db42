"""Observation and action spaces, the same for both shells."""

from typing import Any

import gymnasium as gym
import numpy as np

from perpfut_lib.env.episodes import Episodes
from perpfut_lib.types import Float1D


def observation_space(episodes: Episodes) -> gym.spaces.Box:
    """Return the space of one observation: unbounded float32, (D,)."""
    return gym.spaces.Box(-np.inf, np.inf, (episodes.observation_size,), np.float32)


def action_space(choices: int) -> gym.spaces.Space[Any]:
    """Return [-1, 1], or that many equally spaced exposures."""
    return gym.spaces.Discrete(choices) if choices else gym.spaces.Box(-1.0, 1.0, (1,), np.float32)


def exposures(choices: int) -> Float1D | None:
    """Return the exposures behind discrete actions, from -1 to 1; none for continuous ones."""
    return np.linspace(-1.0, 1.0, choices) if choices else None
