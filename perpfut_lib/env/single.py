"""The Gymnasium environment: one pair at a time, a thin shell over the batched kernel."""

from typing import Any

import gymnasium as gym
import numpy as np

from perpfut_lib.accounting import Costs
from perpfut_lib.env.episodes import Episodes
from perpfut_lib.env.kernel import Rules, make_outcome, make_state, reset_all, step_all
from perpfut_lib.env.spaces import action_space, exposures, observation_space
from perpfut_lib.types import Float32


class PairTradingEnv(gym.Env[Any, Any]):
    """One pair on one trading window; every reset draws a random episode and starts at its first decision.

    Parameters
    ----------
    episodes : Episodes
        What to trade, usually one split.
    rules : Rules
        See :func:`perpfut_lib.env.make_rules`; with ``choices`` the action is discrete.
    costs : Costs
        Fee and slippage.

    Notes
    -----
    ``reset(options={"episode": k})`` starts episode k. The window's end terminates the episode: the pair is flattened
    and charged, nothing follows. ``rules.max_bars`` truncates it: nothing is flattened, the value goes on.
    """

    def __init__(self, episodes: Episodes, rules: Rules, costs: Costs) -> None:
        self.observation_space = observation_space(episodes)
        self.action_space = action_space(rules.choices)
        self._episodes, self._rules, self._costs = episodes, rules, costs
        self._world, self._exposures = episodes.world(), exposures(rules.choices)
        self.state = make_state(1)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32, dict[str, Any]]:
        """Start an episode flat, with an equity of one; see :meth:`gymnasium.Env.reset`."""
        super().reset(seed=seed)
        drawn = self.np_random.integers(len(self._episodes))
        episode = np.array([(options or {}).get("episode", drawn)], np.int64)
        observation = np.empty((1, self._episodes.observation_size), np.float32)
        reset_all(self._world, self.state, episode, np.zeros(1, np.int64), observation)
        return observation[0], {"episode": int(episode[0])}

    def step(self, action: Any) -> tuple[Float32, float, bool, bool, dict[str, Any]]:
        """Take one decision; see :meth:`gymnasium.Env.step`."""
        chosen = action if self._exposures is None else self._exposures[action]
        outcome = make_outcome(1, self._episodes.observation_size)
        step_all(self._world, self._rules, self._costs, self.state, np.asarray(chosen, float).reshape(1), outcome)
        terminated, truncated = bool(outcome.terminated[0]), bool(outcome.truncated[0])
        seen = outcome.last_observation if terminated or truncated else outcome.observation
        return seen[0], float(outcome.reward[0]), terminated, truncated, {}
