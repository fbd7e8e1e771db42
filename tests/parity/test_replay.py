"""Replay equals research: what the agent decides bar by bar is what the evaluation decided, bit for bit."""

import itertools

import numpy as np
import pytest

from perpfut_lib.accounting import BPS, Accountant, Costs
from perpfut_lib.decide import Holdings, View, decide
from tests.agent.world import FEE_BPS, Stage, make_world

WINDOWS = 3


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def evaluated(world):
    """Actions and target weights of the evaluation's loop: every pair side by side, through one ledger."""
    episodes = world.episodes
    accountant = Accountant(episodes.market, Costs(FEE_BPS * BPS, world.profile.costs.slippage_bps * BPS))
    action, target = np.empty(episodes.marks.shape[:2]), np.empty(episodes.marks.shape)
    for step in range(episodes.length):
        window = episodes.features[:, step : step + episodes.lookback]
        view = View(episodes.fill_times[:, step], window, episodes.marks[:, step], episodes.hedge_ratio)
        decision = decide(view, Holdings(accountant.cash, accountant.quantity), world.policy)
        accountant.book(step, decision.weights)
        action[:, step], target[:, step] = decision.action, decision.weights
    return action, target


def compare(world, evaluated, decided):
    """Assert that every decision made is the evaluation's, to the bit, and return how many there were."""
    days, timeframe, slots = world.episodes.pair_days, world.panel.timeframe, world.profile.cointegration.top
    action, target = evaluated
    equity = None
    compared = 0
    for episode, row in enumerate(days.itertuples()):
        for step in range(world.episodes.length):
            signal = decided.get(row.start + step * timeframe)
            if signal is None:
                continue
            reports = {report.pair: report for report in signal.pairs}
            report = reports[f"{row.y}~{row.x}"]
            assert report.status == "active", report
            assert report.action.hex() == float(action[episode, step]).hex()
            legs = {leg.symbol: leg for leg in signal.legs if leg.pair == report.pair}
            marks = world.episodes.marks[episode, step]
            assert (legs[row.y].price, legs[row.x].price) == tuple(marks)
            wanted = target[episode, step]
            equity = legs[row.y].weight * slots / wanted[0] if wanted[0] else 1.0
            assert legs[row.x].weight * slots == pytest.approx(wanted[1] * equity, rel=1e-9, abs=1e-15)
            compared += 1
    return compared


def test_replay_equals_research(world, evaluated, tmp_path):
    """Null hypothesis: some decision of the live path differs from the evaluation's in some bit. None does.

    Three windows, so that pairs are selected anew twice; the process starts afresh at uneven times.
    """
    stage = Stage.on_panel(world, tmp_path)
    windows = world.windows()[:WINDOWS]
    times = list(range(windows[0][0], windows[-1][1], world.panel.timeframe))
    cuts = sorted({0, 1, 2, 47, 120, 121, 200, len(times)})
    for low, high in itertools.pairwise(cuts):
        stage.bars(times[low], times[high - 1] + 1)
    traded = sum((days in [start for start, _ in windows]) for days in world.episodes.pair_days["start"])
    assert compare(world, evaluated, stage.decided) == traded * world.episodes.length
    assert np.abs(evaluated[0]).mean() > 0.1


def test_every_selection_is_the_study_s(world, tmp_path):
    """The slow tick selects the pairs of the cointegration stage, with the very same numbers."""
    stage = Stage.on_panel(world, tmp_path)
    for start, _ in world.windows()[:WINDOWS]:
        with stage.started() as ticks:
            stage.clock.now = start + stage.grace
            assert ticks.slow_tick(start)
            found, _ = ticks.desk.active_pairs()
        days = world.episodes.pair_days
        wanted = days[days["start"] == start]
        assert [pair.pair for pair in found.pairs] == [f"{row.y}~{row.x}" for row in wanted.itertuples()]
        for pair, row in zip(found.pairs, wanted.itertuples(), strict=True):
            for name in ("alpha", "beta", "correlation", "stat", "pvalue", "spread_mean", "spread_std", "half_life"):
                assert getattr(pair, name) == getattr(row, name), name
