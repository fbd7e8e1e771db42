"""kill -9 at any moment: at most one signal per bar, the same content, every sequence number once.

Each process is a fork of this one, so that starting it costs nothing; it is killed by itself inside a node, before or
after the node's work, or by the parent at a random moment. The next process goes on with what is on disk.
"""

import json
import multiprocessing
import os
import random
import signal as signals
import time

import pytest

from agent.graphs import fast_tick, governor, slow_tick
from perpfut_lib.artifacts import ActivePairs, GovernorOrder, Reason, Signal
from perpfut_lib.errors import PerpfutError
from tests.agent.test_governor import report
from tests.agent.world import Stage

FORK = multiprocessing.get_context("fork")
BAR = 60_000
TIMES = 20
FAST = ("load_control", "resolve_pairs", "fetch_market", "compute_features", "infer", "check_risk", "emit_signal")
SLOW = ("load_control", "plan", "refresh_history", "screen_pairs", "open_pairs", "retest_pairs")
GOVERNOR = ("load_snapshot", "apply_rules", "annotate", "write_order")


def in_a_process(work, *, kill_after=None):
    """Run ``work`` in a forked process, kill it after some seconds if asked, and return its exit code."""
    process = FORK.Process(target=work)
    process.start()
    if kill_after is not None:
        time.sleep(kill_after)
        process.kill()
    process.join()
    return process.exitcode


def dying_in(module, node, after):
    """Replace a node by one that kills its process, before or after its work."""
    honest = getattr(module, node)

    def dying(state, runtime):
        if after:
            honest(state, runtime)
        os.kill(os.getpid(), signals.SIGKILL)

    dying.__name__ = node
    setattr(module, node, dying)


def tick(stage, bar_close, kind="fast", *, module=None, node=None, after=False):
    """Return the work of one process: one tick of a kind, dying in a node if one is named."""

    def work():
        if node is not None:
            dying_in(module, node, after)
        with stage.started() as ticks:
            stage.clock.now = bar_close + stage.grace
            {"fast": ticks.fast_tick, "slow": ticks.slow_tick, "governor": ticks.govern}[kind](bar_close)

    return work


def contents(stage):
    """Return every signal of the log, without what says when and by whom it was written."""
    lines = [json.loads(line) for line in stage.folder.decisions.read_text().splitlines()]
    return [{name: line[name] for name in ("seq", "bar_close", "legs", "pairs", "reasons", "kill")} for line in lines]


def assert_once(stage, bars):
    """Assert one signal per bar, in order, numbered without a gap or a repetition."""
    found = contents(stage)
    assert [line["bar_close"] for line in found] == bars
    assert [line["seq"] for line in found] == list(range(1, len(bars) + 1))
    assert stage.folder.read(Signal).seq == len(bars)


@pytest.fixture(scope="module")
def undisturbed(world, tmp_path_factory):
    """Return what an agent that nobody kills signals over the bars of these tests."""
    stage = Stage.on_panel(world, tmp_path_factory.mktemp("undisturbed"))
    start = world.windows()[0][0]
    stage.bars(start, start + 45 * BAR)
    return contents(stage)


@pytest.mark.parametrize("node", FAST)
def test_killed_in_a_node_of_the_fast_tick(stage, node, undisturbed):
    """Killed in one node at every bar, twenty bars long: the signals are those of an agent that nobody killed."""
    start = stage.world.windows()[0][0]
    in_a_process(tick(stage, start, "slow"))
    bars = [start + number * BAR for number in range(TIMES)]
    for number, bar_close in enumerate(bars):
        seen = [] if not stage.folder.decisions.exists() else contents(stage)
        died = in_a_process(tick(stage, bar_close, module=fast_tick, node=node, after=number % 2 == 1))
        assert died == -signals.SIGKILL
        assert contents(stage)[: len(seen)] == seen if seen else True
        assert in_a_process(tick(stage, bar_close)) == 0
    assert_once(stage, bars)
    assert contents(stage) == undisturbed[:TIMES]


def test_killed_at_random_moments(stage, undisturbed):
    """Killed by another process at any microsecond of a tick, again and again, until the tick gets through."""
    start, chance = stage.world.windows()[0][0], random.Random(5)
    in_a_process(tick(stage, start, "slow"))
    bars = [start + number * BAR for number in range(TIMES)]
    for bar_close in bars:
        for _ in range(3):
            in_a_process(tick(stage, bar_close), kill_after=chance.uniform(0.005, 0.12))
        assert in_a_process(tick(stage, bar_close)) == 0
    assert_once(stage, bars)
    assert contents(stage) == undisturbed[:TIMES]


