"""Artifacts: complete or absent, traceable, and strict about what they read."""

import ast
import os
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest

from perpfut_lib.artifacts import Run, provenance, read_json, settled_sha256, source_hash, stage_key, write_json
from perpfut_lib.errors import ArtifactError, MissingInputError

DEPENDS = {"config": "c", "code": "d"}


def commit(run, value, depends=DEPENDS):
    with run.commit("features", depends) as folder:
        folder.write_json("report.json", {"value": value})
        folder.write_array("deep/features.npy", np.arange(3.0))
        folder.write_table("pairs.parquet", pd.DataFrame({"a": [1, 2]}))


def test_a_committed_stage_reads_back_with_its_manifest(tmp_path):
    run = Run(tmp_path)
    commit(run, 1)
    folder = run.stage("features")
    assert folder.read_json("report.json") == {"value": 1}
    assert folder.read_array("deep/features.npy").tolist() == [0.0, 1.0, 2.0]
    assert folder.read_table("pairs.parquet").a.tolist() == [1, 2]
    manifest = folder.manifest()
    assert set(manifest.outputs) == {"report.json", "deep/features.npy", "pairs.parquet"}
    assert manifest.key == stage_key(DEPENDS)
    assert {"numpy", "torch"} <= set(manifest.packages)


def test_a_failed_stage_leaves_what_was_there(tmp_path):
    run = Run(tmp_path)
    commit(run, 1)
    with pytest.raises(ZeroDivisionError), run.commit("features", DEPENDS) as folder:
        folder.write_json("report.json", {"value": 1 / 0})
    assert run.stage("features").read_json("report.json") == {"value": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["features"]


def test_current_means_same_key_and_untouched_files(tmp_path):
    run = Run(tmp_path)
    assert not run.is_current("features", stage_key(DEPENDS))
    commit(run, 1)
    assert run.is_current("features", stage_key(DEPENDS))
    assert not run.is_current("features", stage_key({**DEPENDS, "config": "other"}))
    (tmp_path / "features" / "report.json").write_text("{}")
    assert not run.is_current("features", stage_key(DEPENDS))


def test_a_neighbouring_run_with_the_same_key_is_adopted_and_then_independent(tmp_path):
    commit(Run(tmp_path / "one"), 1)
    second = Run(tmp_path / "two")
    assert not second.adopt("features", "another key")
    assert second.adopt("features", stage_key(DEPENDS))
    assert second.is_current("features", stage_key(DEPENDS))
    commit(second, 2)
    assert Run(tmp_path / "one").stage("features").read_json("report.json") == {"value": 1}
    assert second.stage("features").read_json("report.json") == {"value": 2}


def test_content_hash_is_blind_to_time_and_sees_content(tmp_path):
    hashes = []
    for name, value in (("one", 1), ("two", 1), ("three", 2)):
        commit(Run(tmp_path / name), value)
        hashes.append(Run(tmp_path / name).stage("features").manifest().content_hash())
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_crash_between_the_renames_brings_the_previous_folder_back(tmp_path):
    run = Run(tmp_path)
    commit(run, 1)
    os.rename(tmp_path / "features", tmp_path / ".features.previous")
    assert run.stage("features").read_json("report.json") == {"value": 1}


def test_a_killed_process_never_leaves_a_half_written_stage(tmp_path):
    """Kill -9 while the second version is being written: the first version is still complete."""
    commit(Run(tmp_path), 1)
    script = textwrap.dedent("""
        import os, sys
        from pathlib import Path
        from perpfut_lib.artifacts import Run
        with Run(Path(sys.argv[1])).commit("features", {"config": "new"}) as folder:
            folder.write_json("report.json", {"value": 2})
            os.kill(os.getpid(), 9)
    """)
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False).returncode == -9
    assert Run(tmp_path).stage("features").read_json("report.json") == {"value": 1}


def test_a_stage_that_was_not_run_says_how_to_run_it(tmp_path):
    with pytest.raises(MissingInputError, match="perpfut run --profile"):
        Run(tmp_path / "default").stage("train")


@pytest.mark.parametrize("text", ['{"kill": true, "kill": false}', '{"x": NaN}', '{"x": 1', "[Infinity]"])
def test_json_that_is_not_strict_is_refused(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ArtifactError):
        read_json(tmp_path / "a.json")


def test_nan_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_source_hash_follows_imports_but_not_strangers():
    """A stage depends on the code it imports: metrics belong to statistics, the bench harness does not."""
    files = {path.name for path in provenance._closure("perpfut_lib.statistics")}
    assert {"metrics.py", "bootstrap.py", "types.py", "errors.py"} <= files
    assert "harness.py" not in files
    assert source_hash("perpfut_lib.statistics") != source_hash("perpfut_lib.config")


def test_imports_are_those_of_the_syntax_tree():
    """Reading only the lines that import finds in every file what parsing all of it finds."""
    for path in [*(provenance.PACKAGE).rglob("*.py"), *(provenance.PACKAGE.with_name("agent")).rglob("*.py")]:
        names = []
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names += [f"{node.module}.{alias.name}" for alias in node.names]
        assert provenance._imports(path) == {name for name in names if name.startswith(("perpfut_lib.", "agent."))}


def test_settled_files_are_read_once_and_again_when_they_change(tmp_path, monkeypatch):
    """A file that was written long ago is read once; after it is written again, in place or anew, it is read again."""
    path, read = tmp_path / "a", []
    true_hash = provenance.file_sha256
    monkeypatch.setattr(provenance, "file_sha256", lambda path: read.append(path) or true_hash(path))
    monkeypatch.setattr(provenance, "SETTLED_NS", 0)
    path.write_text("one")
    os.utime(path, ns=(0, 0))
    first = [settled_sha256(path), settled_sha256(path)]
    assert (len(set(first)), len(read)) == (1, 1)
    path.write_text("another")
    assert settled_sha256(path) == true_hash(path) != first[0]


def test_a_file_that_was_just_written_is_always_read(tmp_path):
    """H0: two writes within one tick of the file system's clock give one hash."""
    path = tmp_path / "a"
    hashes = set()
    for number in range(200):
        path.write_text(f"{number:05}")
        hashes.add(settled_sha256(path))
    assert len(hashes) == 200
