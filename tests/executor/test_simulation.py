"""Deterministic simulation: no schedule of faults breaks an invariant, and a fault that is planted is found."""

import pytest

from agent.executor import protection, readings, state, stops
from agent.testing.simulated_executor import FragileFiles
from agent.testing.simulation import BARE_MS, BOUND_MS, simulate, simulate_many

BLOCKS, EACH = 10, 20
SEARCH = 40
"""Schedules within which a planted fault has to be found."""


@pytest.mark.parametrize("block", range(BLOCKS))
def test_no_schedule_breaks_an_invariant(block):
    """Null: one of 200 schedules runs away, stays unhedged or unstopped, follows what is over, or leaves the ledger."""
    result = simulate_many(block * EACH, EACH)
    assert result.violations == {}
    assert 1_000 * result.longest_unhedged_s <= BOUND_MS
    assert 1_000 * result.longest_bare_s <= BARE_MS
    assert result.stops > EACH
    assert result.orders > EACH
    assert result.crashes > 0


def test_a_seed_replays_exactly():
    """Equal to the last byte of the audit trail, crashes included."""
    assert simulate(3) == simulate(3)
    assert simulate(3).digest != simulate(4).digest


def found() -> bool:
    """Return whether any schedule notices."""
    return any(simulate(seed).violations for seed in range(SEARCH))


def test_forgetting_orders_in_flight_is_found(monkeypatch):
    """The executor before this one: a restart forgets what it has sent."""
    kept = state.State.to_json
    monkeypatch.setattr(state.State, "to_json", lambda self: kept(self) | {"pending": {}, "late": {}, "resumed": {}})
    assert found()


def test_believing_the_first_reading_is_found(monkeypatch):
    """Null: a reading that is a second old is taken for the truth, however young the last fill is."""
    believed = readings.read

    def at_once(before, positions, asked_at, limits):
        return believed(state.replace(before, touched={}, differs=dict(positions)), positions, asked_at, limits)

    monkeypatch.setattr(readings, "read", at_once)
    assert found()


def test_amnesia_is_found(monkeypatch):
    """An executor that never finds its memory."""
    monkeypatch.setattr(FragileFiles, "load", lambda _self, _clocks: (None, False), raising=False)
    assert found()


def test_taking_every_missing_stop_for_one_that_was_carried_out_is_found(monkeypatch):
    """Null: a late fill of our own order is read as the work of a stop, and the pair is left for good."""
    monkeypatch.setattr(stops, "_explained", lambda *_: False)
    assert found()


def test_a_stop_that_never_grows_with_its_position_is_found(monkeypatch):
    planned = protection.plan_stop

    def once(symbol, book, *rest):
        return (None, ()) if book.of(symbol) else planned(symbol, book, *rest)

    monkeypatch.setattr(protection, "plan_stop", once)
    assert found()
