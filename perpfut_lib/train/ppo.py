"""One agent: PPO on the training episodes, the best of its validations kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

from perpfut_lib.config import TrainConfig
from perpfut_lib.env import PairTradingVecEnv, make_costs
from perpfut_lib.train.counterfactual import CounterfactualPPO
from perpfut_lib.train.lesson import Layers, Lesson, Score, validate
from perpfut_lib.types import Float32

ACTIVATIONS = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}


@dataclass(frozen=True)
class Fitted:
    """A trained agent."""

    layers: Layers
    """Weights (outputs, inputs) and biases (outputs,) of the policy network."""
    steps: list[int]
    """Environment steps at each validation."""
    validation_utility: list[float]
    """Mean sum of rewards per validation episode, at the full fee, without exploration."""
    score: Score
    """Of the network that was kept."""
    abstains: bool
    """Nothing that was learned beat doing nothing on validation, so the policy is flat."""


def fit(lesson: Lesson) -> Fitted:
    """Train one agent; same seed, same machine and same number of threads: same bits."""
    settings = lesson.settings
    torch.set_num_threads(settings.threads)
    costs = make_costs(0.0, lesson.costs)
    exploring = settings.algorithm == "ppo" and settings.exploring_bars > 0
    rules = lesson.rules(0.0)._replace(max_bars=settings.exploring_bars) if exploring else lesson.rules(0.0)
    env = PairTradingVecEnv(lesson.train, rules, costs, n_envs=settings.n_envs, seed=lesson.seed, exploring=exploring)
    model = make_model(settings, env, lesson.seed)
    school = School(lesson, env)
    model.learn(settings.total_steps, callback=school)
    abstains = settings.abstain and school.best_score.utility <= 0.0
    layers = [(np.zeros_like(w), np.zeros_like(b)) for w, b in school.best] if abstains else school.best
    return Fitted(layers, school.steps, school.utilities, school.best_score, abstains)


def make_model(settings: TrainConfig, env: PairTradingVecEnv, seed: int) -> PPO:
    """Return the untrained algorithm."""
    shared = {"env": env, "seed": seed, "device": "cpu", "verbose": 0, **_hyperparameters(settings)}
    network = {"net_arch": list(settings.hidden), "activation_fn": ACTIVATIONS[settings.activation]}
    if settings.algorithm == "sb3-ppo":
        return PPO("MlpPolicy", policy_kwargs=network | {"log_std_init": settings.log_std_init}, **shared)
    lean = {"value_lambda": settings.value_lambda, "averaging": settings.averaging}
    model = CounterfactualPPO(
        policy_kwargs=network | {"optimizer_kwargs": {"fused": True, "eps": 1e-5}}, **lean, **shared
    )
    return model


class School(BaseCallback):
    """Raises the fee along its ramp, validates at regular steps, and keeps the best network."""

    def __init__(self, lesson: Lesson, env: PairTradingVecEnv) -> None:
        super().__init__()
        self.lesson, self.env = lesson, env
        self.steps: list[int] = []
        self.utilities: list[float] = []
        self.best: Layers = []
        self.best_score = Score(-np.inf, 0.0, 0.0)

    def _on_rollout_start(self) -> None:
        done = self.num_timesteps / self.lesson.settings.total_steps
        share = self.lesson.fee_share(done)
        self.env.set_costs(make_costs(share * self.lesson.fee_bps, self.lesson.costs))
        self.env.set_sizing(self.lesson.rules(share).sizing)
        if isinstance(self.model, CounterfactualPPO):
            self.model.set_exploration(self.lesson.exploration(done))
        if done >= len(self.steps) / self.lesson.settings.evaluations:
            self._validate()

    def _on_training_end(self) -> None:
        self._validate()

    def _on_step(self) -> bool:
        return True

    def _validate(self) -> None:
        # Before the fee is fully charged the agent solves another task, so nothing from then may be chosen.
        ready = self.num_timesteps >= self.lesson.settings.fee_ramp[1] * self.lesson.settings.total_steps
        with averaged(self.model):
            score = validate(self.lesson, self._act)
            if not self.best or (ready and score.utility > self.best_score.utility):
                self.best, self.best_score = policy_layers(self.model), score
        if not ready:
            self.best = []
        self.steps.append(self.num_timesteps)
        self.utilities.append(score.utility)

    def _act(self, observation: Float32) -> Any:
        return self.model.predict(observation, deterministic=True)[0]


@contextmanager
def averaged(model: Any) -> Iterator[None]:
    """Put the running mean of the weights in the policy for the length of the block."""
    if not isinstance(model, CounterfactualPPO):
        yield
        return
    weights: list[torch.Tensor] = list(model.policy.parameters())
    current = [weight.detach().clone() for weight in weights]
    with torch.no_grad():
        torch._foreach_copy_(weights, model.average)
    yield
    with torch.no_grad():
        torch._foreach_copy_(weights, current)


def policy_layers(model: Any) -> Layers:
    """Return copies of the policy network's linear layers, the action layer last."""
    modules = [*model.policy.mlp_extractor.policy_net, *model.policy.action_net.modules()]
    linear = [module for module in modules if isinstance(module, torch.nn.Linear)]
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
    }
