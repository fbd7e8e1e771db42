"""A folder that does not behave: a full disk, a pipe in a document's place, a lock that is a link."""

import os

import pytest

from agent.state.sealed_file import read_sealed
from perpfut_lib.artifacts import PerfSnapshot, read_document
from perpfut_lib.errors import ArtifactError
from tests.agent.documents import control
from tests.executor.by_hand import D, trade, trader

BOTH = {"AAA": D(10), "BBB": D(-40)}


def test_a_full_disk_opens_nothing_and_still_closes(folder, monkeypatch):
    """What cannot be remembered is not opened; a kill needs no memory."""
    one = trader(folder)

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("agent.executor.memory.write_sealed", full)
    assert trade(one) == {}
    monkeypatch.undo()
    assert trade(one, now=2_000) == BOTH
    monkeypatch.setattr("agent.executor.memory.write_sealed", full)
    folder.write(control(seq=9, kill=True))
    assert trade(one, now=3_000) == {"AAA": D(-10), "BBB": D(40)}


def test_a_fifo_does_not_block_its_reader(tmp_path):
    """Null: reading waits for a writer for ever."""
    os.mkfifo(tmp_path / "perf_snapshot.json")
    with pytest.raises(ArtifactError, match="not a file"):
        read_document(tmp_path / "perf_snapshot.json", PerfSnapshot)
    os.mkfifo(tmp_path / "sealed.json")
    with pytest.raises(ArtifactError, match="not a file"):
        read_sealed(tmp_path / "sealed.json")


def test_a_lock_that_is_a_link_is_refused(folder, tmp_path):
    """Null: opening the lock empties the file that it points to."""
    target = tmp_path / "precious"
    target.write_text("kept")
    (folder.path / ".lock-fast").symlink_to(target)
    with pytest.raises(ArtifactError, match="link"), folder.lock():
        pass
    assert target.read_text() == "kept"
