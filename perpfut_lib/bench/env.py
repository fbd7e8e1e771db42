"""``perpfut bench env``: the batched environment beside a Gymnasium loop over readable Python."""

import time
from collections.abc import Callable, Iterator

import numpy as np

from perpfut_lib.bench.harness import BenchRow
from perpfut_lib.config import CostsConfig, EnvConfig
from perpfut_lib.env import Episodes, PairTradingVecEnv, make_costs, make_rules
from perpfut_lib.env.planted import Planted, planted_episodes
from perpfut_lib.env.reference import ReferenceEpisode

ENVIRONMENTS, STEPS, FEATURES, REPEATS = 1024, 400, 40, 5
THREADS = 2
PEER_EPISODES = 2


def run() -> Iterator[BenchRow]:
    """Yield steps per second with 1,024 environments of 40 features, and the largest difference of rewards."""
    episodes = planted_episodes(Planted(features=FEATURES), 200, seed=1)
    rules, costs = make_rules(EnvConfig()), make_costs(4.5, CostsConfig())
    env = PairTradingVecEnv(episodes, rules, costs, n_envs=ENVIRONMENTS, seed=1)
    env.use_threads(THREADS)
    env.reset()
    actions = np.random.default_rng(0).uniform(-1, 1, (ENVIRONMENTS, 1)).astype(np.float32)
    ours: list[float] = []
    peer: list[float] = []
    env.step(actions)
    for _ in range(REPEATS):
        ours.append(_rate(lambda: [env.step(actions) for _ in range(STEPS)], ENVIRONMENTS * STEPS))
        peer.append(_rate(lambda: _reference(episodes), PEER_EPISODES * episodes.length))
    rate, other = float(np.median(ours)), float(np.median(peer))
    error = _difference(episodes)
    yield BenchRow("env", "1,024 environments, 40 features", "steps/s", rate, other, "python loop", rate / other, error)


def _rate(work: Callable[[], object], steps: int) -> float:
    start = time.perf_counter()
    work()
    return steps / (time.perf_counter() - start)


def _reference(episodes: Episodes) -> list[float]:
    """Walk through the first episodes in plain Python, observations included."""
    rewards = []
    for number in range(PEER_EPISODES):
        slow = ReferenceEpisode(episodes, number, make_rules(EnvConfig()), make_costs(4.5, CostsConfig()))
        for step in range(episodes.length):
            slow.observation()
            rewards.append(slow.advance(np.sin(step))[0])
    return rewards


def _difference(episodes: Episodes) -> float:
    """Return the largest difference of rewards, basis points, on the peer's work."""
    rules, costs = make_rules(EnvConfig()), make_costs(4.5, CostsConfig())
    from perpfut_lib.env import make_outcome, make_state, reset_all, step_all

    state, outcome = make_state(PEER_EPISODES), make_outcome(PEER_EPISODES, episodes.observation_size)
    world = episodes.world()
    reset_all(world, state, np.arange(PEER_EPISODES), np.zeros(PEER_EPISODES, np.int64), outcome.observation)
    rewards = np.empty((PEER_EPISODES, episodes.length))
    for step in range(episodes.length):
        step_all(world, rules, costs, state, np.full(PEER_EPISODES, np.sin(step)), outcome)
        rewards[:, step] = outcome.reward
    return float(np.abs(rewards.ravel() - np.array(_reference(episodes))).max())
