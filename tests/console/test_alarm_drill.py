"""Every fault of a running closed loop reaches people in time, in words that help, with a link that leads somewhere."""

import re
from pathlib import Path

import pytest

from agent.testing.alarm_drill import DRILLS, Drill, alarm_drill

RUNBOOK_PAGE = Path(__file__).parents[2] / "book" / "runbook.md"
LONGEST_S = {
    "agent_dead": 110,
    "executor_silent": 200,
    "flat_data_stale": 240,
    "rejects": 120,
    "flat_clock": 130,
    "ledger_differs": 40,
}
"""Silence takes its limit to be noticed, a decision its bar, a reading its confirmation; the rest one look."""


def anchors():
    """Return the anchors that the book makes of the runbook's headings."""
    headings = re.findall(r"^##+ (.*)$", RUNBOOK_PAGE.read_text(), re.M)
    return {re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-") for heading in headings}


@pytest.mark.parametrize("name", DRILLS)
def test_a_fault_of_the_running_loop_reaches_people(name, loop_world):
    """Null: the message comes late, or does not say what happened, what was done, what to do and where to read on."""
    (alarm,) = alarm_drill(*loop_world, {name: DRILLS[name]})
    assert 0 < alarm.seconds <= LONGEST_S.get(alarm.code, 10)
    for part in ("What happened: ", "What the system did: ", "What to do: "):
        assert re.search(rf"{part}\S", alarm.message.body), alarm.message.body
    linked = re.findall(r"runbook, ([a-z-]+)$", alarm.message.body, re.M)
    assert linked and set(linked) <= anchors()


def test_a_loop_without_a_fault_makes_no_message(loop_world):
    """The drill itself can fail: what is not injected is not told, so the measured messages are of the faults."""
    healthy = Drill(lambda scene: None, "agent_dead")
    with pytest.raises(AssertionError, match="made no message"):
        list(alarm_drill(*loop_world, {"nothing": healthy}))


def test_every_fault_names_a_heading_of_the_runbook():
    """A message's link ends at a heading that exists, whatever the fault."""
    source = (Path(__file__).parents[2] / "agent" / "console" / "faults.py").read_text()
    named = set(re.findall(r'"([a-z]+(?:-[a-z]+)+|alarms|stopping|looking)"', source))
    assert len(named) >= 6 and named <= anchors()
