"""The harder task: what it plants is there, no feature looks ahead, and who knows more earns more."""

import numpy as np
import pytest

from perpfut_lib.bench.learnability import harder_summary
from perpfut_lib.config import TrainConfig
from perpfut_lib.env.harder import FORMATION, NAMES, Harder, _features, harder_episodes
from perpfut_lib.train import harder_trials, trials
from perpfut_lib.train.harder_trials import HarderTrial, run_harder_trial

TASK = Harder(length=360, distractors=2)


def test_the_same_seed_gives_the_same_episodes():
    """Proves that an episode can be made again, and that another seed is another market."""
    one, again, other = (harder_episodes(TASK, 3, seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(one.features, again.features)
    assert np.array_equal(one.fills, again.fills)
    assert not np.array_equal(one.fills, other.fills)


def test_decisions_are_filled_at_the_price_after_the_one_seen():
    """Proves the delay: the fill of a decision is the mark of the next."""
    episodes, _ = harder_episodes(TASK, 4, 1)
    assert np.array_equal(episodes.fills[:, :-2], episodes.marks[:, 1:])


def test_no_feature_looks_ahead():
    """Proves that altering everything after a bar leaves all features up to it equal to the bit."""
    generator = np.random.default_rng(1)
    seen = generator.normal(0.0, 30.0, (3, FORMATION + 200)).cumsum(axis=1)
    altered, cut = seen.copy(), FORMATION + 90
    altered[:, cut + 1 :] += generator.normal(50.0, 30.0, altered[:, cut + 1 :].shape)
    before, after = (_features(np.random.default_rng(2), one, TASK) for one in (seen, altered))
    assert np.isfinite(before).all()
    assert np.array_equal(before[:, : cut + 1], after[:, : cut + 1])
    assert not np.array_equal(before[:, cut + 1 :, : len(NAMES)], after[:, cut + 1 :, : len(NAMES)])


def test_the_spread_is_what_is_planted():
    """Proves unit variance and the regime's persistence while the spread reverts, and none of it once it is broken."""
    task = Harder(breaks=3.0, distractors=1)
    _, truth = harder_episodes(task, 400, 3)
    moves, phi = truth.z[:, 1:], task.persistence()
    assert truth.z[~truth.broken].std() == pytest.approx(1.0, abs=0.05)
    for index in range(len(phi)):
        own = (truth.regime[:, 1:] == index) & ~truth.broken[:, 1:]
        slope = np.sum(moves[own] * truth.z[:, :-1][own]) / np.sum(truth.z[:, :-1][own] ** 2)
        assert slope == pytest.approx(phi[index], abs=4.0 * np.sqrt((1.0 - phi[index] ** 2) / own.sum()))
    broken = truth.broken[:, :-1]
    change = (truth.z[:, 1:] - truth.z[:, :-1])[broken]
    level = truth.z[:, :-1][broken]
    assert abs(np.sum(change * level) / np.sum(level**2)) < 4.0 * change.std() / np.sqrt(np.sum(level**2))


@pytest.mark.trains
def test_who_knows_more_earns_more(monkeypatch):
    """Proves that the latest z alone falls short of all features, and these of the truth, on the same fresh days."""
    monkeypatch.setattr(harder_trials, "VALIDATION_EPISODES", 60)
    monkeypatch.setattr(harder_trials, "TEST_EPISODES", 150)
    assert trials.VALIDATION_EPISODES > 60
    settings = TrainConfig(total_steps=200_000, evaluations=2)
    found = run_harder_trial(HarderTrial(Harder(distractors=2), settings, 1.44, 0))["utility"]
    assert 0.0 < found["slope"] < found["ridge"] < found["informed"]
    assert found["slope"] < found["agent"] < found["informed"]


def test_shares_are_of_the_informed_trader():
    """Known answer: means over seeds by fee and policy, and their quotient with what the truth is worth."""
    trials = [
        {"fee_bps": fee, "utility": {"agent": 1.0 + seed, "informed": 4.0}}
        for fee in (0.0, 1.44, 4.5)
        for seed in (0, 2)
    ]
    rows = harder_summary(trials)
    assert len(rows) == 6
    assert rows[0] == {"fee_bps": 0.0, "seeds": 2, "policy": "agent", "utility": 2.0, "share": 0.5}
    assert rows[1]["share"] == 1.0
