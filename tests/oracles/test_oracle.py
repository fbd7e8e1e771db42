"""The dynamic-programming oracle against the figures of the reference task and against its own simulation."""

import numpy as np
import pytest

from perpfut_lib.config import CostsConfig, EnvConfig, TrainConfig
from perpfut_lib.env.planted import Planted, planted_episodes
from perpfut_lib.policies.oracle import solve_oracle
from perpfut_lib.train.training_task import TrainingTask, validate


@pytest.mark.parametrize(("fee", "utility"), [(0.0, 271.0), (1.44, 222.0), (4.5, 170.0)])
def test_utility_of_the_reference_task(fee, utility):
    """Proves the known utility of the reference task (270/222/171 bps a day) within the grid's error of 1.5 %."""
    assert solve_oracle(Planted(), fee).utility == pytest.approx(utility, rel=0.015)


def test_the_environment_pays_the_oracle_what_the_program_says():
    """Proves that the compiled environment and the program describe the same task, fee and flattening included."""
    task = Planted(length=480, features=1)
    plan = TrainingTask(
        planted_episodes(task, 1, 0), planted_episodes(task, 1500, 1), EnvConfig(), CostsConfig(),
        TrainConfig(band_per_root_fee=0.0), 1.44, 0,
    )  # fmt: skip
    oracle = solve_oracle(task, 1.44)
    score = validate(plan, oracle.policy.act)
    assert score.utility == pytest.approx(oracle.utility, rel=0.06)  # legs drift apart and are sized back: a cost


def test_without_an_edge_the_oracle_stays_flat():
    """Proves that on a random walk the program holds nothing and earns nothing."""
    oracle = solve_oracle(Planted(std_bps=0.0, noise_bps=4.5, length=100), 1.44)
    assert oracle.utility == pytest.approx(0.0, abs=1e-9)
    seen = np.zeros((3, 4), np.float32)
    assert np.all(oracle.policy.act(seen) == 0.0)