def test_only_the_node_in_flight_runs_again(stage, monkeypatch):
    """A tick that was cut short goes on from its checkpoint: what was fetched before is not fetched again."""
    start = stage.world.windows()[0][0]
    in_a_process(tick(stage, start, "slow"))
    in_a_process(tick(stage, start, module=fast_tick, node="infer"))
    monkeypatch.setattr(stage.market, "fetch", None)
    assert in_a_process(tick(stage, start)) == 0
    assert_once(stage, [start])
    assert stage.folder.read(Signal).reasons == ()


@pytest.mark.parametrize("node", FAST[2:])
def test_pairs_that_are_published_over_a_crash_do_not_fail_the_tick(stage, node, undisturbed):
    """Killed in a node that works on pairs, and new ones are there when it starts again: it decides on those, once."""
    start = stage.world.windows()[0][0]
    in_a_process(tick(stage, start, "slow"))
    for number in range(4):
        bar_close = start + number * BAR
        in_a_process(tick(stage, bar_close, module=fast_tick, node=node))
        pairs = stage.folder.read(ActivePairs)
        stage.folder.write(pairs.model_copy(update={"seq": pairs.seq + 1, "created_at": pairs.created_at + 1}))
        assert in_a_process(tick(stage, bar_close)) == 0
    assert_once(stage, [start + number * BAR for number in range(4)])
    assert contents(stage) == undisturbed[:4]


def test_pairs_that_vanish_over_a_crash_are_what_the_signal_says(stage):
    """Without any pairs when it starts again, the tick says so; it does not call itself failed."""
    start = stage.world.windows()[0][0]
    in_a_process(tick(stage, start, "slow"))
    in_a_process(tick(stage, start, module=fast_tick, node="infer"))
    stage.folder.document(ActivePairs).unlink()
    assert in_a_process(tick(stage, start)) == 0
    assert stage.folder.read(Signal).reasons == (Reason.PAIRS_UNREADABLE,)


@pytest.mark.parametrize("node", SLOW)
def test_killed_in_a_node_of_the_slow_tick(stage, node):
    """Killed in one node, twenty times: each selection or test is published once, with numbers that rise."""
    start = stage.world.windows()[0][0]
    reference = Stage.on_panel(stage.world, stage.folder.path.parent / "reference")
    assert in_a_process(tick(reference, start, "slow")) == 0
    if node == "retest_pairs":
        assert in_a_process(tick(stage, start, "slow")) == 0
    numbers = []
    for number in range(TIMES):
        bar_close = start + (number * BAR if node == "retest_pairs" else 0)
        in_a_process(tick(stage, bar_close, "slow", module=slow_tick, node=node, after=number % 2 == 1))
        numbers.append(_seq(stage, ActivePairs))
    assert in_a_process(tick(stage, bar_close, "slow")) == 0
    numbers.append(_seq(stage, ActivePairs))
    assert numbers == sorted(numbers)
    pairs = stage.folder.read(ActivePairs).pairs
    same = {"pvalue_now"}
    wanted = [pair.model_dump(exclude=same) for pair in reference.folder.read(ActivePairs).pairs]
    assert [pair.model_dump(exclude=same) for pair in pairs] == wanted


@pytest.mark.parametrize("node", GOVERNOR)
def test_killed_in_a_node_of_the_governor(stage, node):
    """Killed in one node, twenty times: every snapshot counts once, and orders are numbered in turn."""
    start = stage.world.windows()[0][0]
    for number in range(TIMES):
        now = start + number * BAR
        stage.clock.now = now
        report(stage, number, 10_000 + number)
        in_a_process(tick(stage, now, "governor", module=governor, node=node, after=number % 2 == 1))
        assert in_a_process(tick(stage, now, "governor")) == 0
    with stage.started() as ticks:
        memory = governor.read_memory(ticks.context)
    assert [point.equity for point in memory.state.points] == [10_000.0 + number for number in range(TIMES)]
    assert stage.folder.read(GovernorOrder) == memory.order.model_copy(
        update={"seal": stage.folder.read(GovernorOrder).seal}
    )


def _seq(stage, model):
    try:
        return stage.folder.read(model).seq
    except PerpfutError:
        return -1
