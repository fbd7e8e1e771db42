"""The chapter runner: order, skipping, failures that stop the run and can never be shown."""

import json
import os
import subprocess
import sys

import nbformat
import pytest

from perpfut_lib.chapters import Executed, Status, catalogue, select
from perpfut_lib.config import load_profile
from perpfut_lib.errors import ChapterError, ConfigError


def _executed(name, *overrides):
    chapter = next(chapter for chapter in catalogue() if chapter.name == name)
    return Executed(chapter, load_profile("default", overrides))


def test_chapters_run_in_order_and_a_second_run_does_nothing(project):
    """All chapters run once; run again, all are up to date and no file changes."""
    first = project.run()
    assert first.index("01_first") < first.index("02_second")
    assert "MiB" in first
    before = _executed("02_second").path.read_bytes()
    second = project.run()
    assert second.count("up to date") == 2
    assert "running" not in second
    assert _executed("02_second").path.read_bytes() == before


def test_a_changed_setting_reruns_only_what_depends_on_it(project):
    """A setting of the second stage leaves the first chapter alone; the copy shows the new value."""
    project.run()
    said = project.run("train.seeds=3")
    assert "01_first                up to date" in said
    assert "02_second               running" in said
    cells = nbformat.read(_executed("02_second").path, as_version=4).cells
    assert cells[-1].outputs[0].data["text/plain"] == "3"


def test_a_changed_text_reruns_its_chapter_but_kept_outputs_do_not(project):
    """Editing a cell makes a chapter stale; committing its outputs does not."""
    project.run()
    path = project.notebooks / "01_first.ipynb"
    path.write_bytes(_executed("01_first").path.read_bytes().replace(b"injected-parameters", b"x"))
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if "x" not in cell.metadata.get("tags", [])]
    nbformat.write(notebook, path)
    assert _executed("01_first").status() is Status.CURRENT
    notebook.cells[-1].source += "  # edited"
    nbformat.write(notebook, path)
    assert _executed("01_first").status() is Status.STALE


def test_a_failing_cell_stops_the_run_and_is_named(project):
    """The error names chapter, cell and cause; the copy is marked failed; later chapters are not run."""
    project.write(project.notebooks / "01_first.ipynb", "first", "fine = 1", "broken = 1 / 0")
    with pytest.raises(ChapterError, match=r"01_first failing in cell \[\d\] `broken = 1 / 0`: ZeroDivisionError"):
        project.run()
    failed = _executed("01_first")
    assert failed.status() is Status.FAILED
    assert nbformat.read(failed.path, as_version=4).metadata.papermill.exception is True
    with pytest.raises(ChapterError, match="01_first failed"):
        failed.require_current()
    assert _executed("02_second").status() is Status.MISSING


def test_a_failure_on_purpose_shows_no_traceback(project):
    """A named error in a cell is told in its own words only."""
    cell = "from perpfut_lib.errors import SplitError\nraise SplitError('a', 'b', 'c')"
    project.write(project.notebooks / "01_first.ipynb", "first", cell)
    with pytest.raises(ChapterError) as caught:
        project.run()
    assert "SplitError: found a; expected b; c" in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_a_mended_chapter_continues_where_the_run_stopped(project):
    """After a failure, the same command runs the failed chapter and those after it, and no other."""
    project.write(project.notebooks / "02_second.ipynb", "second", "1 / 0")
    with pytest.raises(ChapterError):
        project.run()
    project.write(project.notebooks / "02_second.ipynb", "second", "1 / 1")
    said = project.run()
    assert "01_first                up to date" in said
    assert "02_second               running" in said


def test_a_dead_kernel_is_named(project):
    """A kernel that is killed in mid-cell is a failed chapter, not a hang."""
    project.write(
        project.notebooks / "01_first.ipynb", "first", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    with pytest.raises(ChapterError, match="kernel of chapter 01_first dead"):
        project.run()
    assert _executed("01_first").status() is Status.FAILED


def test_deleted_artifacts_make_a_chapter_stale(project):
    """A chapter whose stage is gone may not be shown."""
    import shutil

    project.run()
    shutil.rmtree(project.root / "artifacts" / "default" / "second")
    assert _executed("01_first").status() is Status.CURRENT
    assert _executed("02_second").status() is Status.STALE


def test_an_unexecuted_cell_counts_as_failed(project):
    """A copy with a cell that never ran can not be shown, whatever its metadata say."""
    project.run()
    executed = _executed("01_first")
    notebook = nbformat.read(executed.path, as_version=4)
    notebook.cells[-1].execution_count = None
    nbformat.write(notebook, executed.path)
    assert executed.status() is Status.FAILED


def test_a_number_changed_by_hand_is_noticed(project):
    """An output that differs from what the run wrote may not be shown."""
    project.run()
    executed = _executed("02_second")
    text = executed.path.read_text()
    executed.path.write_text(text.replace('"text/plain": [\n       "1"', '"text/plain": [\n       "7"'))
    assert executed.path.read_text() != text
    assert executed.status() is Status.ALTERED


def test_selection_by_number(project):
    """``--from`` and ``--to`` are inclusive, and a range without chapters is an error."""
    assert [chapter.number for chapter in select(2, None)] == [2]
    assert [chapter.number for chapter in select(None, 1)] == [1]
    with pytest.raises(ConfigError, match="numbers between 1 and 2"):
        select(5, 9)


def test_report_of_time_and_memory(project):
    """Each chapter leaves its wall time and peak memory; a chapter that was up to date keeps its figures."""
    project.run()
    path = project.root / "artifacts" / "default" / "run_report.json"
    first = json.loads(path.read_text())
    project.run("train.seeds=2")
    second = json.loads(path.read_text())
    assert set(first["chapters"]) == {"01_first", "02_second"}
    assert first["chapters"]["01_first"] == second["chapters"]["01_first"]
    assert all(entry["peak_memory_mib"] > 10 for entry in first["chapters"].values())


def test_progress_reaches_the_reader_and_not_the_notebook(project, capfd):
    """A long loop's bar comes out on standard error while the kernel runs, and no cell output holds it."""
    from perpfut_lib.chapters import monitor

    cell = "import time\nfrom perpfut_lib.progress import track\n"
    cell += "for _ in track(range(8), label='counting'): time.sleep(0.1)"
    project.write(project.notebooks / "01_first.ipynb", "first", cell)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(monitor, "LINE_SECONDS", 0.0)
        patch.setattr(sys, "__stderr__", sys.stderr)
        project.run(chapters=select(1, 1))
    assert "counting" in capfd.readouterr().err
    assert "counting:" not in _executed("01_first").path.read_text()


def test_command_reports_a_failure_with_code_2(tmp_path):
    """``perpfut run`` with an unknown key writes nothing, prints one message, exits with 2."""
    for folder in ("configs", "notebooks"):
        (tmp_path / folder).mkdir()
    (tmp_path / "configs" / "default.yaml").write_text("data: {source: sim, colour: blue}\n")
    notebook = nbformat.v4.new_notebook(metadata={"perpfut": {"stage": "acquire"}})
    nbformat.write(notebook, tmp_path / "notebooks" / "01_toy.ipynb")
    command = [sys.executable, "-c", "from perpfut_lib.cli import main; main()", "run"]
    environment = os.environ | {"PERPFUT_ROOT": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 2
    assert done.stderr.startswith("ConfigError") and "colour" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "artifacts").exists()
