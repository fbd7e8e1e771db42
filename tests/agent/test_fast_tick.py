"""The fast tick on imperfect data: hold, never fill, catch up to the very same state, and go flat in time."""

import numpy as np
import pytest

from agent.graphs.fast_tick import fast_tick_graph
from agent.state.memory import load
from perpfut_lib.artifacts import ActivePairs, PerfSnapshot, Reason, Signal
from tests.agent.documents import perf_snapshot
from tests.agent.world import Stage

BAR = 60_000


@pytest.fixture
def start(world):
    return world.windows()[0][0]


def without(stage, symbol, lost):
    """Let the market not show some bars (open times) of a symbol."""
    honest = stage.market.fetch

    def fetch(wanted, until, deadline=None):
        slices = honest(wanted, until, deadline)
        if symbol in slices:
            part = slices[symbol]
            object.__setattr__(part, "bars", part.bars[~np.isin(part.bars[:, 0], list(lost))])
        return slices

    stage.market.fetch = fetch
    return honest


def reports(signal):
    return {report.pair: report for report in signal.pairs}


def weights(signal, pair):
    return {leg.symbol: (leg.weight, leg.price) for leg in signal.legs if leg.pair == pair}


def a_leg(stage):
    """Return a pair, one of its symbols, and a pair without it (if there is one)."""
    pairs = stage.folder.read(ActivePairs).pairs
    symbol = pairs[0].y
    return pairs[0].pair, symbol, next((pair.pair for pair in pairs if symbol not in (pair.y, pair.x)), None)


def test_a_missing_bar_holds_its_pairs_and_only_them(stage, start):
    """Without one leg's bar a pair keeps its last target, units and all; other pairs are decided as usual."""
    with stage.started() as ticks:
        before = stage.bar(ticks, start)
        pair, symbol, other = a_leg(stage)
        without(stage, symbol, {start})
        signal = stage.bar(ticks, start + BAR)
    assert reports(signal)[pair].status == "held"
    assert reports(signal)[pair].reasons == (Reason.HELD,)
    assert weights(signal, pair) == weights(before, pair)
    if other is not None:
        assert reports(signal)[other].status == "active"


def test_a_gap_is_never_filled_and_what_comes_late_is_caught_up(stage, start, world):
    """When the bar appears after all, features and funding state are bit-equal to those without the gap.

    Only the position differs, since the target was held at a bar where it would have moved.
    """
    smooth = Stage.on_panel(world, stage.folder.path.parent / "smooth")
    smooth.bars(start, start + 6 * BAR)
    with stage.started() as ticks:
        stage.bar(ticks, start)
        pair, symbol, _ = a_leg(stage)
        honest = without(stage, symbol, {start})
        stage.bar(ticks, start + BAR)
        stage.bar(ticks, start + 2 * BAR)
        stage.market.fetch = honest
        for number in range(3, 6):
            assert reports(stage.bar(ticks, start + number * BAR))[pair].status == "active"
    spec = world.policy.spec
    mine, theirs = (load(one.folder.memory, spec).followed_pairs[pair] for one in (stage, smooth))
    assert mine.state.to_json() == theirs.state.to_json()
    assert (mine.closes, mine.marks, mine.settlements) == (theirs.closes, theirs.marks, theirs.settlements)
    assert mine.ledger.time == theirs.ledger.time


def test_a_pair_without_data_goes_flat_after_a_few_bars(stage, start):
    """Holding has an end: after ``max_held_bars`` the target is zero, with the reason."""
    limit = stage.profile.agent.risk.max_held_bars
    with stage.started() as ticks:
        stage.bar(ticks, start)
        pair, symbol, _ = a_leg(stage)
        without(stage, symbol, {start + number * BAR for number in range(20)})
        found = [reports(stage.bar(ticks, start + number * BAR))[pair] for number in range(1, limit + 3)]
    assert [report.status for report in found] == ["held"] * limit + ["flat"] * 2
    assert found[-1].reasons == (Reason.DATA_STALE,)


def test_a_pair_that_never_had_data_is_flat(stage, start):
    """There is nothing to hold before the first decision."""
    with stage.started() as ticks:
        stage.clock.now = start + stage.grace
        ticks.slow_tick(start)
        pair, symbol, _ = a_leg(stage)
        without(stage, symbol, {start - BAR})
        signal = stage.bar(ticks, start)
    assert reports(signal)[pair].reasons == (Reason.DATA_MISSING,)
    assert all(weight == 0.0 for weight, _ in weights(signal, pair).values())


def test_after_an_absence_the_ledger_knows_that_the_signal_ran_out(stage, start):
    """Down for longer than the signal was valid: the executor went flat, so the ledger books a flattening."""
    with stage.started() as ticks:
        stage.bar(ticks, start)
        signal = stage.bar(ticks, start + BAR)
    with stage.started() as ticks:
        stage.bar(ticks, start + 30 * BAR)
        followed = next(iter(ticks.context.memory.followed_pairs.values()))
    assert signal.expires_at == start + (1 + stage.profile.agent.expiry_bars) * BAR
    assert (followed.ledger.quantity_y, followed.ledger.quantity_x) == (0.0, 0.0)
    assert followed.ledger.cash != 1.0


