"""One agent: trained on the training episodes, the best of its validations kept."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback

from perpfut_lib.env import PairTradingVecEnv, make_costs
from perpfut_lib.policies import Lstm
from perpfut_lib.train.algorithms import Weights, acting_weights, actor, make_model
from perpfut_lib.train.counterfactual import CounterfactualPPO
from perpfut_lib.train.lesson import Layers, Lesson, Score, validate


@dataclass(frozen=True)
class Fitted:
    """A trained agent."""

    layers: Layers
    """Weights (outputs, inputs) and biases (outputs,) of the policy network."""
    steps: list[int]
    """Environment steps at each validation."""
    seconds: list[float]
    """Wall time spent on training, validations left out, until each validation."""
    validation_utility: list[float]
    """Mean sum of rewards per validation episode, at the full fee, without exploration."""
    score: Score
    """Of the network that was kept."""
    abstains: bool
    """Nothing that was learned beat doing nothing on validation, so the policy is flat."""
    lstm: Lstm | None = None
    """Recurrent layer before the network."""


def fit(lesson: Lesson) -> Fitted:
    """Train one agent; same seed, same machine and same number of threads: same bits."""
    settings = lesson.settings
    torch.set_num_threads(settings.threads)
    costs = make_costs(0.0, lesson.costs)
    exploring = settings.algorithm == "ppo" and settings.exploring_bars > 0
    rules = lesson.rules(0.0)._replace(max_bars=settings.exploring_bars) if exploring else lesson.rules(0.0)
    env = PairTradingVecEnv(lesson.train, rules, costs, n_envs=settings.n_envs, seed=lesson.seed, exploring=exploring)
    env.use_threads(settings.threads)
    model = make_model(settings, env, lesson.seed)
    school = School(lesson, env)
    model.learn(settings.total_steps, callback=school)
    abstains = settings.abstain and school.best_score.utility <= 0.0
    weights = school.best.flat() if abstains else school.best
    return Fitted(
        weights.layers, school.steps, school.seconds, school.utilities, school.best_score, abstains, weights.lstm
    )


class School(BaseCallback):
    """Raises the fee along its ramp, validates at regular steps, and keeps the best network."""

    def __init__(self, lesson: Lesson, env: PairTradingVecEnv) -> None:
        super().__init__()
        self.lesson, self.env = lesson, env
        self.steps: list[int] = []
        self.seconds: list[float] = []
        self.utilities: list[float] = []
        self.best = Weights([])
        self.best_score = Score(-np.inf, 0.0, 0.0)
        self.resumed = 0.0

    def _on_training_start(self) -> None:
        self.resumed = time.perf_counter()

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
        spent = self.seconds[-1] if self.seconds else 0.0
        self.seconds.append(spent + time.perf_counter() - self.resumed)
        # Before the fee is fully charged the agent solves another task, so nothing from then may be chosen.
        ready = self.num_timesteps >= self.lesson.settings.fee_ramp[1] * self.lesson.settings.total_steps
        with averaged(self.model):
            score = validate(self.lesson, actor(self.model))
            if not self.best.layers or (ready and score.utility > self.best_score.utility):
                self.best, self.best_score = acting_weights(self.model), score
        if not ready:
            self.best = Weights([])
        self.steps.append(self.num_timesteps)
        self.utilities.append(score.utility)
        self.resumed = time.perf_counter()


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
