"""The whole study on profile ``smoke``, as a user runs it: every chapter, then again, then one chapter alone."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from perpfut_lib import report
from perpfut_lib.artifacts import Run
from perpfut_lib.chapters import catalogue
from perpfut_lib.chapters.verify import verify_tables
from perpfut_lib.errors import ArtifactError, ChapterError
from perpfut_lib.report import ledger_check
from perpfut_lib.report.sources import published_profiles, write_results

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
    assert "tables match their raw ledgers" in done.stdout


@pytest.fixture
def copied(study, tmp_path):
    """Return a copy of the run, with the rungs and folds beside it, in which anything may be changed."""
    for folder in study.artifacts.parent.glob(f"{study.artifacts.name}*"):
        shutil.copytree(folder, tmp_path / folder.name)
    return Run(tmp_path / study.artifacts.name)


def test_a_wrong_number_in_an_artifact_fails(smoke, copied):
    """The agent's return is raised by a hundredth in the metrics: the raw ledgers know better."""
    assert verify_tables(smoke.profile, copied) >= 9
    path = copied.stage("evaluate").file("metrics.parquet")
    metrics = pd.read_parquet(path)
    metrics["return"] += 0.01
    metrics.to_parquet(path)
    with pytest.raises(ChapterError, match="fee table, return"):
        verify_tables(smoke.profile, copied)


def test_a_wrong_number_in_a_chapter_fails(smoke, copied):
    """One figure of a table changed by hand in the executed chapter, everything else as it was."""
    path = copied.path / "notebooks" / "07_evaluation.ipynb"
    text = path.read_text()
    changed = re.sub(r"<td>(-?\d+\.\d+)</td>", "<td>77.77</td>", text, count=1)
    assert changed != text
    path.write_text(changed)
    with pytest.raises(ChapterError, match="chapter 07_evaluation with another table"):
        verify_tables(smoke.profile, copied)


def test_the_book_is_not_built_on_a_wrong_number(smoke, study, monkeypatch):
    """Verification comes before rendering, and stops it."""
    from perpfut_lib.chapters import book, verify

    def refuse(profile):
        raise ChapterError("a wrong number", "the right one", "run it again")

    monkeypatch.setattr(verify, "verify_tables", refuse)
    monkeypatch.setattr(book, "STAMP", ".never-made")
    with pytest.raises(ChapterError, match="a wrong number"):
        book.build_book(smoke.profile)


def test_published_results_read_back_bit_for_bit_and_a_changed_one_is_refused(smoke, study, tmp_path, monkeypatch):
    """What a run publishes shows the same tables as the run itself; a figure changed in a file is noticed."""
    for folder in ("configs", "perpfut_lib", "notebooks"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    monkeypatch.setenv("PERPFUT_ROOT", str(tmp_path))
    hashes = write_results(smoke.profile, smoke.run)
    assert write_results(smoke.profile, smoke.run) == hashes
    assert published_profiles() == published_profiles("ladder") == ["smoke"]
    for make in (
        report.fee_table,
        report.cost_table,
        report.ladder_table,
        report.significance_table,
        report.folds_table,
    ):
        pd.testing.assert_frame_equal(make("smoke"), make(smoke.run))
    manifest = (tmp_path / "artifacts" / "published" / "smoke" / "manifest.json").read_text()
    assert str(ROOT) not in manifest
    path = tmp_path / "artifacts" / "published" / "smoke" / "metrics.csv"
    path.write_text(path.read_text().replace("flat", "great", 1))
    with pytest.raises(ArtifactError, match="manifest does not know"):
        report.fee_table("smoke")


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
