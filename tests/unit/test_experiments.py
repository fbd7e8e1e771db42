"""Runs beside each other: what differs is named, what is equal is not; the progress of a training is its tally."""

import json
import os
import time

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from perpfut_lib import experiments
from perpfut_lib.artifacts import Run, write_json
from perpfut_lib.cli.application import application
from perpfut_lib.config import load_profile
from perpfut_lib.errors import ConfigError, MissingInputError


def _metrics(sharpe):
    head = {"agent": "counterfactual-ppo", "train_fee_bps": 1.44, "test_fee_bps": 1.44}
    return pd.DataFrame([head | {"seed": seed, "sharpe": sharpe + seed, "return": 0.01} for seed in (0, 2)])


def _curves(end):
    head = {"agent": "counterfactual-ppo", "train_fee_bps": 1.44, "test_fee_bps": 1.44}
    rows = [{"time": time, "equity": 1 + end * time / 999, "seed": 0} for time in range(1000)]
    return pd.DataFrame([head | row for row in rows])


@pytest.fixture
def root(tmp_path):
    for name, sharpe, steps in (("first", 1.0, 1000), ("second", 3.0, 2000)):
        run = Run(tmp_path / name)
        with run.commit("evaluate", {"code": name}) as folder:
            folder.write_table("metrics.parquet", _metrics(sharpe))
            folder.write_table("curves.parquet", _curves(sharpe))
        profile = load_profile("smoke", [f"train.total_steps={steps}"])
        write_json(run.settings, profile.model_dump(mode="json"))
    return tmp_path


def test_two_runs_differ_in_what_was_changed_and_nothing_else(root):
    """One setting was changed; results are means over seeds, side by side; curves end where the runs did."""
    found = experiments.compare("first", "second", root)
    assert found["settings"] == [{"setting": "train.total_steps", "a": 1000, "b": 2000}]
    (row,) = found["results"]
    assert (row["sharpe a"], row["sharpe b"], row["return a"]) == (2.0, 4.0, 0.01)
    assert len(found["curves"]["first"][0]["time"]) <= 2 * experiments.CURVE_POINTS
    assert found["missing"] == []
    json.dumps(found, allow_nan=False)


def test_what_is_not_there_is_said(root):
    """A run without settings and results is compared as far as it goes; one that does not exist is an error."""
    with Run(root / "bare").commit("quality", {"code": "x"}):
        pass
    found = experiments.compare("first", "bare", root)
    assert found["settings"] == [] and found["results"] == []
    assert found["missing"][0] == "settings of bare"
    with pytest.raises(MissingInputError, match="first"):
        experiments.experiment("none", root)
    for name in ("../first", "", ".hidden"):
        with pytest.raises(ConfigError):
            experiments.results(name, root)


def test_a_training_in_progress_is_told_by_its_tally(root):
    """Two agents have taken 300 and 700 of 1,000 steps each: half of the work is left."""
    scratch = Run(root / "first").scratch("train")
    scratch.mkdir()
    np.array([300, 700], np.int64).tofile(scratch / "steps")
    (scratch / "steps.begun").touch()
    os.utime(scratch / "steps.begun", (time.time() - 100, time.time() - 100))
    progress = experiments.experiment("first", root).training
    assert (progress.steps, progress.agents, progress.total) == (1000, 2, 2000)
    assert progress.steps_per_second == pytest.approx(10, rel=0.2)
    assert progress.eta_seconds == pytest.approx(1000 / progress.steps_per_second)


def test_the_command_prints_what_the_library_says(root, monkeypatch):
    """`perpfut runs compare --json` is the comparison without its curves."""
    monkeypatch.setattr(experiments, "project_root", lambda: root.parent)
    root.rename(root.parent / "artifacts")
    done = CliRunner().invoke(application(), ["runs", "compare", "first", "second", "--json"])
    assert json.loads(done.output)["settings"][0]["b"] == 2000
    listed = CliRunner().invoke(application(), ["runs", "list"])
    assert "first" in listed.output and "evaluate" in listed.output
