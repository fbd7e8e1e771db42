"""The learner's bench: its arithmetic by hand, a tiny form of it whole, and that a killed run goes on."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from perpfut_lib.bench import learner
from perpfut_lib.cli.application import application
from perpfut_lib.errors import ConfigError
from perpfut_lib.evaluate.fresh_worlds import AGENT, BEST, INFORMED

TINY = (
    "train.total_steps=2048", "train.n_envs=64", "train.n_steps=16", "train.batch_size=1024",
    "train.evaluations=1", "train.seeds=2",
    "data.simulation.days=8", "data.simulation.symbols=4", "data.simulation.planted_pairs=2",
    "data.timeframe=auto", "cointegration.placebos=0", "compute.workers=1", "costs.fees_bps=[1.44]",
)  # fmt: skip


def test_differences_and_ratio_by_hand():
    """Two worlds, t(0.975, 1) = 12.706: differences 1 and 3 give 2 ± 12.706; the ratio of means is 1.5."""
    row = learner.compare(np.array([4.0, 8.0]), np.array([3.0, 5.0]), 1.44, "utility", "z-score")
    assert (row.ours, row.peer, row.ratio, row.difference) == (6.0, 4.0, 1.5, 2.0)
    assert (row.lower, row.upper) == pytest.approx((2.0 - 12.7062047, 2.0 + 12.7062047))
    assert row.ratio_upper - row.ratio_lower == pytest.approx(2 * 12.7062047 * 0.5 / 4.0)  # residuals -0.5 and 0.5
    alone = learner.compare(np.array([4.0]), np.array([-1.0]), 0.0, "return", "flat")
    assert (alone.ratio, alone.lower, alone.ratio_lower) == (None, None, None)


def test_one_tiny_world_whole(tmp_path, monkeypatch):
    """Stages, agents, rules and informed trader of one market; asked again, the kept answer is read, not made."""
    root = learner.project_root()
    (tmp_path / "configs").symlink_to(root / "configs")
    monkeypatch.setenv("PERPFUT_ROOT", str(tmp_path))
    order = learner.Order(worlds=1, first_seed=3, profile="smoke", settings=TINY)
    rows = [json.loads(row.to_json()) for row in learner.run(order)]
    named = {(row["metric"], row["policy"]): row for row in rows}
    assert {policy for _, policy in named} == {
        "flat",
        "long",
        "short",
        "random",
        "z-score",
        "ou-stopping",
        "ridge",
        BEST,
        INFORMED,
    }
    best = named["utility at 1.44 bps", BEST]
    assert named["utility at 1.44 bps", "flat"]["peer"] == 0.0
    assert best["ours"] - best["peer"] == pytest.approx(best["difference"])
    kept = next(tmp_path.glob("artifacts/learner/*/world-3.json"))
    world = json.loads(kept.read_text())
    agent = next(row for row in world["rows"] if row["policy"] == AGENT)
    assert len(agent["utility_by_seed"]) == 2 and agent["utility"] == pytest.approx(np.mean(agent["utility_by_seed"]))
    assert not list(tmp_path.glob("artifacts/learner/*/run-*"))
    for row in world["rows"]:
        row["utility"] = 7.0
    kept.write_text(json.dumps(world))
    assert all(row.difference == 0.0 for row in learner.run(order) if row.metric.startswith("utility"))


def test_recorded_data_has_no_fresh_worlds():
    with pytest.raises(ConfigError, match="simulated"):
        learner.results(learner.Order(profile="real-1h"))


def test_the_command_prints_difference_and_interval(monkeypatch):
    """``perpfut bench learner`` prints a row as the row says itself: with what sets the two policies apart."""
    row = learner.compare(np.array([4.0, 8.0]), np.array([3.0, 5.0]), 1.44, "utility", "z-score")
    monkeypatch.setattr(learner, "run", lambda: iter([row]))
    printed = CliRunner().invoke(application(), ["bench", "learner"]).output
    assert row.to_text() in printed.splitlines()
    assert "+2 [-10.71, +14.71]" in row.to_text()
