"""Trials on the reference task: an agent trained on planted episodes and tested on fresh ones, beside the oracle."""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from perpfut_lib.config import CostsConfig, EnvConfig, TrainConfig
from perpfut_lib.env.planted import Planted, planted_episodes
from perpfut_lib.policies import forward
from perpfut_lib.policies.oracle import solve_oracle
from perpfut_lib.train.fit import Fitted, fit
from perpfut_lib.train.training_task import Act, Score, TrainingTask, validate
from perpfut_lib.types import Float1D, Float32, JsonObject

VALIDATION_EPISODES, TEST_EPISODES = 100, 500
VALIDATION_SEED, TEST_SEED, FIRST_TRAINING_SEED = 1, 2, 1000
FREE: Final[JsonObject] = {"band_per_root_fee": 0.0, "overlay": 0.0}
"""Settings without a no-trade band around actions: for policies that have one of their own."""


@dataclass(frozen=True)
class Trial:
    """One training on the reference task."""

    task: Planted
    settings: TrainConfig
    fee_bps: float
    seed: int

    def training_task(self) -> TrainingTask:
        """Return what is trained on: about as many bars as steps, so that few are seen twice."""
        count = math.ceil(self.settings.total_steps / self.task.length)
        train = planted_episodes(self.task, count, FIRST_TRAINING_SEED + self.seed)
        check = planted_episodes(self.task, VALIDATION_EPISODES, VALIDATION_SEED)
        settings = self.settings.model_copy(update={"abstain": False})  # what would be exported follows from the score
        return TrainingTask(train, check, EnvConfig(), CostsConfig(), settings, self.fee_bps, self.seed)


def run_trial(trial: Trial) -> JsonObject:
    """Train and test one agent.

    Returns
    -------
    dict
        ``steps``, ``seconds`` (training alone) and ``validation_utility`` at each validation; ``validated``, the best
        of them; ``utility``, ``exposure`` and ``turnover`` a day on the test episodes; ``oracle``, the utility of the
        oracle's policy on the same episodes, and ``program``, the utility that its dynamic program expects.
    """
    training_task = trial.training_task()
    fitted = fit(training_task)
    own, oracle, program = compare(trial, training_task, fitted)
    return {
        "fee_bps": trial.fee_bps,
        "seed": trial.seed,
        "steps": fitted.steps,
        "seconds": fitted.seconds,
        "validation_utility": fitted.validation_utility,
        "validated": fitted.score.utility,
        "utility": own.utility,
        "exposure": own.exposure,
        "turnover": own.turnover,
        "oracle": oracle.utility,
        "oracle_turnover": oracle.turnover,
        "program": program,
    }


def compare(trial: Trial, training_task: TrainingTask, fitted: Fitted) -> tuple[Score, Score, float]:
    """Return the scores of agent and oracle on the same fresh episodes, and what the dynamic program expects."""
    test = replace(training_task, validate=planted_episodes(trial.task, TEST_EPISODES, TEST_SEED))
    settings = training_task.settings
    oracle = solve_oracle(trial.task, trial.fee_bps)
    free = replace(test, settings=settings.model_copy(update=FREE))
    return validate(test, acting(fitted, settings)), validate(free, oracle.policy.act), oracle.utility


def acting(fitted: Fitted, settings: TrainConfig) -> Act:
    """Return an agent as it acts, without torch."""
    network = fitted.network(settings)

    def act(observation: Float32) -> Float1D:
        actions = np.empty(len(observation))
        forward(network, observation, actions)
        return actions

    return act
