"""What the executor makes of signal and control: fresh, held for a while, or flat."""

from dataclasses import replace

import pytest

from agent.executor.intent import Intent, Patience, ReadState, judge, look
from perpfut_lib.artifacts import Clocks, Leg, Signal, Tolerance, write_document
from perpfut_lib.errors import ArtifactError, MissingInputError
from tests.agent.documents import MINUTE, NOW, control, signal

PATIENCE = Patience(hold_ms=15_000)
BROKEN, MISSING = ArtifactError("a", "b", "c"), MissingInputError("a", "b", "c")


def at(seconds: float, monotonic: float | None = None) -> Clocks:
    return Clocks(NOW + int(seconds * 1000), int((seconds if monotonic is None else monotonic) * 1000) + 1_000_000)


def listened(*steps, patience=PATIENCE, read_state=None) -> Intent:
    """Return the intent after the last of (signal, control, seconds)."""
    read_state = read_state or ReadState()
    for found, order, seconds in steps:
        read_state, intent = judge(found, order, read_state, at(seconds), patience)
    return intent


def test_a_fresh_signal_is_followed():
    intent = listened((signal(), control(), 1))
    assert (intent.mode, intent.reason, intent.legs) == ("follow", "ok", signal().legs)


def test_an_expired_signal_is_flat_at_once_unless_a_hold_is_set():
    """The contract says that the executor is flat from ``expires_at`` on."""
    steps = ((signal(), control(), 1), (signal(), control(), 180))
    assert listened(*steps) == Intent("flat", "expired")
    held = replace(PATIENCE, expiry_hold_ms=5_000)
    assert listened(*steps, patience=held).mode == "follow"
    assert listened(*steps, (signal(), control(), 185), patience=held).mode == "flat"


@pytest.mark.parametrize(("found", "reason"), [(BROKEN, "unreadable"), (MISSING, "missing")])
def test_an_unreadable_signal_lets_the_last_one_stand_for_the_hold_time(found, reason):
    before = (signal(), control(), 1)
    assert listened(before, (found, control(), 2)) == Intent("follow", reason, signal(), signal().legs)
    assert listened(before, (found, control(), 2), (found, control(), 16.9)).mode == "follow"
    assert listened(before, (found, control(), 2), (found, control(), 17)) == Intent("flat", reason)


def test_a_hold_does_not_outlive_the_signal():
    steps = ((signal(), control(), 1), (BROKEN, control(), 175), (BROKEN, control(), 180))
    assert listened(*steps) == Intent("flat", "expired")


def test_at_the_start_what_is_held_stays_for_the_hold_time():
    """A restart must not sell everything because the agent is a second late."""
    assert listened((MISSING, control(), 0)).mode == "wait"
    assert listened((MISSING, control(), 0), (MISSING, control(), 15)).mode == "flat"


@pytest.mark.parametrize("order", [{"kill": True}, {"pause": True}])
def test_the_operator_is_obeyed_at_once(order):
    """Kill and pause do not wait for the agent's next bar."""
    intent = listened((signal(), control(), 1), (signal(), control(seq=8, **order), 2))
    assert (intent.mode, intent.reason) == ("flat", "killed" if "kill" in order else "paused")


def test_a_kill_in_the_signal_is_obeyed_at_once():
    killed = signal(seq=8, kill=True, legs=())
    assert listened((signal(), control(), 1), (killed, control(), 2)) == Intent("flat", "killed")


@pytest.mark.parametrize("order", [{"kill": True}, {"pause": True}])
def test_what_follows_a_kill_or_a_pause_stays_flat_until_there_is_a_whole_signal(order):
    """Null: a torn file after a kill brings the targets from before the kill back."""
    steps = ((signal(), control(), 1), (signal(), control(seq=8, **order), 2), (BROKEN, control(seq=9), 3))
    assert listened(*steps) == Intent("flat", "unreadable")
    assert listened(*steps, (signal(seq=9), control(seq=9), 4)).mode == "follow"


def test_without_a_control_file_nothing_is_opened():
    steps = ((signal(), MISSING, 0), (signal(), MISSING, 15))
    assert listened(steps[0]).mode == "wait"
    assert listened(*steps) == Intent("flat", "control_unreadable")
    assert listened(steps[0], patience=replace(PATIENCE, require_control=False)).mode == "follow"


def test_an_old_control_file_does_not_end_a_pause():
    steps = ((signal(), control(seq=9, pause=True), 1), (signal(), control(seq=8), 2))
    assert listened(*steps) == Intent("flat", "control_replayed")


def test_replayed_future_and_aged_signals_are_not_followed():
    """Sequence number, wall clock and monotonic age each stop what the other two would let pass."""
    assert listened((signal(), control(), 1), (signal(seq=6), control(), 2)).reason == "replayed"
    changed = signal(legs=(Leg(pair="AAA~BBB", symbol="AAA", weight=0.2, price=100.0),))
    assert listened((signal(), control(), 1), (changed, control(), 2)).reason == "reused"
    assert listened((signal(created_at=NOW + 60_000), control(), 1)).reason == "future"
    patience = replace(PATIENCE, tolerance=Tolerance(max_age=20_000))
    assert listened((signal(), control(), 1), (signal(), control(), 21), patience=patience).reason == "aged"


def test_a_signal_beyond_the_executors_own_limit_is_not_believed():
    huge = signal(seq=8, legs=(Leg(pair="AAA~BBB", symbol="AAA", weight=9.0, price=100.0),))
    assert listened((signal(), control(), 1), (huge, control(), 2)) == Intent(
        "follow", "too_large", signal(), signal().legs
    )
    assert listened((huge, control(), 2), (huge, control(), 17)).mode == "flat"


def test_what_was_heard_survives_a_restart_but_ages_do_not():
    """After a restart a replayed signal is still refused, and the newest one is young again."""
    read_state, _ = judge(signal(), control(), ReadState(), at(1), PATIENCE)
    again = ReadState.from_json(read_state.to_json(), 5)
    assert judge(signal(seq=6), control(), again, Clocks(NOW, 10), PATIENCE)[1].reason == "replayed"
    assert judge(signal(), control(), again, Clocks(NOW, 10), PATIENCE)[1].mode == "follow"


def test_files_are_read_and_judged(tmp_path):
    """A forged file is unreadable: its seal was made with another key."""
    files = (tmp_path / "signal.json", tmp_path / "control.json")
    write_document(files[0], signal(), b"k" * 32)
    write_document(files[1], control(), b"k" * 32)
    assert look(files, b"k" * 32, ReadState(), at(1), PATIENCE)[1].mode == "follow"
    assert look(files, b"x" * 32, ReadState(), at(1), PATIENCE)[1] == Intent("wait", "unreadable")


def test_an_empty_signal_is_followed_to_flat():
    empty = Signal.model_validate({**signal().model_dump(), "legs": (), "pairs": (), "expires_at": NOW + MINUTE})
    assert listened((empty, control(), 1)) == Intent("follow", "ok", empty, ())
