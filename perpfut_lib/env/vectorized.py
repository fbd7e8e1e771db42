"""The Gymnasium vector environment: a thin shell over the batched kernel, without Stable-Baselines3."""

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from perpfut_lib.accounting import Costs
from perpfut_lib.env.episodes import Episodes
from perpfut_lib.env.kernel import Rules, make_outcome, make_state, reset_all, step_all
from perpfut_lib.env.spaces import action_space, exposures, observation_space
from perpfut_lib.types import Bool1D, Float1D, Float32

Infos = dict[str, Any]


class PairTradingVectorEnv(VectorEnv[Any, Any, Any]):
    """N environments stepped together on random episodes, each reset in the very step that ends it.

    Parameters
    ----------
    episodes : Episodes
        What to trade, usually one split.
    rules : Rules
        See :func:`perpfut_lib.env.make_rules`; with ``choices`` the actions are discrete.
    costs : Costs
        Fee and slippage.
    num_envs : int
        Environments stepped together.

    Notes
    -----
    What an ended episode showed last is in ``infos["final_obs"]``; ``RecordEpisodeStatistics`` adds its score.
    """

    def __init__(self, episodes: Episodes, rules: Rules, costs: Costs, *, num_envs: int) -> None:
        self.num_envs, self.metadata = num_envs, {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.single_observation_space = observation_space(episodes)
        self.single_action_space = action_space(rules.choices)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._world, self._rules, self._costs = episodes.world(), rules, costs
        self._count, self._size, self._exposures = len(episodes), episodes.observation_size, exposures(rules.choices)
        self._state = make_state(num_envs)

    def reset(self, *, seed: int | None = None, options: Infos | None = None) -> tuple[Float32, Infos]:
        """Start every environment on a random episode at its first decision, flat."""
        super().reset(seed=seed, options=options)
        observation = np.empty((self.num_envs, self._size), np.float32)
        start = np.zeros(self.num_envs, np.int64)
        reset_all(self._world, self._state, self._draw(self.num_envs), start, observation)
        self._state.next_episode[:] = self._draw(self.num_envs)
        return observation, {}

    def step(self, actions: npt.NDArray[Any]) -> tuple[Float32, Float1D, Bool1D, Bool1D, Infos]:
        """Take one decision in every environment; see :meth:`gymnasium.vector.VectorEnv.step`."""
        chosen = actions if self._exposures is None else self._exposures[actions]
        outcome = make_outcome(self.num_envs, self._size)
        targets = np.asarray(chosen, np.float64).reshape(self.num_envs)
        step_all(self._world, self._rules, self._costs, self._state, targets, outcome)
        done = outcome.terminated | outcome.truncated
        infos: Infos = {}
        if done.any():
            final = np.full(self.num_envs, None, object)
            for row in np.flatnonzero(done):
                final[row] = outcome.last_observation[row].copy()
            infos = {"final_obs": final, "_final_obs": done.copy()}
            self._state.next_episode[done] = self._draw(int(done.sum()))
        reward = outcome.reward.astype(np.float64)
        return outcome.observation, reward, outcome.terminated.copy(), outcome.truncated.copy(), infos

    def _draw(self, count: int) -> npt.NDArray[np.int64]:
        return self.np_random.integers(self._count, size=count)
