"""The pipeline runs what is missing or changed, and nothing else."""

import sys
from types import ModuleType

import pytest

from perpfut_lib import pipeline
from perpfut_lib.artifacts import Run
from perpfut_lib.config import ComputeConfig, load_profile
from perpfut_lib.pipeline import Stage


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """Two stages that count their runs: ``first`` reads section data, ``second`` section train."""
    counts = {"first": 0, "second": 0}

    def module(name):
        made = ModuleType(f"toy_{name}")

        def run_stage(profile, run, folder):
            counts[name] += 1
            folder.write_json("value.json", {"days": profile.data.simulation.days})

        made.run_stage, made.fingerprint = run_stage, lambda profile: {"file": "abc"}
        monkeypatch.setitem(sys.modules, made.__name__, made)
        return made.__name__

    stages = (
        Stage("first", module("first"), ("data",), ()),
        Stage("second", module("second"), ("train",), ("first",)),
    )
    monkeypatch.setattr(pipeline, "BY_NAME", {stage.name: stage for stage in stages})
    monkeypatch.setattr(pipeline, "source_hash", lambda module: "code")
    return counts, Run(tmp_path / "toy")


def test_a_missing_upstream_is_run_first_and_only_once(toy):
    counts, run = toy
    for _ in range(2):
        pipeline.ensure("second", load_profile("default"), run)
    assert counts == {"first": 1, "second": 1}


def test_a_changed_setting_reruns_only_what_depends_on_it(toy):
    counts, run = toy
    pipeline.ensure("second", load_profile("default"), run)
    pipeline.ensure("second", load_profile("default", ["train.seeds=2"]), run)
    assert counts == {"first": 1, "second": 2}
    pipeline.ensure("second", load_profile("default", ["train.seeds=2", "data.simulation={days: 9}"]), run)
    assert counts == {"first": 2, "second": 3}


def test_unchanged_output_of_a_rerun_stage_stops_the_chain(toy):
    """Settings that leave a stage's output as it was do not rerun the stages after it."""
    counts, run = toy
    pipeline.ensure("second", load_profile("default"), run)
    pipeline.ensure("second", load_profile("default", ["data.max_gap_bars=1"]), run)
    assert counts == {"first": 2, "second": 1}


def test_studies_side_by_side_make_once_what_they_share(monkeypatch, tmp_path):
    """Three studies, two of which differ behind the training only: two trainings, three evaluations."""
    counts = dict.fromkeys(("environment", "train", "evaluate"), 0)

    def stage(name, section, *upstream):
        made = ModuleType(f"toy_{name}")

        def run_stage(profile, run, folder):
            counts[name] += 1
            folder.write_json("value.json", profile.train.seeds if name == "train" else name)

        made.run_stage, made.fingerprint = run_stage, lambda profile: {"file": "abc"}
        monkeypatch.setitem(sys.modules, made.__name__, made)
        return Stage(name, made.__name__, (section,), upstream)

    stages = (
        stage("environment", "env"),
        stage("train", "train", "environment"),
        stage("evaluate", "evaluate", "train"),
    )
    monkeypatch.setattr(pipeline, "BY_NAME", {each.name: each for each in stages})
    monkeypatch.setattr(pipeline, "source_hash", lambda module: "code")
    settings = (["evaluate.benchmark=flat"], ["evaluate.benchmark=constant-spread"], ["train.seeds=2"])
    profiles = [load_profile("default", given) for given in settings]
    studies = [(profile, Run(tmp_path / f"study-{number}")) for number, profile in enumerate(profiles)]
    pipeline.ensure_all("evaluate", studies, ComputeConfig(workers=1), label="studies")
    assert counts == {"environment": 1, "train": 2, "evaluate": 3}
    assert all(pipeline.is_current("evaluate", profile, run) for profile, run in studies)
