"""The governor's graph: from a snapshot on disk to a standing order that the fast tick obeys, over restarts."""

from agent.graphs.governor import read_memory
from perpfut_lib.artifacts import GovernorOrder, PerfSnapshot, Reason, RetrainRequest
from tests.agent.documents import perf_snapshot

MINUTE = 60_000


def report(stage, seq, equity, **changes):
    """Let the execution side report now."""
    values = {"seq": seq, "equity": float(equity), "peak_equity": 10_000.0, "created_at": stage.clock.now}
    stage.folder.write(perf_snapshot(**(values | {"positions": (), "fees": 0.0, "funding": 0.0} | changes)))


def govern(stage):
    """Run the governor in a process of its own."""
    with stage.started() as ticks:
        assert ticks.govern(stage.clock.now)
    return stage.folder.read(GovernorOrder)


def test_without_reports_it_lets_the_agent_run(stage):
    """No execution side, nothing to object: mode ``run``, and numbers that rise."""
    first, second = govern(stage), govern(stage)
    assert (first.mode, first.metrics, first.reasons) == ("run", None, ())
    assert second.seq == first.seq + 1


def test_a_drawdown_pauses_the_agent_and_asks_for_training(stage):
    """After three bad snapshots the order is to pause, the fast tick goes flat, and people are asked to train."""
    start = stage.world.windows()[0][0]
    for minute in range(6):
        stage.clock.now = start + minute * MINUTE
        report(stage, minute, 10_000 if minute < 3 else 8_900)
        order = govern(stage)
    assert order.mode == "pause"
    assert "drawdown" in order.alarms
    assert order.until == stage.clock.now + stage.profile.agent.governor.pause
    assert stage.folder.read(RetrainRequest).metrics.drawdown > 0.1
    with stage.started() as ticks:
        signal = stage.bar(ticks, start + 6 * MINUTE)
    assert Reason.GOVERNOR_PAUSED in signal.reasons
    assert all(leg.weight == 0.0 for leg in signal.legs)


def test_a_pause_ends_by_itself_even_if_the_governor_does_not_come_back(stage):
    """The fast tick reads the end of the pause from the order."""
    test_a_drawdown_pauses_the_agent_and_asks_for_training(stage)
    order = stage.folder.read(GovernorOrder)
    with stage.started() as ticks:
        signal = stage.bar(ticks, -(-order.until // MINUTE) * MINUTE)
    assert Reason.GOVERNOR_PAUSED not in signal.reasons


def test_a_snapshot_counts_once(stage):
    """The same report read twice is one report: restarts and repeats confirm nothing."""
    report(stage, 1, 10_000)
    for _ in range(5):
        govern(stage)
    with stage.started() as ticks:
        assert len(read_memory(ticks.context).state.points) == 1


def test_a_corrupt_report_is_told_not_taken(stage):
    """A report that cannot be read changes no metric; the order names the fault."""
    report(stage, 1, 10_000)
    path = stage.folder.document(PerfSnapshot)
    path.write_bytes(path.read_bytes()[:-40])
    order = govern(stage)
    assert order.reasons == (Reason.PERFORMANCE_STALE,)
    assert order.metrics is None


def test_a_lost_memory_never_repeats_a_number(stage):
    """Without its memory the governor starts afresh above its last order."""
    last = govern(stage)
    stage.folder.governor_memory.write_bytes(b"{}")
    assert govern(stage).seq > last.seq


def test_lost_cointegration_makes_the_slow_tick_select_anew(stage, world):
    """Request and answer: the governor counts a request up, the slow tick answers it inside the window, once."""
    start = world.windows()[0][0]
    with stage.started() as ticks:
        stage.bar(ticks, start)
        first, _ = ticks.context.active_pairs()
    lost = tuple(pair.model_copy(update={"pvalue_now": 0.9}) for pair in first.pairs)
    stage.folder.write(first.model_copy(update={"pairs": lost, "seq": first.seq + 1}))
    stage.profile = stage.profile.model_copy(
        update={"agent": stage.profile.agent.model_copy(update={"risk": _with_limit(stage)})}
    )
    for minute in range(1, 5):
        stage.clock.now = start + minute * MINUTE
        report(stage, minute, 10_000)
        order = govern(stage)
    assert order.reselect_seq == 1
    with stage.started() as ticks:
        stage.clock.now = start + 5 * MINUTE
        assert ticks.slow_tick(start + 5 * MINUTE)
        answer, _ = ticks.context.active_pairs()
        assert (answer.reselect_seq, answer.valid_from) == (1, start + 5 * MINUTE)
        assert answer.valid_until == first.valid_until
        assert ticks.slow_tick(start + 6 * MINUTE)
        again, _ = ticks.context.active_pairs()
    assert again.valid_from == answer.valid_from


def _with_limit(stage):
    return stage.profile.agent.risk.model_copy(update={"max_pvalue": 0.5})
