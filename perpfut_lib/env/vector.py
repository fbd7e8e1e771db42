"""The Stable-Baselines3 vector environment: a thin shell over the batched kernel."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env import VecEnv

from perpfut_lib.accounting import Costs, Sizing
from perpfut_lib.env.counterfactual_paths import CounterfactualPaths, Path, follow_counterfactuals
from perpfut_lib.env.episodes import Episodes
from perpfut_lib.env.kernel import Outcome, Rules, State, make_outcome, make_state, reset_all, step_all
from perpfut_lib.env.region import NO_REGION, Region, correct_all
from perpfut_lib.env.spaces import action_space, exposures, observation_space
from perpfut_lib.types import Float2D, Float32


class PairTradingVecEnv(VecEnv):
    """N environments stepped together on random episodes.

    Parameters
    ----------
    episodes : Episodes
        What to trade, usually one split.
    rules : Rules
        See :func:`perpfut_lib.env.make_rules`; with ``choices`` the actions are discrete.
    costs : Costs
        Fee and slippage; :meth:`set_costs` changes them between steps.
    n_envs : int
        Environments stepped together.
    seed : int
        Seed of the draw of episodes.
    exploring : bool
        Start every episode at a random decision with a random exposure, so that what follows from holding it is seen
        whatever the policy would hold (exploring starts; with ``rules.max_bars``, for training).

    Notes
    -----
    The first episode of each environment begins at a random decision, so that a rollout sees every hour of the
    trading window; later ones begin at its start. An array of observations is written over two steps after it
    was returned, so that a rollout allocates nothing; infos hold something for ended episodes only.
    :meth:`use_threads` changes how fast a step is, never its bits.
    """

    render_mode = None

    def __init__(
        self, episodes: Episodes, rules: Rules, costs: Costs, *, n_envs: int, seed: int = 0, exploring: bool = False
    ) -> None:
        super().__init__(n_envs, observation_space(episodes), action_space(rules.choices))
        self._world, self._rules, self._costs = episodes.world(), rules, costs
        self._length, self._count = episodes.length, len(episodes)
        self._exploring, self._exposures = exploring, exposures(rules.choices)
        self._region = NO_REGION
        self.state = make_state(n_envs)
        self._generator = np.random.default_rng(seed)
        self._infos: list[dict[str, Any]] = [{} for _ in range(n_envs)]
        self._action = np.zeros(n_envs)
        self._threads = 1
        self._pool: ThreadPoolExecutor | None = None
        self._arrange()

    def use_threads(self, count: int) -> None:
        """Share the environments out among ``count`` threads from the next step on."""
        self.close()
        self._threads = max(1, count)
        self._pool = ThreadPoolExecutor(self._threads - 1) if self._threads > 1 else None
        self._arrange()

    def _arrange(self) -> None:
        """Make room for outcomes, and cut state and outcomes into one slice of rows a thread."""
        size = self.observation_space.shape[0]  # type: ignore[index]
        self._outcomes = [make_outcome(self.num_envs, size) for _ in range(2)]
        self._turn, self.outcome = 0, self._outcomes[1]
        edges = np.linspace(0, self.num_envs, self._threads + 1).astype(int).tolist()
        self._slices = [slice(*edge) for edge in pairwise(edges)]
        self._states = [State._make(array[rows] for array in self.state) for rows in self._slices]
        self._parts = [
            [Outcome._make(array[rows] for array in room) for rows in self._slices] for room in self._outcomes
        ]

    def set_costs(self, costs: Costs) -> None:
        """Charge other costs from the next step on: a fee that rises during training."""
        self._costs = costs

    def offer(self, choices: int) -> None:
        """Take the numbers of equally spaced exposures from -1 to 1 as actions; 0 for the exposures themselves."""
        self._rules = self._rules._replace(choices=choices)
        self.action_space, self._exposures = action_space(choices), exposures(choices)

    def set_region(self, region: Region) -> None:
        """Take actions as corrections of a base rule from the next step on; :data:`NO_REGION` for exposures."""
        self._region = region

    def reset(self) -> Float32:
        """Start every environment on a random episode at a random decision, flat."""
        if self._seeds[0] is not None:
            self._generator = np.random.default_rng(self._seeds[0])
        self._reset_seeds()
        self._reset_options()
        observation = np.empty((self.num_envs, *self.observation_space.shape), np.float32)  # type: ignore[misc]
        start = self._generator.integers(self._length, size=self.num_envs)
        reset_all(self._world, self.state, self._draw(self.num_envs), start, observation)
        self._plan(np.arange(self.num_envs))
        return observation

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        """Keep the actions, (N, 1) or (N,), for :meth:`step_wait`."""
        chosen = actions if self._exposures is None else self._exposures[actions]
        self._action = np.array(chosen, np.float64).reshape(self.num_envs)
        if len(self._region.lower):
            correct_all(self._world, self._region, self.state, self._action)

    def step_wait(self) -> tuple[Float32, Float32, npt.NDArray[np.bool_], list[dict[str, Any]]]:
        """Advance every environment; see :class:`stable_baselines3.common.vec_env.VecEnv`."""
        outcome = self.outcome = self._outcomes[self._turn]
        self._step_rows(self._parts[self._turn])
        self._turn = 1 - self._turn
        done = outcome.terminated | outcome.truncated
        ended = np.flatnonzero(done)
        infos: list[dict[str, Any]] = [self._infos[0]] * self.num_envs
        for row in ended:
            infos[row] = {
                "terminal_observation": outcome.last_observation[row].copy(),
                "TimeLimit.truncated": bool(outcome.truncated[row]),
                "episode": {"r": float(outcome.score[row]), "l": int(outcome.length[row])},
            }
        self._plan(ended)
        return outcome.observation, outcome.reward.copy(), done, infos

    def _step_rows(self, parts: list[Outcome]) -> None:
        """Step every slice, the first one here and the others beside it."""
        world, rules, costs = self._world, self._rules, self._costs
        actions = [self._action[rows] for rows in self._slices]
        work = list(zip(self._states, actions, parts, strict=True))
        beside = [self._pool.submit(step_all, world, rules, costs, *part) for part in work[1:]] if self._pool else []
        step_all(world, rules, costs, *work[0])
        for future in beside:
            future.result()

    def follow_counterfactuals(self, path: Path, other: Float2D, discount: float, out: CounterfactualPaths) -> None:
        """Compare every decision of a path with another one under the present rules and costs; nothing moves."""
        setting = self._world, self._rules, self._costs, self._region
        follow_counterfactuals(setting, path, (other, discount), out)

    def set_sizing(self, sizing: Sizing) -> None:
        """Widen or narrow the no-trade band from the next step on."""
        self._rules = self._rules._replace(sizing=sizing)

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def get_state(self) -> dict[str, Any]:
        """Return copies of everything that changes, for exact resumption; see :meth:`set_state`."""
        arrays = {name: array.copy() for name, array in self.state._asdict().items()}
        return {"arrays": arrays, "generator": self._generator.bit_generator.state}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`get_state` returned; costs, sizing and the last observation are the caller's."""
        for name, array in self.state._asdict().items():
            array[...] = state["arrays"][name]
        self._generator.bit_generator.state = state["generator"]

    def _plan(self, rows: npt.NDArray[np.int64]) -> None:
        """Draw what follows the current episode of some environments."""
        self.state.next_episode[rows] = self._draw(len(rows))
        if self._exploring:
            self.state.next_step[rows] = self._generator.integers(self._length, size=len(rows))
            self.state.next_exposure[rows] = self._generator.uniform(-1.0, 1.0, len(rows))

    def _draw(self, count: int) -> npt.NDArray[np.int64]:
        return self._generator.integers(self._count, size=count)

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute once per environment asked for."""
        return [getattr(self, attr_name)] * len(self._rows(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refuse: environments share everything but their state."""
        raise AttributeError(f"found set_attr of {attr_name!r}; environments are one batch; use set_costs")

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Call a method of the batch once and return its answer per environment asked for."""
        return [getattr(self, method_name)(*method_args, **method_kwargs)] * len(self._rows(indices))

    def env_is_wrapped(self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: Any = None) -> list[bool]:
        """Return False: nothing is wrapped."""
        return [False] * len(self._rows(indices))

    def _rows(self, indices: Any) -> Sequence[int]:
        return list(self._get_indices(indices))
