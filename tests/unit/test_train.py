"""Training on small planted worlds: deterministic, exported as trained, able to learn, able to abstain."""

from dataclasses import replace

import numpy as np
import pytest

from perpfut_lib.config import CostsConfig, EnvConfig, TrainConfig
from perpfut_lib.env.planted import Planted, planted_episodes
from perpfut_lib.policies import forward, make_network
from perpfut_lib.train.algorithms import SQUASHED, Weights
from perpfut_lib.train.fit import fit
from perpfut_lib.train.training_task import TrainingTask, validate

TASK = Planted(length=240, features=4)


def training_task(task=TASK, fee=4.5, **settings):
    train, check = planted_episodes(task, 60, 1), planted_episodes(task, 30, 2)
    chosen = {"total_steps": 8192, "n_envs": 64, "batch_size": 1024, "n_epochs": 2, "evaluations": 2} | settings
    return TrainingTask(train, check, EnvConfig(), CostsConfig(), TrainConfig(**chosen), fee, 3)


@pytest.mark.parametrize("algorithm", ["counterfactual-ppo", "sb3-ppo", "a2c", "sac", "dqn", "recurrent-ppo"])
def test_the_same_seed_gives_the_same_bits(algorithm):
    """Proves that two trainings of the same training task end in identical weights and curves."""
    first, second = (fit(training_task(algorithm=algorithm, abstain=False)) for _ in range(2))
    assert first.validation_utility == second.validation_utility
    for (weight, bias), (other_weight, other_bias) in zip(first.layers, second.layers, strict=True):
        assert np.array_equal(weight, other_weight)
        assert np.array_equal(bias, other_bias)
    cells = zip(first.lstm or (), second.lstm or (), strict=True)
    assert all(np.array_equal(one, other) for one, other in cells)


@pytest.mark.parametrize("algorithm", ["counterfactual-ppo", "dqn"])
def test_the_best_on_validation_is_kept(algorithm):
    """Proves that the exported network is the one of the best validation after the fee is whole, not the last one."""
    plan = training_task(
        fee=0.0,
        algorithm=algorithm,
        total_steps=16_384,
        evaluations=8,
        abstain=False,
        fee_ramp=(0.2, 0.5),
        overlay=0.0,
    )
    fitted = fit(plan)
    late = [u for steps, u in zip(fitted.steps, fitted.validation_utility, strict=True) if steps >= 8192]
    assert fitted.score.utility == max(late) > min(late)
    network = make_network(fitted.layers, activation="relu", squash=algorithm in SQUASHED)

    def act(observation):
        actions = np.empty(len(observation))
        forward(network, observation, actions)
        return actions

    assert validate(plan, act).utility == pytest.approx(fitted.score.utility, abs=1e-3)


def test_training_leaves_no_folder_behind(tmp_path, monkeypatch):
    """Proves that Stable-Baselines3's logger makes no folder among the temporary files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fit(training_task(total_steps=2048, algorithm="sb3-ppo"))
    assert list(tmp_path.iterdir()) == []


def test_the_policy_does_not_see_what_is_held():
    """Proves that training leaves the weights of the portfolio block at zero: the band alone answers to it."""
    fitted = fit(training_task(abstain=False, overlay=0.0))
    assert np.all(fitted.layers[0][0][:, -3:] == 0.0)
    assert np.any(fitted.layers[0][0][:, :-3] != 0.0)


def test_fee_band_and_exploration_follow_their_schedules():
    """Proves the schedules at hand-worked points: nothing before the ramp, everything after it."""
    plan = training_task(
        fee=8.0, fee_ramp=(0.2, 0.6), exploration=(0.4, 0.1, 0.025), band_per_root_fee=0.5, overlay=0.0
    )
    assert [plan.fee_share(done) for done in (0.0, 0.2, 0.4, 0.6, 1.0)] == pytest.approx([0, 0, 0.5, 1, 1])
    assert plan.rules(1.0).sizing.band == pytest.approx(1.0)
    assert plan.rules(0.125).sizing.band == pytest.approx(0.5)
    assert [plan.exploration(done) for done in (0.0, 0.1, 0.2, 0.6, 1.0)] == pytest.approx([0.4, 0.2, 0.1, 0.05, 0.025])


@pytest.mark.parametrize("overlay", [0.0, 0.25])
def test_noise_ends_in_abstention(overlay):
    """Null: an agent finds profit in a random walk. Proves that with fees on it exports a policy that stays flat."""
    noise = Planted(std_bps=0.0, noise_bps=4.5, length=240, features=4)
    plan = training_task(noise, overlay=overlay, base_steps=60)
    fitted = fit(plan)
    assert fitted.abstains or fitted.score.exposure < 0.05
    if fitted.abstains:
        assert validate(plan, exported(plan, fitted)).exposure == 0.0


def exported(plan, fitted):
    """Return the policy as it acts without torch."""

    def act(observation):
        actions = np.empty(len(observation))
        forward(fitted.network(plan.settings), observation, actions)
        return actions

    return act


def test_the_base_rule_is_corrected_only_where_that_pays():
    """Proves that what is exported scores as validated, at least as much as the base rule, which earns under fees."""
    plan = training_task(fee=1.44, base_steps=120, base_hidden=16, total_steps=16_384)
    fitted = fit(plan)
    alone = replace(fitted, layers=Weights(fitted.layers).flat().layers)
    assert not fitted.abstains
    assert validate(plan, exported(plan, fitted)).utility == pytest.approx(fitted.score.utility, abs=0.01)
    base = validate(plan, exported(plan, alone)).utility
    assert fitted.score.utility >= base - 0.01
    assert base > 10.0
    assert fitted.uncorrected == all(np.all(weight == 0) for weight, _ in fitted.layers)


def test_an_edge_without_fees_is_learned():
    """Proves that a hundred thousand steps suffice for half of the oracle's utility (45 bps per 240 bars) for free."""
    fitted = fit(training_task(fee=0.0, total_steps=131_072, n_epochs=6))
    assert fitted.score.utility > 22.0
