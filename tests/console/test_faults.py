"""Every fault of the agent, its executor and its machine is noticed and named; a healthy agent has none."""

import json

import pytest

from agent.console.faults import faults, rejects_in_a_row
from agent.console.limits import Limits
from agent.console.overview import consequence, overview
from agent.console.reading import read_folder
from agent.decision.governor_rules import point_of
from perpfut_lib.artifacts import PairReport, PerfSnapshot, Position, Reason
from tests.agent.documents import MINUTE, control, governor_order, perf_snapshot, signal


def codes(agent, later=0, limits=None):
    reading = read_folder(agent.folder, agent.now + later)
    return {fault.code for fault in faults(reading, limits or Limits(disk_bytes=0))}


def test_a_healthy_agent_has_no_fault(agent):
    """Nothing is called wrong where nothing is, and the page's answers say so."""
    reading = read_folder(agent.folder, agent.now)
    assert faults(reading, Limits(disk_bytes=0)) == []
    page = overview(reading, [])
    assert page["alive"]["state"] == page["match"]["state"] == "good"
    assert page["flat"]["text"] == "Holds 2 symbols, 18.0 % of equity"
    json.dumps(page, allow_nan=False)


def _position(held, target):
    return Position(symbol="AAA", quantity=held, mark=100.0, target=target, liquidation_price=None)


INJECTED = {
    "agent_absent": lambda agent: agent.folder.heartbeat.unlink(),
    "executor_absent": lambda agent: (agent.path / "perf_snapshot.json").unlink(),
    "control_unreadable": lambda agent: (agent.path / "control.json").write_text("{"),
    "killed": lambda agent: agent.folder.write(control(kill=True, created_at=agent.now)),
    "paused": lambda agent: agent.folder.write(control(pause=True, created_at=agent.now)),
    "governor_paused": lambda agent: agent.folder.write(
        governor_order(mode="pause", until=agent.now + MINUTE, alarms=("loss",), created_at=agent.now)
    ),
    "governor_alarm": lambda agent: agent.folder.write(governor_order(alarms=("lost_pairs",), created_at=agent.now)),
    "unusable_signal": lambda agent: (agent.path / "signal.json").write_text(
        (agent.path / "signal.json").read_text().replace('"kill": false', '"kill": true')
    ),
    "clock": lambda agent: agent.report(created_at=agent.now + MINUTE),
    "flat_data_stale": lambda agent: agent.folder.write(
        signal(created_at=agent.now, expires_at=agent.now + MINUTE, legs=(), pairs=(), reasons=(Reason.DATA_STALE,))
    ),
    "flat_not_finite": lambda agent: agent.folder.write(
        signal(
            created_at=agent.now,
            expires_at=agent.now + MINUTE,
            legs=(),
            pairs=(PairReport(pair="AAA~BBB", action=None, status="flat", reasons=(Reason.NOT_FINITE,)),),
        )
    ),
    "drawdown": lambda agent: agent.report(equity=8_900.0, peak_equity=10_000.0),
    "positions_differ": lambda agent: (
        agent.report(positions=(_position(10.0, 0.0),)),
        agent.folder.write(signal(created_at=agent.now - 2 * MINUTE, expires_at=agent.now + MINUTE)),
    ),
}


@pytest.mark.parametrize("code", INJECTED)
def test_an_injected_fault_is_named(agent, code):
    """The fault that was injected is among those found, each with what the system did and what to do."""
    INJECTED[code](agent)
    reading = read_folder(agent.folder, agent.now)
    found = {fault.code: fault for fault in faults(reading, Limits(disk_bytes=0))}
    assert code in found
    assert found[code].what and found[code].response and found[code].remedy


def test_the_sentence_of_a_reason_has_no_marks(agent):
    """Page and messages are plain text: what the runbook sets as code stands there without its marks."""
    wrong = signal(
        created_at=agent.now,
        expires_at=agent.now + MINUTE,
        legs=(),
        pairs=(),
        reasons=(Reason.PAIRS_UNREADABLE, Reason.CONTROL_UNREADABLE),
    )
    agent.folder.write(wrong)
    found = faults(read_folder(agent.folder, agent.now), Limits(disk_bytes=0))
    assert any("active_pairs.json" in fault.what for fault in found)
    assert not any("`" in fault.what + fault.remedy for fault in found)


def test_silence_is_noticed(agent):
    """Two minutes later nothing was written: the agent is dead; later its signal is over and the executor silent."""
    assert codes(agent, 100_000) == {"agent_dead"}
    assert codes(agent, 5 * MINUTE) == {"agent_dead", "signal_expired", "executor_silent"}
    reading = read_folder(agent.folder, agent.now + 5 * MINUTE)
    page = overview(reading, faults(reading, Limits(disk_bytes=0)))
    assert page["flat"]["text"] == page["match"]["text"] == "Not known: the report is old"


def test_a_full_disk_is_noticed(agent):
    """A limit beyond any disk is always broken."""
    assert codes(agent, limits=Limits(disk_bytes=2**60)) == {"disk"}


def test_rejects_count_since_the_last_fill():
    """Three rejections after the last fill are three in a row; those before it are not counted."""
    counts = [(5, 0), (5, 4), (6, 4), (6, 5), (6, 7)]
    points = [point_of(perf_snapshot(fills=fills, rejects=rejects)) for fills, rejects in counts]
    assert rejects_in_a_row(points) == 3
    assert rejects_in_a_row(()) == 0


def test_a_confirmation_says_what_will_happen(agent):
    """Two positions worth 1,800 are closed by a kill; with nothing held nothing is."""
    report = agent.folder.read(PerfSnapshot)
    assert "closes 2 positions worth 1,800.00 with market orders at once" in consequence("kill", report)
    assert "closes nothing" in consequence("pause", None)
