"""The search for settings: resumable, on the validation span alone, with every trial on record."""

import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from perpfut_lib.cli.application import application
from perpfut_lib.compute import run_tasks
from perpfut_lib.config import ComputeConfig, CostsConfig, EnvConfig, TrainConfig, load_profile, project_root
from perpfut_lib.env import Episodes
from perpfut_lib.env.planted import Planted, planted_episodes
from perpfut_lib.errors import ConfigError
from perpfut_lib.train import tune
from perpfut_lib.train.fit import Fitted
from perpfut_lib.train.training_task import Score, TrainingTask
from perpfut_lib.train.tune import SPACE, Search, as_overrides

TASK = Planted(length=60, features=4)


def training_tasks(algorithm="counterfactual-ppo"):
    train, check = planted_episodes(TASK, 30, 1), planted_episodes(TASK, 5, 2)
    settings = TrainConfig(algorithm=algorithm, n_envs=32, n_steps=16, total_steps=1024, evaluations=1, hidden=(8,))
    return [TrainingTask(train, check, EnvConfig(), CostsConfig(), settings, fee, 1) for fee in (0.0, 4.5)]


@dataclass(frozen=True)
class Doomed:
    """A search whose process is killed in the middle of its second trial, the first time."""

    folder: Path

    def run(self):
        trained = tune.fit

        def fit(training_task, logbook):
            fits = self.folder / "fits"
            fits.write_text((fits.read_text() if fits.exists() else "") + "x")
            if len(fits.read_text()) == 4:
                os.kill(os.getpid(), signal.SIGKILL)
            return trained(training_task, logbook)

        tune.fit = fit
        return Search(training_tasks(), self.folder / "study").run(2)


def run_doomed(task):
    return task.run() if task else None


def test_a_killed_study_goes_on_as_if_it_had_not_been(tmp_path):
    """SIGKILL in the second of three trials: every trial asks and answers what an uninterrupted study does."""
    run_tasks(run_doomed, [Doomed(tmp_path), None], ComputeConfig(workers=2))
    resumed = Search(training_tasks(), tmp_path / "study").run(3)
    quiet = Search(training_tasks(), tmp_path / "quiet").run(3)
    assert resumed == quiet
    assert resumed["trials"] == resumed["completed"] == len(resumed["history"]) == 3
    assert len((tmp_path / "fits").read_text()) == 2 + 2 + 2  # one whole trial, the killed one, the same one again
    assert Search(training_tasks(), tmp_path / "study").run(2) == resumed  # enough trials are there already
    assert json.loads((tmp_path / "study" / "trials.json").read_text()) == resumed


def fake_fit(utility):
    """Return a training that reports and returns a utility that follows from its settings."""

    def fit(training_task, logbook):
        value = utility(training_task)
        for number in range(1, training_task.settings.evaluations + 2):
            logbook.report(number, value)
        return Fitted([], [], [], [], Score(value, 0.0, 0.0), False)

    return fit


def test_hopeless_trials_are_pruned_and_counted(tmp_path, monkeypatch):
    """The best settings are those with the highest mean utility over fees; a pruned trial counts as a trial."""
    monkeypatch.setattr(
        tune, "fit", fake_fit(lambda training_task: 1e3 * training_task.settings.learning_rate - training_task.fee_bps)
    )
    record = Search(training_tasks(), tmp_path).run(12)
    values = [entry["value"] for entry in record["history"] if entry["state"] == "complete"]
    assert record["pruned"] > 0 and record["trials"] == 12 == record["pruned"] + record["completed"]
    assert (
        record["best"]["value"]
        == max(values)
        == pytest.approx(1e3 * record["best"]["settings"]["learning_rate"] - 2.25)
    )
    other = [TrainingTask(**{**vars(each), "seed": 2}) for each in training_tasks()]
    assert Search(other, tmp_path).run(1)["trials"] == 13  # another study in the same folder: its trials add up


def test_the_printed_settings_are_valid_overrides(tmp_path, monkeypatch):
    """What is printed can be put into a profile, for every algorithm, and is what was tried."""
    monkeypatch.setattr(tune, "fit", fake_fit(lambda training_task: training_task.settings.learning_rate))
    for algorithm in SPACE:
        record = Search(training_tasks(algorithm), tmp_path / algorithm).run(2)
        best = yaml.safe_load(as_overrides(record))["train"]
        overrides = [f"train.{name}={value}" for name, value in best.items()]
        chosen = load_profile("smoke", [f"train.algorithm={algorithm}", *overrides]).train
        assert {name: getattr(chosen, name) for name in best} == record["best"]["settings"]
        assert record["best"]["value"] == chosen.learning_rate


def test_two_processes_do_not_share_a_study(tmp_path):
    """A second search in the same folder is refused while the first one is at work."""
    with tune._alone(tmp_path / "lock"), pytest.raises(ConfigError, match="one process per study"):
        Search(training_tasks(), tmp_path).run(1)


SETTINGS = (
    "data.simulation.symbols=6",
    "data.simulation.days=5",
    "cointegration.formation=12h",
    "cointegration.trading=6h",
    "cointegration.min_correlation=-1",
    "cointegration.max_pvalue=1.0",
    "train.total_steps=1024",
    "train.n_envs=32",
    "costs.fees_bps=[1.44]",
    "train.evaluations=1",
)


def test_the_command_tunes_a_profile_without_its_test_span(tmp_path, monkeypatch):
    """Three tiny trials in two goes: the record is written and published, and the test episodes are never selected."""
    (tmp_path / "configs").symlink_to(project_root() / "configs")
    (tmp_path / "perpfut_lib").mkdir()
    monkeypatch.setenv("PERPFUT_ROOT", str(tmp_path))
    monkeypatch.setenv("PERPFUT_PROGRESS", "")
    selected, select = set(), Episodes.select
    monkeypatch.setattr(Episodes, "select", lambda self, split: selected.add(split) or select(self, split))
    arguments = ["tune", "--profile", "smoke", *(part for key in SETTINGS for part in ("--set", key))]
    first = CliRunner().invoke(application(), [*arguments, "--trials", "1", "--no-keep"], catch_exceptions=False)
    assert first.exit_code == 0 and "1 trials finished" in first.output
    assert not (tmp_path / "artifacts" / "published").exists()
    second = CliRunner().invoke(application(), [*arguments, "--trials", "3"], catch_exceptions=False)
    record = json.loads((tmp_path / "artifacts" / "smoke" / "tune" / "trials.json").read_text())
    assert record["trials"] == 3 and yaml.safe_load(second.output)["train"] == record["best"]["settings"]
    assert json.loads((tmp_path / "artifacts" / "published" / "tune" / "smoke.json").read_text())["trials"] == 3
    assert selected == {"train", "validate"}