def test_a_short_absence_holds(stage, start):
    """Down for less: the position was held, so the ledger still has it."""
    with stage.started() as ticks:
        stage.bar(ticks, start)
        stage.bar(ticks, start + BAR)
    with stage.started() as ticks:
        stage.bar(ticks, start + 3 * BAR)
        followed = next(iter(ticks.context.memory.followed_pairs.values()))
    assert followed.ledger.quantity_y != 0.0


def test_a_tick_that_comes_too_late_is_flat_by_name(stage, start):
    """A machine that slept, or a clock that is ahead like the exchange's: flat with a reason, not by an exception.

    What the tick learned is kept: the next one decides as usual.
    """
    late = start + BAR + stage.profile.agent.expiry_bars * BAR
    with stage.started() as ticks:
        stage.bar(ticks, start)
        stage.clock.now = late
        ticks.fast_tick(start + BAR)
        signal = ticks.context.memory.signal
        after = stage.bar(ticks, late)
    assert signal.reasons == (Reason.TOO_LATE,)
    assert signal.pairs
    assert not any(leg.weight for leg in signal.legs)
    assert signal.expires_at == late + 1
    assert {report.status for report in after.pairs} == {"active"}


def test_a_bar_is_decided_once(stage, start):
    """Asked again about a bar, the agent publishes what it said, and nothing else."""
    with stage.started() as ticks:
        first = stage.bar(ticks, start)
        stage.folder.document(Signal).unlink()
        assert stage.bar(ticks, start) == first
    assert stage.folder.read(Signal).seq == first.seq
    assert len(stage.folder.decisions.read_text().splitlines()) == 1


def test_at_the_end_of_a_window_everything_is_flat(stage, world, start):
    """Without a new selection the old pairs end with their window."""
    end = world.windows()[0][1]
    with stage.started() as ticks:
        stage.bar(ticks, end - 2 * BAR)
        stage.clock.now = end + stage.grace
        ticks.fast_tick(end)
        signal = ticks.context.memory.signal
    assert signal.legs == ()
    assert signal.reasons == (Reason.PAIRS_EXPIRED,)


def test_without_a_policy_everything_is_flat(stage, start):
    """A policy that does not fit its hash is no policy: flat, with the reason."""
    stage.bars(start, start + BAR)
    flat_agent = stage.with_policy(None)
    flat_agent.bars(start + BAR, start + 2 * BAR)
    signal = flat_agent.decided[start + BAR]
    assert Reason.POLICY_MISMATCH in signal.reasons
    assert not any(leg.weight for leg in signal.legs)
    stage.bars(start + 2 * BAR, start + 3 * BAR)
    assert {report.status for report in stage.decided[start + 2 * BAR].pairs} == {"active"}


def test_whatever_fails_the_answer_is_flat(stage, start, monkeypatch):
    """The boundary of the tick: an exception nobody thought of ends in a flat signal for that very bar."""
    stage.bars(start, start + BAR)
    monkeypatch.setattr("agent.graphs.fast_tick.check", lambda *_: 1 / 0)
    stage.bars(start + BAR, start + 2 * BAR)
    signal = stage.folder.read(Signal)
    assert (signal.bar_close, signal.legs, signal.reasons) == (start + BAR, (), (Reason.TICK_FAILED,))


def test_the_account_s_drawdown_flattens(stage, start):
    """What the execution side reports reaches the risk checks."""
    with stage.started() as ticks:
        stage.bar(ticks, start)
        stage.clock.now = start + BAR
        stage.folder.write(
            perf_snapshot(equity=7_000.0, peak_equity=10_000.0, created_at=stage.clock.now, positions=())
        )
        signal = stage.bar(ticks, start + BAR)
    assert Reason.DRAWDOWN in signal.reasons
    assert not any(leg.weight for leg in signal.legs)
    assert stage.folder.read(PerfSnapshot).drawdown() == pytest.approx(0.3)


def test_the_operator_s_cap_scales_the_position_and_the_ledger(stage, start):
    """Half the exposure is signalled, and the ledger books what was signalled."""
    free = Stage.on_panel(stage.world, stage.folder.path.parent / "free")
    free.bars(start, start + BAR)
    gross = sum(abs(leg.weight) for leg in free.decided[start].legs)
    stage.allow(max_exposure=gross / 2)
    stage.bars(start, start + 2 * BAR)
    first = stage.decided[start]
    assert sum(abs(leg.weight) for leg in first.legs) == pytest.approx(gross / 2)
    assert first.reasons == (Reason.EXPOSURE_CAPPED,)
    spec = stage.world.policy.spec
    capped, whole = load(stage.folder.memory, spec), None
    free.bars(start + BAR, start + 2 * BAR)
    whole = load(free.folder.memory, spec)
    for name, followed in capped.followed_pairs.items():
        assert followed.ledger.quantity_y == pytest.approx(whole.followed_pairs[name].ledger.quantity_y / 2)


def test_the_graph_is_drawn_from_the_code():
    """The drawing of the book shows every node that runs."""
    drawing = fast_tick_graph().compile().get_graph().draw_mermaid()
    for node in ("load_control", "resolve_pairs", "fetch_market", "compute_features", "infer", "check_risk"):
        assert node in drawing
