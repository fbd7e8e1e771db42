"""The log of signals is followed, paged and bounded."""

import itertools
import json
import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.console.signal_log import KEPT, PAGE, SignalLog, lines_backwards


def test_ten_thousand_signals_are_bounded_in_memory_and_all_reachable(agent):
    """Memory keeps the newest; pages reach the first one, without a gap and without a repetition."""
    agent.history(10_000)
    log = SignalLog(agent.folder.decisions)
    log.follow()
    assert len(log.tail) == KEPT
    assert log.tail[-1]["seq"] == 10_000
    seen, before = [], None
    for _ in itertools.count():
        rows = log.page(before, PAGE)
        if not rows:
            break
        seen += [row["seq"] for row in rows]
        before = seen[-1]
        if len(seen) >= 1_000:
            break
    assert seen == list(range(10_000, 10_000 - len(seen), -1))
    assert [row["seq"] for row in log.page(3, PAGE)] == [2, 1]
    assert [row["seq"] for row in log.page(None, 3, "data_stale")] == [10_000, 9_500, 9_000]


def test_what_is_appended_is_followed_and_half_a_line_is_not(agent):
    """A line counts once its break is written; a rotation loses nothing from the pages."""
    agent.history(5)
    path = agent.folder.decisions
    log = SignalLog(path)
    log.follow()
    line = path.read_bytes().splitlines()[-1]
    sixth = json.dumps(json.loads(line) | {"seq": 6}).encode()
    with path.open("ab") as stream:
        stream.write(sixth[:50])
    log.follow()
    assert log.tail[-1]["seq"] == 5
    with path.open("ab") as stream:
        stream.write(sixth[50:] + b"\nnot a signal\n")
    log.follow()
    assert [row["seq"] for row in log.tail] == [1, 2, 3, 4, 5, 6]
    os.replace(path, path.with_suffix(".1.jsonl"))
    path.write_bytes(json.dumps(json.loads(line) | {"seq": 7}).encode() + b"\n")
    log.follow()
    assert [row["seq"] for row in log.page(None, PAGE)] == [7, 6, 5, 4, 3, 2, 1]
    assert log.tail[-1]["seq"] == 7


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no counterexample
@given(st.lists(st.integers(1, 40_000), max_size=8))
def test_lines_are_read_backwards_over_blocks(tmp_path_factory, lengths):
    """Whatever their lengths, whole lines come out in reverse order."""
    path = tmp_path_factory.mktemp("log") / "lines"
    lines = [bytes([65 + place]) * length for place, length in enumerate(lengths)]
    path.write_bytes(b"".join(line + b"\n" for line in lines) + b"half")
    assert list(lines_backwards(path)) == lines[::-1]
