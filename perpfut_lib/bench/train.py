"""``perpfut bench train``: training steps per second beside stock Stable-Baselines3 with one environment."""

import time
from collections.abc import Iterator

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import Logger

from perpfut_lib.bench.harness import BenchRow
from perpfut_lib.config import CostsConfig, EnvConfig, TrainConfig
from perpfut_lib.env import PairTradingEnv, PairTradingVecEnv, make_costs, make_rules
from perpfut_lib.env.planted import Planted, planted_episodes
from perpfut_lib.train.algorithms import make_model

FEATURES, REPEATS = 27, 3
EPOCHS = 10
OURS = TrainConfig(n_envs=1024, n_steps=32, batch_size=8192, n_epochs=EPOCHS, target_kl=None)
OUR_STEPS, PEER_STEPS = 4 * 1024 * 32, 2 * 2048


def run() -> Iterator[BenchRow]:
    """Yield training steps per second with the same network and epochs, and how far off the multiplications are."""
    torch.set_num_threads(1)
    episodes = planted_episodes(Planted(features=FEATURES), 100, seed=1)
    rules, costs = make_rules(EnvConfig()), make_costs(0.0, CostsConfig())
    env = PairTradingVecEnv(episodes, rules, costs, n_envs=OURS.n_envs, seed=1)
    ours = make_model(OURS, env, 0)
    network = {"net_arch": [64, 64], "activation_fn": torch.nn.ReLU}
    single = PairTradingEnv(episodes, rules, costs)
    peer = PPO("MlpPolicy", single, n_steps=2048, batch_size=64, n_epochs=EPOCHS, policy_kwargs=network, device="cpu")
    peer.set_logger(Logger(folder=None, output_formats=[]))  # or it leaves a folder in /tmp
    rates, others = [], []
    for _ in range(REPEATS):
        rates.append(_rate(ours, OUR_STEPS))
        others.append(_rate(peer, PEER_STEPS))
    rate, other = float(np.median(rates)), float(np.median(others))
    name = "Stable-Baselines3, one environment, n_steps 2048, batch 64"
    yield BenchRow("train", "steps in a run, MLP 2x64, 10 epochs", "steps/s", rate, other, name, rate / other, None)
    bound = _multiplication_bound(episodes.observation_size)
    yield BenchRow("train", "share of the bound by matrix multiplication", "1", rate / bound, None, None, None, None)


def _rate(model: BaseAlgorithm, steps: int) -> float:
    start = time.perf_counter()
    model.learn(steps)
    return steps / (time.perf_counter() - start)


def _multiplication_bound(size: int) -> float:
    """Return steps/s if a training did nothing but the two networks' multiplications, at their measured speed."""
    layers = [(size, 64), (64, 64), (64, 1)]
    batch = OURS.batch_size
    pairs = [(torch.randn(batch, inputs), torch.randn(inputs, outputs)) for inputs, outputs in layers]
    start, rounds = time.perf_counter(), 20
    for _ in range(rounds):
        for left, right in pairs:
            torch.mm(left, right)
    forward = 2 * (time.perf_counter() - start) / (rounds * batch)  # policy and value network
    # Forward once to act; forward, and twice as much backward, in every epoch.
    return 1.0 / (forward * (1 + 3 * EPOCHS))
