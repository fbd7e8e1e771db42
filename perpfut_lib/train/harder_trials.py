"""Trials on the harder task: the agent beside a slope, the ridge, its own base rule, and one who knows the truth."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from perpfut_lib.accounting import STILL
from perpfut_lib.config import CostsConfig, EnvConfig, TrainConfig
from perpfut_lib.env import Episodes, make_costs, make_rules
from perpfut_lib.env.harder import Harder, Truth, harder_episodes
from perpfut_lib.env.planted import Planted
from perpfut_lib.policies.fitting import Fitting, walk
from perpfut_lib.policies.oracle import OraclePolicy, solve_oracle
from perpfut_lib.policies.ridge import fit_ridge
from perpfut_lib.policies.rules import PLAIN
from perpfut_lib.train.fit import Fitted, fit
from perpfut_lib.train.training_task import TrainingTask, validate
from perpfut_lib.train.trials import (
    FIRST_TRAINING_SEED,
    FREE,
    TEST_EPISODES,
    TEST_SEED,
    VALIDATION_EPISODES,
    VALIDATION_SEED,
    acting,
)
from perpfut_lib.types import Float1D, Float32, JsonObject

SLOPES: Final = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0)
"""Values of k that tanh(-k z) is tuned over."""
RIDGE_EPISODES: Final = 300
"""Training episodes that the ridge is fitted to: a linear rule needs no more, and all would fill the memory."""


@dataclass(frozen=True)
class HarderTrial:
    """One training on the harder task."""

    task: Harder
    settings: TrainConfig
    fee_bps: float
    seed: int

    def training_task(self) -> TrainingTask:
        """Return what is trained on: about as many bars as steps, so that few are seen twice."""
        count = math.ceil(self.settings.total_steps / self.task.length)
        train, _ = harder_episodes(self.task, count, FIRST_TRAINING_SEED + self.seed)
        check, _ = harder_episodes(self.task, VALIDATION_EPISODES, VALIDATION_SEED)
        settings = self.settings.model_copy(update={"abstain": False})  # what would be exported follows from the score
        return TrainingTask(train, check, EnvConfig(), CostsConfig(), settings, self.fee_bps, self.seed)


@dataclass(frozen=True)
class InformedRegions:
    """The no-trade region of the current half-life's oracle; nothing is held once the spread is broken.

    It reads z, the index of the half-life and whether it is broken from the first three features.
    """

    oracles: tuple[OraclePolicy, ...]

    def act(self, observation: Float32) -> Float1D:
        """Return exposures (N,) for observations (N, D)."""
        action = np.zeros(len(observation))
        regime, whole = observation[:, 1].astype(np.int64), observation[:, 2] == 0.0
        for index, oracle in enumerate(self.oracles):
            own = whole & (regime == index)
            action[own] = oracle.act(observation[own])
        return action


def run_harder_trial(trial: HarderTrial) -> JsonObject:
    """Train and test one agent.

    Returns
    -------
    dict
        ``fee_bps``, ``seed``, ``steps`` and ``seconds`` of training, and the mean utility per episode, basis points, on
        the same fresh episodes of ``agent``, ``base rule`` (its own, uncorrected), ``ridge``, ``slope`` (tanh(-k z) in
        the no-trade band, k from validation) and ``informed``, who knows the truth and forgoes nothing to learn it.
    """
    training_task = trial.training_task()
    fitted = fit(training_task)
    episodes, truth = harder_episodes(trial.task, TEST_EPISODES, TEST_SEED)
    test = replace(training_task, validate=episodes)
    utilities = {
        "agent": validate(test, acting(fitted, test.settings)).utility,
        "base rule": validate(test, acting(_uncorrected(fitted), test.settings)).utility,
        "ridge": _ridge(training_task, episodes),
        "slope": _slope(training_task, episodes),
        "informed": _informed(trial, test, truth),
    }
    about = {"fee_bps": trial.fee_bps, "seed": trial.seed, "steps": fitted.steps[-1], "seconds": fitted.seconds[-1]}
    return about | {"utility": utilities}


def _uncorrected(fitted: Fitted) -> Fitted:
    weights, offset = fitted.layers[-1]
    return replace(fitted, layers=[*fitted.layers[:-1], (0.0 * weights, 0.0 * offset)])


def _ridge(training_task: TrainingTask, episodes: Episodes) -> float:
    some = training_task.train.rows(np.arange(min(RIDGE_EPISODES, len(training_task.train))))
    rules = make_rules(training_task.env, band=STILL)
    fitting = Fitting(some, training_task.validate, rules, make_costs(training_task.fee_bps, training_task.costs))
    return float(walk(fit_ridge(PLAIN, fitting), replace(fitting, validate=episodes)).utility[0])


def _slope(training_task: TrainingTask, episodes: Episodes) -> float:
    banded = replace(training_task, settings=training_task.settings.model_copy(update={"overlay": 0.0}))

    def sloped(k: float) -> Callable[[Float32], Float1D]:
        return lambda observation: np.tanh(-k * observation[:, 0].astype(np.float64))

    best = max(SLOPES, key=lambda k: validate(banded, sloped(k)).utility)
    return validate(replace(banded, validate=episodes), sloped(best)).utility


def _informed(trial: HarderTrial, test: TrainingTask, truth: Truth) -> float:
    task = trial.task
    programs = [
        solve_oracle(Planted(half_life, task.std_bps, task.wander_per_bar(), task.length), trial.fee_bps)
        for half_life in task.half_lives
    ]
    known = np.stack([truth.z, truth.regime, truth.broken], axis=2).astype(np.float32)
    episodes = replace(test.validate, features=known, names=("z", "regime", "broken"))
    free = replace(test, validate=episodes, settings=test.settings.model_copy(update=FREE))
    return validate(free, InformedRegions(tuple(one.policy for one in programs)).act).utility
