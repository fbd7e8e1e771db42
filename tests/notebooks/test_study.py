"""The whole study on profile ``smoke``, as a user runs it: every chapter, then again, then one chapter alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from perpfut_lib.artifacts import Run
from perpfut_lib.chapters import catalogue
from perpfut_lib.report import ledger_check

ROOT = Path(__file__).resolve().parents[2]
PERPFUT = [sys.executable, "-c", "from perpfut_lib.cli import main; main()"]


def _perpfut(*arguments):
    return subprocess.run([*PERPFUT, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_run_prints_the_fee_table_and_where_the_book_lies(study):
    """The last lines of a run answer the study's question and name the book."""
    assert "return (%)" in study.said
    assert "book/_build/smoke/html/index.html" in study.said


def test_each_chapter_left_its_time_and_memory(study):
    """The run report has one entry per chapter."""
    report = json.loads((study.artifacts / "run_report.json").read_text())
    assert sorted(report["chapters"]) == [chapter.name for chapter in catalogue()]


def test_a_second_run_does_nothing(study):
    """Every chapter is up to date, and no artifact is touched."""
    before = {path: path.stat().st_mtime_ns for path in study.artifacts.rglob("*.ipynb")}
    done = _perpfut("run", "--profile", "smoke")
    assert done.stdout.count("up to date") == len(catalogue()) + 1  # the book too
    assert {path: path.stat().st_mtime_ns for path in study.artifacts.rglob("*.ipynb")} == before


def test_chapters_verify(study):
    """``perpfut chapters verify`` finds every chapter current."""
    done = _perpfut("chapters", "verify", "--profile", "smoke")
    assert done.returncode == 0, done.stderr
    assert "are current" in done.stdout


def test_a_chapter_runs_alone_from_anywhere(study, tmp_path):
    """Papermill runs one notebook by itself, from another folder, with the profile as its only parameter."""
    output = tmp_path / "out.ipynb"
    command = [sys.executable, "-m", "papermill", str(ROOT / "notebooks" / "04_features.ipynb"), str(output)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PERPFUT_PROGRESS": ""}
    subprocess.run([*command, "-p", "profile", "smoke"], cwd=tmp_path, check=True, capture_output=True, env=environment)
    assert nbformat.read(output, as_version=4).metadata.papermill.exception is None
    assert not (tmp_path / "artifacts").exists()


def test_ledgers_of_the_evaluation_sum(study):
    """Price, funding, fees and slippage sum to the change of equity within 1e-12, for every agent and step."""
    assert ledger_check(Run(study.artifacts))["within 1e-12"].all()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("train.colour=3", ("ConfigError", "colour")),
        ("data.source=files", ("ConfigError", "data.files")),
        ("split.train=", ("ConfigError", "split")),
    ],
)
def test_bad_settings_are_named_before_anything_runs(setting, words):
    """A wrong key or value is one message with exit code 2, at once."""
    done = _perpfut("run", "--profile", "smoke", "--set", setting, "--set", "name=never")
    assert done.returncode == 2
    assert all(word in done.stderr for word in words), done.stderr
    assert "Traceback" not in done.stderr
    assert not (ROOT / "artifacts" / "never").exists()
