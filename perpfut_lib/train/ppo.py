"""One agent: PPO on the training episodes, the best of its validations kept."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from perpfut_lib.config import CostsConfig, EnvConfig, TrainConfig
from perpfut_lib.env import (
    Episodes,
    PairTradingVecEnv,
    make_costs,
    make_outcome,
    make_rules,
    make_state,
    reset_all,
    step_all,
)
from perpfut_lib.types import Float32

Layers = list[tuple[Float32, Float32]]
ACTIVATIONS = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}


@dataclass(frozen=True)
class Lesson:
    """What one agent is trained on."""

    train: Episodes
    validate: Episodes
    env: EnvConfig
    costs: CostsConfig
    settings: TrainConfig
    fee_bps: float
    seed: int


@dataclass(frozen=True)
class Fitted:
    """A trained agent."""

    layers: Layers
    """Weights (outputs, inputs) and biases (outputs,) of the policy network."""
    steps: list[int]
    """Environment steps at each validation."""
    validation_utility: list[float]
    """Mean sum of rewards per validation episode, at the full fee, without exploration."""


def fit(lesson: Lesson) -> Fitted:
    """Train one agent; same seed, same machine and same number of threads: same bits."""
    settings = lesson.settings
    torch.set_num_threads(settings.threads)
    env = PairTradingVecEnv(
        lesson.train, make_rules(lesson.env), make_costs(0.0, lesson.costs), n_envs=settings.n_envs, seed=lesson.seed
    )
    model = PPO("MlpPolicy", env, seed=lesson.seed, device="cpu", verbose=0, **_hyperparameters(settings))
    school = School(lesson, env)
    model.learn(settings.total_steps, callback=school)
    return Fitted(school.best, school.steps, school.utilities)


class School(BaseCallback):
    """Raises the fee along its ramp, validates at regular steps, and keeps the best network."""

    def __init__(self, lesson: Lesson, env: PairTradingVecEnv) -> None:
        super().__init__()
        self.lesson, self.env = lesson, env
        self.steps: list[int] = []
        self.utilities: list[float] = []
        self.best: Layers = []

    def _on_rollout_start(self) -> None:
        done = self.num_timesteps / self.lesson.settings.total_steps
        begin, end = self.lesson.settings.fee_ramp
        share = min(1.0, max(0.0, (done - begin) / (end - begin))) if end > begin else 1.0
        self.env.set_costs(make_costs(share * self.lesson.fee_bps, self.lesson.costs))
        due = len(self.steps) / self.lesson.settings.evaluations
        if done >= due:
            self._validate()

    def _on_training_end(self) -> None:
        self._validate()

    def _on_step(self) -> bool:
        return True

    def _validate(self) -> None:
        # Before the fee is fully charged the agent solves another task, so nothing from then may be chosen.
        ready = self.num_timesteps >= self.lesson.settings.fee_ramp[1] * self.lesson.settings.total_steps
        utility = validation_utility(self.lesson, lambda seen: self.model.predict(seen, deterministic=True)[0])
        if not self.best or not ready or utility > max(self.utilities[self._first_ready() :], default=-np.inf):
            self.best = policy_layers(self.model)
        self.steps.append(self.num_timesteps)
        self.utilities.append(utility)

    def _first_ready(self) -> int:
        full = self.lesson.settings.fee_ramp[1] * self.lesson.settings.total_steps
        return int(np.searchsorted(self.steps, full))


def validation_utility(lesson: Lesson, act: Callable[[Float32], Any]) -> float:
    """Return the mean sum of rewards per validation episode of a policy (N, D) → (N, 1), at the full fee."""
    episodes, count = lesson.validate, len(lesson.validate)
    world, rules, costs = episodes.world(), make_rules(lesson.env), make_costs(lesson.fee_bps, lesson.costs)
    state, outcome = make_state(count), make_outcome(count, episodes.observation_size)
    everyone = np.arange(count)
    reset_all(world, state, everyone, np.zeros(count, np.int64), outcome.observation)
    for _ in range(episodes.length):
        action = np.clip(np.asarray(act(outcome.observation), np.float64).reshape(count), -1.0, 1.0)
        step_all(world, rules, costs, state, action, outcome)
    return float(outcome.score.mean())


def policy_layers(model: BaseAlgorithm) -> Layers:
    """Return copies of the policy network's linear layers, the action layer last."""
    extractor: Any = model.policy.mlp_extractor
    hidden = [layer for layer in extractor.policy_net if isinstance(layer, torch.nn.Linear)]
    linear: list[Any] = [*hidden, model.policy.action_net]
    return [(layer.weight.detach().numpy().copy(), layer.bias.detach().numpy().copy()) for layer in linear]


def _hyperparameters(settings: TrainConfig) -> dict[str, Any]:
    first, last = settings.learning_rate, settings.final_learning_rate
    return {
        "learning_rate": lambda remaining: last + remaining * (first - last),
        "n_steps": settings.n_steps,
        "batch_size": settings.batch_size,
        "n_epochs": settings.n_epochs,
        "gamma": settings.gamma,
        "gae_lambda": settings.gae_lambda,
        "clip_range": settings.clip_range,
        "ent_coef": settings.entropy_coef,
        "vf_coef": settings.value_coef,
        "max_grad_norm": settings.max_grad_norm,
        "target_kl": settings.target_kl,
        "policy_kwargs": {
            "net_arch": list(settings.hidden),
            "activation_fn": ACTIVATIONS[settings.activation],
            "log_std_init": settings.log_std_init,
        },
    }
