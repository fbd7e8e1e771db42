"""``perpfut bench env``: the batched environment beside a readable Python loop and beside Gymnasium's vector shell."""

import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from gymnasium.vector import SyncVectorEnv

from perpfut_lib.bench.harness import BenchRow
from perpfut_lib.config import CostsConfig, EnvConfig
from perpfut_lib.env import (
    Episodes,
    PairTradingEnv,
    PairTradingVecEnv,
    make_costs,
    make_outcome,
    make_rules,
    make_state,
    reset_all,
    step_all,
)
from perpfut_lib.env.planted import Planted, planted_episodes
from perpfut_lib.env.reference import ReferenceEpisode

ENVIRONMENTS, STEPS, FEATURES, REPEATS = 1024, 400, 40, 5
THREADS = 2
PEER_EPISODES, SHELLS, SHELL_STEPS = 2, 8, 300
RULES = make_rules(EnvConfig(reward_scale=1.0))  # rewards are returns, so that their difference means something
COSTS = make_costs(4.5, CostsConfig())


def run() -> Iterator[BenchRow]:
    """Yield steps per second with 1,024 environments of 40 features, and the largest difference of summed rewards."""
    episodes = planted_episodes(Planted(features=FEATURES), 200, seed=1)
    env = PairTradingVecEnv(episodes, RULES, COSTS, n_envs=ENVIRONMENTS, seed=1)
    env.use_threads(THREADS)
    env.reset()
    shells = SyncVectorEnv([partial(PairTradingEnv, episodes, RULES, COSTS)] * SHELLS)
    shells.reset(seed=1)
    generator = np.random.default_rng(0)
    actions = generator.uniform(-1, 1, (ENVIRONMENTS, 1)).astype(np.float32)
    few = generator.uniform(-1, 1, (SHELLS, 1)).astype(np.float32)
    env.step(actions)
    ours: list[float] = []
    loop: list[float] = []
    vector: list[float] = []
    for _ in range(REPEATS):
        ours.append(_rate(lambda: [env.step(actions) for _ in range(STEPS)], ENVIRONMENTS * STEPS))
        loop.append(_rate(lambda: _reference(episodes), PEER_EPISODES * episodes.length))
        vector.append(_rate(lambda: [shells.step(few) for _ in range(SHELL_STEPS)], SHELLS * SHELL_STEPS))
    env.close()
    rate, other, shell = (float(np.median(rates)) for rates in (ours, loop, vector))
    error = _difference(episodes)
    metric = "1,024 environments, 40 features"
    yield BenchRow("env", metric, "steps/s", rate, other, "python loop", rate / other, error)
    yield BenchRow("env", metric, "steps/s", rate, shell, "Gymnasium SyncVectorEnv", rate / shell, None)


def _rate(work: Callable[[], object], steps: int) -> float:
    start = time.perf_counter()
    work()
    return steps / (time.perf_counter() - start)


def _reference(episodes: Episodes) -> list[float]:
    """Walk through the first episodes in plain Python, observations included."""
    rewards = []
    for number in range(PEER_EPISODES):
        slow = ReferenceEpisode(episodes, number, RULES, COSTS)
        for step in range(episodes.length):
            slow.observation()
            rewards.append(slow.advance(np.sin(step))[0])
    return rewards


def _difference(episodes: Episodes) -> float:
    """Return the largest difference of an episode's summed rewards, as returns, on the peer's work."""
    state, outcome = make_state(PEER_EPISODES), make_outcome(PEER_EPISODES, episodes.observation_size)
    world = episodes.world()
    reset_all(world, state, np.arange(PEER_EPISODES), np.zeros(PEER_EPISODES, np.int64), outcome.observation)
    for step in range(episodes.length):
        step_all(world, RULES, COSTS, state, np.full(PEER_EPISODES, np.sin(step)), outcome)
    sums = np.reshape(_reference(episodes), (PEER_EPISODES, -1)).sum(axis=1)
    return float(np.abs(outcome.score - sums).max())
