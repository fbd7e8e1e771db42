"""The learner against the best possible, and the published trials against their own arithmetic."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from perpfut_lib.artifacts import read_published
from perpfut_lib.bench import learnability
from perpfut_lib.config import TrainConfig
from perpfut_lib.env.planted import Planted
from perpfut_lib.report.learnability import signal_to_noise
from perpfut_lib.train import trials
from perpfut_lib.train.trials import Trial, run_trial

PUBLISHED = read_published("learnability")


@pytest.mark.trains
@pytest.mark.parametrize(("fee", "share"), [(0.0, 0.5), (4.5, 0.85)])
def test_a_small_budget_attains_most_of_what_is_possible(monkeypatch, fee, share):
    """Proves that shipped settings, with a sixth of the steps and few distractors, come near the oracle on fresh days.

    An agent whose advantages have the wrong sign, lag by a bar or miss what holding brings earns nothing at 4.5 bps.
    """
    monkeypatch.setattr(trials, "VALIDATION_EPISODES", 40)
    monkeypatch.setattr(trials, "TEST_EPISODES", 100)
    settings = TrainConfig(total_steps=500_000, evaluations=3)
    found = run_trial(Trial(Planted(features=4), settings, fee, 0))
    assert found["utility"] > share * found["oracle"]
    assert found["utility"] < 1.03 * found["oracle"]  # nobody beats the best possible by more than sampling allows


def test_published_shares_follow_from_their_trials():
    """Proves mean, interval and share of every fee from the trials, five seeds each, none of them left out."""
    rows = PUBLISHED["shares"]["summary"]
    assert [row["fee_bps"] for row in rows] == [0.0, 1.44, 4.5]
    for row in rows:
        some = [trial for trial in PUBLISHED["shares"]["trials"] if trial["fee_bps"] == row["fee_bps"]]
        assert sorted(trial["seed"] for trial in some) == [0, 1, 2, 3, 4]
        assert all(trial["steps"][-1] <= 8_000_000 for trial in some)
        assert len({trial["oracle"] for trial in some}) == 1
        shares = [trial["utility"] / trial["oracle"] for trial in some]
        low, high = stats.t.interval(0.95, 4, np.mean(shares), stats.sem(shares))
        found = [row["share"], row["lower"], row["upper"], row["utility"]]
        assert found == pytest.approx([np.mean(shares), low, high, np.mean([trial["utility"] for trial in some])])


def test_published_trials_on_the_harder_task_add_up():
    """Proves means and shares by fee from the trials, and that nobody earns what the informed trader earns."""
    harder = PUBLISHED["harder"]
    assert harder["summary"] == learnability.harder_summary(harder["trials"])
    for trial in harder["trials"]:
        assert max(trial["utility"], key=trial["utility"].get) == "informed"
        assert trial["utility"]["agent"] >= trial["utility"]["slope"]


def test_the_published_race_follows_from_its_curves():
    """Proves from both learning curves when each first had stock training's best score."""
    race = PUBLISHED["race"]["summary"]
    own, stock = PUBLISHED["race"]["trials"]
    assert race["utility"] == max(stock["validation_utility"])
    for trial, seconds in ((own, race["seconds"]), (stock, race["stock_seconds"])):
        first = int(np.argmax(np.array(trial["validation_utility"]) >= race["utility"]))
        assert trial["seconds"][first] == seconds
        assert all(np.diff(trial["seconds"]) > 0)
    assert race["ratio"] == pytest.approx(race["stock_seconds"] / race["seconds"])


def test_published_settings_are_the_shipped_ones():
    """Proves that the published shares were attained with the defaults that ship, but for the number of steps."""
    shipped = TrainConfig(total_steps=PUBLISHED["settings"]["total_steps"]).model_dump(mode="json")
    kept = {name: value for name, value in PUBLISHED["settings"].items() if name in shipped}
    assert kept == {name: shipped[name] for name in kept}
    assert PUBLISHED["configurations_tried"] == learnability.TRIED


def test_the_oracle_of_every_trial_is_what_its_program_expects():
    """Proves that no trial was compared with a weak oracle: simulated and expected utility agree by sampling error.

    A day at full exposure has a standard deviation of √1440 bars' surprise, and the mean is over all test episodes.
    """
    task = Planted()
    surprise = task.std_bps * math.sqrt(1.0 - task.persistence() ** 2)
    error = surprise * math.sqrt(task.length / trials.TEST_EPISODES)
    for group in ("shares", "limit"):
        for trial in PUBLISHED[group]["trials"]:
            assert trial["oracle"] == pytest.approx(trial["program"], abs=3.0 * trial["exposure"] * error)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.15])
def test_a_weaker_edge_moves_as_much_per_bar(share):
    """Proves that weakening takes drift away and leaves the variance of a bar's surprise as it was."""
    full, weak = Planted(), learnability.weakened(share)
    innovation = 1.0 - full.persistence() ** 2
    assert innovation * weak.std_bps**2 + weak.noise_bps**2 == pytest.approx(innovation * full.std_bps**2)
    ratio = signal_to_noise(weak.std_bps, weak.noise_bps, weak.half_life)
    assert ratio == pytest.approx(share * signal_to_noise(full.std_bps, 0.0, full.half_life))
    assert math.isclose(learnability.NOISE.noise_bps, full.std_bps * innovation**0.5, rel_tol=0.01)


def test_a_trial_that_is_kept_is_not_run_again(monkeypatch, tmp_path):
    """Proves that a second call reads the kept answer, and that another seed is another trial."""
    monkeypatch.setenv("PERPFUT_ROOT", str(tmp_path))
    calls = []
    monkeypatch.setattr(learnability, "run_trial", lambda trial: calls.append(trial) or {"seed": trial.seed})
    trial = Trial(Planted(), TrainConfig(), 4.5, 1)
    first, second = learnability.kept_trial(trial), learnability.kept_trial(trial)
    assert first == second
    assert learnability.kept_trial(replace(trial, seed=2))["seed"] == 2
    assert [call.seed for call in calls] == [1, 2]
