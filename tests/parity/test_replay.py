"""Replay equals research: what the agent decides bar by bar is what the evaluation decided, bit for bit."""

import itertools

import numpy as np
import pytest

from agent.replay.replay import replay
from agent.replay.report import evaluated, load_signals, parity_table
from perpfut_lib.calendar import trading_windows
from perpfut_lib.cointegration.scan import Screen, select
from perpfut_lib.cointegration.stage import window_tests
from perpfut_lib.universe import eligible_at
from tests.agent.world import Stage, recorded_world

BAR = 60_000


@pytest.fixture
def world(small_world):
    return small_world


@pytest.fixture
def real_world(tmp_path, shared_data):
    return recorded_world(tmp_path, shared_data)


def assert_equal(world, signals, windows):
    """Assert that every decision of these windows was made, is the evaluation's to the bit, and stood."""
    table = parity_table(world.profile, world.run, signals)
    starts = world.episodes.pair_days["start"]
    expected = starts.isin([start for start, _ in windows])
    assert len(table) == expected.sum() > 0
    assert (table["decisions"] == world.episodes.length).all()
    assert (table["equal"] == table["decisions"]).all()
    assert (table["interventions"] == 0).all()
    assert (table["largest_difference"] == 0.0).all()


def test_replay_equals_research_with_restarts(world, tmp_path):
    """Null hypothesis: some decision of the live path differs from the evaluation's in some bit. None does.

    Three windows, so that pairs are selected anew twice; the process starts afresh at uneven times, with nothing but
    what is on disk.
    """
    stage = Stage.on_panel(world, tmp_path)
    windows = world.windows()[:3]
    times = list(range(windows[0][0], windows[-1][1], BAR))
    cuts = sorted({0, 1, 2, 47, 120, 121, 200, len(times)})
    for low, high in itertools.pairwise(cuts):
        stage.bars(times[low], times[high - 1] + 1)
    assert_equal(world, load_signals(stage.folder), windows)
    _, research = evaluated(world.profile, world.run, world.policy)
    assert np.abs(research.action).mean() > 0.1


def test_replay_through_ccxt_equals_research(world):
    """The same through the real client and the wire format of the exchange: not a bit is lost on the way."""
    windows = world.windows()[:2]
    folder = replay(world.profile, world.run, windows[0][0], windows[-1][1])
    assert_equal(world, load_signals(folder), windows)


def test_replay_of_recorded_candles_equals_research(real_world):
    """The same on recorded candles and funding rates of Binance."""
    windows = real_world.windows()[:2]
    folder = replay(real_world.profile, real_world.run, windows[0][0], windows[-1][1])
    assert_equal(real_world, load_signals(folder), windows)


def test_a_planted_fault_is_noticed(world, tmp_path, monkeypatch):
    """The comparison has teeth: one tick of price in one bar of the live path, and it fails."""
    stage = Stage.on_panel(world, tmp_path)
    start, _ = world.windows()[0]
    honest = stage.market.fetch

    def one_tick_off(wanted, until, deadline=None):
        slices = honest(wanted, until)
        for part in slices.values():
            part.bars[part.bars[:, 0] == start + 5 * BAR, 4] += 1e-6
        return slices

    monkeypatch.setattr(stage.market, "fetch", one_tick_off)
    stage.bars(start, start + 12 * BAR)
    table = parity_table(world.profile, world.run, load_signals(stage.folder))
    assert (table["equal"] < table["decisions"]).all()


def test_every_selection_is_the_study_s(world, tmp_path):
    """The slow tick selects the pairs of the cointegration stage, with the very same numbers."""
    stage = Stage.on_panel(world, tmp_path)
    for start, _ in world.windows()[:3]:
        with stage.started() as ticks:
            stage.clock.now = start + stage.grace
            assert ticks.slow_tick(start)
            found, _ = ticks.context.active_pairs()
        days = world.episodes.pair_days
        wanted = days[days["start"] == start]
        assert [pair.pair for pair in found.pairs] == [f"{row.y}~{row.x}" for row in wanted.itertuples()]
        for pair, row in zip(found.pairs, wanted.itertuples(), strict=True):
            for name in ("alpha", "beta", "correlation", "stat", "pvalue", "spread_mean", "spread_std", "half_life"):
                assert getattr(pair, name) == getattr(row, name), name


def test_the_universe_is_the_study_s(world, tmp_path):
    """With a least turnover that some symbols miss, the slow tick tests the very pairs that the study would."""
    stage = Stage.on_panel(world, tmp_path)
    start, _ = world.windows()[0]
    formation = world.profile.cointegration.formation
    verdicts = eligible_at(world.panel, start, formation, world.profile.universe)
    least = float(verdicts["turnover"].median())
    stage.profile = world.profile.changed({"universe.min_turnover": least})
    eligible = verdicts.loc[verdicts["turnover"] >= least, "symbol"].tolist()
    assert 1 < len(eligible) < len(verdicts)
    with stage.started() as ticks:
        stage.clock.now = start + stage.grace
        assert ticks.slow_tick(start)
        found, _ = ticks.context.active_pairs()
    windows = trading_windows(world.panel.grid(), stage.profile.cointegration, stage.profile.split)
    tests = window_tests(world.panel, windows[windows["start"] == start].reset_index(drop=True), stage.profile)
    assert found.tested == len(tests) // 2 == len(eligible) * (len(eligible) - 1) // 2
    chosen = select(tests, Screen.of(stage.profile.cointegration))
    names = world.panel.symbols
    assert [(pair.y, pair.x, pair.stat) for pair in found.pairs] == [
        (names[row.y], names[row.x], row.stat) for row in chosen.itertuples()
    ]
