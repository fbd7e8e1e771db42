"""A disk that is full or read-only, and lines that a kill has torn: nothing is signalled twice, and it goes on after.

The disk is full for a process that may not make a file longer than a given size (``RLIMIT_FSIZE``): every write beyond
it fails with an error of the operating system, as on a full disk.
"""

import json
import os
import resource
import subprocess

import pytest

from agent.decision.publication import last_logged
from agent.graphs.checkpoints import open_checkpoints
from agent.replay.report import load_signals
from perpfut_lib.artifacts import AgentFolder, Signal
from perpfut_lib.errors import ArtifactError
from tests.agent.test_kill import assert_once, contents, in_a_process

BAR = 60_000


def full_disk(size=0):
    """Let this process write no file beyond a size."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))


def disk_with_space():
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


@pytest.mark.parametrize("size", [0, 1_000, 20_000])
def test_a_full_disk_ends_no_process_and_corrupts_no_file(stage, size):
    """Ten bars on a disk that is full from the third to the sixth: no tick raises, and the others signal as ever.

    Small files can still be written at some sizes and long ones not, so that every step of a tick meets the error.
    """
    start = stage.world.windows()[0][0]
    bars = [start + number * BAR for number in range(10)]

    def work():
        with stage.started() as ticks:
            for number, bar_close in enumerate(bars):
                full_disk(size) if 2 <= number < 6 else disk_with_space()
                before = stage.folder.document(Signal).read_bytes() if number else b""
                stage.bar(ticks, bar_close)
                ticks.govern(stage.clock.now)
                if 2 <= number < 6:
                    assert ticks.context.memory.bar_close in (bars[1], bar_close)
                    assert stage.folder.document(Signal).read_bytes() == before or size > 0

    assert in_a_process(work) == 0
    found = contents(stage)
    kept = [bars[number] for number in (0, 1, 6, 7, 8, 9)]
    assert [line["bar_close"] for line in found if line["bar_close"] in kept] == kept
    assert len({line["bar_close"] for line in found}) == len({line["seq"] for line in found}) == len(found)
    assert [line["reasons"] for line in found if line["bar_close"] in kept] == [[]] * 6
    assert stage.folder.read(Signal).bar_close == bars[-1]


@pytest.mark.parametrize("torn", [b'{"schema_version":1,"kind":"sig', b"{"])
def test_a_line_that_was_torn_is_cut_off_before_the_next(stage, torn):
    """Half a line at the end of the log of signals, as a kill or a full disk leaves it, does not reach the next one."""
    start = stage.world.windows()[0][0]
    stage.bars(start, start + 2 * BAR)
    with stage.folder.decisions.open("ab") as stream:
        stream.write(torn)
    stage.bars(start + 2 * BAR, start + 4 * BAR)
    assert_once(stage, [start + number * BAR for number in range(4)])
    assert last_logged(stage.folder.decisions) == 4
    assert [signal.seq for signal in load_signals(stage.folder)] == [1, 2, 3, 4]


def test_a_line_that_lacks_its_end_is_written_again(stage):
    """A line that is whole but for its line break counts as torn: it is there once afterwards."""
    start = stage.world.windows()[0][0]
    stage.bars(start, start + 2 * BAR)
    log = stage.folder.decisions
    log.write_bytes(log.read_bytes()[:-1])
    with stage.started() as ticks:
        ticks.fast_tick(start + BAR)
    assert_once(stage, [start, start + BAR])


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    """Where the agent's folder cannot be made, the error says which and why."""
    (tmp_path / "artifacts").write_text("no folder")
    with pytest.raises(ArtifactError, match="artifacts/agent that cannot be written"), _held(tmp_path / "artifacts"):
        pass


def test_an_agent_that_starts_on_a_full_disk_says_so(tmp_path):
    """Without a database of checkpoints no agent starts; the error names the file, and with space it is made."""
    path = tmp_path / "checkpoints-fast.sqlite"

    def work():
        full_disk()
        with pytest.raises(ArtifactError, match=r"checkpoints-fast\.sqlite that cannot be written"), _opened(path):
            pass
        disk_with_space()
        with _opened(path) as checkpoints:
            assert checkpoints.threads() == []

    assert in_a_process(work) == 0


def _opened(path):
    return open_checkpoints(path)


def _held(path):
    return AgentFolder(path / "agent").lock()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")
def test_a_read_only_folder_is_named(tmp_path):
    """On a file system that is mounted for reading only, an agent says so and changes nothing."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(tmp_path)], check=False)
    if mounted.returncode:
        pytest.skip("this machine mounts nothing")
    try:
        with pytest.raises(ArtifactError, match="Read-only file system"), _held(tmp_path):
            pass
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert json.dumps(list(map(str, tmp_path.iterdir()))) == "[]"
