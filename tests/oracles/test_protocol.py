"""The whole protocol on worlds of known truth: quiet on noise, loud on a planted edge; a small number of each."""

from dataclasses import replace

import numpy as np
import pytest

from perpfut_lib.config import SimulationConfig
from perpfut_lib.protocol import Plan, coarser, power, prepare, simulated_panel
from perpfut_lib.protocol.power import world_rows
from perpfut_lib.protocol.trial import judge, placebo_of
from perpfut_lib.statistics import Resampling
from perpfut_lib.store.placebo import placebo_panel

PLAN = Plan(reps=200, bars=15)


@pytest.fixture(scope="module")
def panel():
    """Return a small simulated market."""
    return simulated_panel(SimulationConfig(days=6, symbols=4, planted_pairs=1))


def test_noise_alone_is_no_edge_and_a_planted_one_is_found():
    """One world each: without a planted pair nothing is significant; a wide spread is, where trading is free."""
    noise, planted = world_rows(PLAN, "rules", 0.0, 3), world_rows(PLAN, "rules", 30.0, 3)
    assert not any(row["significant"] for row in noise)
    assert planted[0]["fee_bps"] == 0.0 and planted[0]["significant"]


def test_the_verdict_keeps_its_size_on_worthless_candidates():
    """Null: twelve candidates with independent normal days; an edge is reported in at most 5 % of 100 draws."""
    generator, reported = np.random.default_rng(0), 0
    for draw in range(100):
        days = generator.normal(0.0, 0.01, (40, 12))
        result = judge([str(k) for k in range(12)], (days[:20], days[20:]), 0.0, Resampling(1, 100, 0.95, draw))
        reported += result.significant
    assert reported <= 5


def test_the_verdict_chooses_by_the_past_and_judges_by_the_future():
    """The candidate that was best before is tested, though another one is better now."""
    generator = np.random.default_rng(1)
    days = generator.normal(0.0, 0.01, (2, 30, 3))
    days[0, :, 1] += 0.02
    days[1, :, 2] += 0.02
    result = judge(["a", "b", "c"], (days[0], days[1]), 1.5, Resampling(1, 100))
    assert result.chosen == "b" and not result.significant
    days[1, :, 1] += 0.02
    assert judge(["a", "b", "c"], (days[0], days[1]), 1.5, Resampling(1, 100)).significant


def test_a_candidate_that_never_trades_is_no_edge():
    result = judge(["flat"], (np.zeros((10, 1)), np.zeros((10, 1))), 0.0, Resampling(1, 50))
    assert not result.significant and np.isnan(result.sharpe)


def test_coarser_bars_by_hand(panel):
    """Open of the first, close of the last, extremes and sums of five bars."""
    merged, part = coarser(panel, 5), slice(5, 10)
    assert merged.timeframe == 5 * panel.timeframe and merged.open_time[1] == panel.open_time[5]
    assert (merged.open[1] == panel.open[5]).all() and (merged.close[1] == panel.close[9]).all()
    assert (merged.high[1] == panel.high[part].max(axis=0)).all()
    assert (merged.low[1] == panel.low[part].min(axis=0)).all()
    assert merged.volume[1] == pytest.approx(panel.volume[part].sum(axis=0))


def test_a_placebo_keeps_what_moves_together_and_loses_what_comes_back(panel):
    """Bars of all symbols are drawn alike: correlations of returns stay, the planted spread becomes a random walk."""
    placebo = placebo_panel(panel, 0)
    steps, drawn = (np.diff(np.log(each.close), axis=0) for each in (panel, placebo))
    assert np.corrcoef(drawn.T) == pytest.approx(np.corrcoef(steps.T), abs=0.1)
    assert (placebo.high >= np.maximum(placebo.open, placebo.close) - 1e-9).all()
    assert (placebo.low <= np.minimum(placebo.open, placebo.close) + 1e-9).all()
    lagged = [np.corrcoef(moves[1:, 0] - moves[1:, 1], moves[:-1, 0] - moves[:-1, 1])[0, 1] for moves in (steps, drawn)]
    assert abs(lagged[1]) < 0.05
    assert placebo_panel(panel, 0).close.tobytes() == placebo.close.tobytes()
    assert placebo_panel(panel, 1).close.tobytes() != placebo.close.tobytes()


def test_a_world_that_was_judged_is_kept(tmp_path, monkeypatch):
    """A plan that is run again judges no world anew, and says the same; another level is another result."""
    monkeypatch.setattr(power, "project_root", lambda: tmp_path)
    plan = replace(PLAN, noise=1, planted=0, agents=0)
    first = power.run_plan(plan)
    assert first["summary"][0]["worlds"] == 1 and len(list(tmp_path.rglob("*.json"))) == 1
    monkeypatch.setattr(power, "world_rows", lambda *task: pytest.fail("judged again"))
    assert power.run_plan(plan)["worlds"] == first["worlds"]
    with pytest.raises(pytest.fail.Exception, match="judged again"):
        power.run_plan(replace(plan, level=0.9))


def test_an_agent_learns_from_placebo_markets_of_its_past(panel):
    """As in the study's own stages: their windows lie in the training span, and none where none are wanted."""
    profile = power.world_profile(power.AGENT, 20.0, 1)
    world = prepare(coarser(simulated_panel(profile.data.simulation), 15), profile)
    found = placebo_of(world)
    ends = world.windows.loc[world.windows["split"] == "train", "end"].max()
    assert found is not None and found.pair_days["end"].max() <= ends
    without = replace(world, profile=profile.changed({"train.placebos": 0}))
    assert placebo_of(without) is None
