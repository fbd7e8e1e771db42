"""Training across periods: nothing of the period that is tested on is seen, and what is planted is found."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from perpfut_lib.artifacts import Run
from perpfut_lib.calendar import trading_windows
from perpfut_lib.cointegration.stage import choose_pair_days, window_tests
from perpfut_lib.config import load_profile
from perpfut_lib.env import make_costs
from perpfut_lib.errors import ConfigError
from perpfut_lib.evaluate.fresh_worlds import AGENT
from perpfut_lib.evaluate.rollout import rollout
from perpfut_lib.features.catalogue import feature_spec
from perpfut_lib.features.scaler import fit_scaler
from perpfut_lib.features.scan import compute
from perpfut_lib.frontier.across import study_across
from perpfut_lib.frontier.execution import EXECUTIONS
from perpfut_lib.frontier.periods import LeftOut, PairDays, Period, leave_out
from perpfut_lib.frontier.policy_execution import executions
from perpfut_lib.policies import Layout, ZScoreRule
from perpfut_lib.protocol import simulated_panel
from perpfut_lib.report.across import across_lines, pooled_rows
from perpfut_lib.report.execution import policy_execution_findings, policy_execution_table
from perpfut_lib.store.placebo import placebo_panel

SETTINGS = [
    "env.latency=1",
    "costs.fees_bps=[0.0]",
    "train.seeds=0",
    "train.placebos=1",
    "cointegration.max_pvalue=0.2",
    "compute.workers=1",
    "data.simulation.days=14",
]


def make_period(seed, *, shuffled=False, settings=()):
    """Return a small simulated market as a period; ``shuffled`` takes every spread's return away."""
    profile = load_profile("smoke", [*SETTINGS, f"data.simulation.seed={seed}", f"name=seed-{seed}", *settings])
    panel = simulated_panel(profile.data.simulation)
    panel = placebo_panel(panel, seed) if shuffled else panel
    windows = trading_windows(panel.grid(), profile.cointegration, profile.split)
    screen = profile.cointegration.model_copy(update={"min_correlation": 0.0, "max_pvalue": 0.9 if shuffled else 0.2})
    rows = choose_pair_days(panel, windows, window_tests(panel, windows, profile), screen)
    spec = feature_spec(profile.features)
    pair_days = PairDays(rows, compute(spec, panel, rows, formation=screen.formation))
    return Period(profile, panel, windows, spec, pair_days, pair_days)


@pytest.fixture(scope="module")
def periods():
    return [make_period(seed) for seed in (1, 2, 3)]


def test_the_period_that_is_tested_on_teaches_nothing(periods):
    """Proves that its prices and features change neither what trains, nor the scale, nor the placebo markets."""
    test = periods[1]
    raw = np.asarray(test.traded.raw) * 3.0 + 1.0
    other = replace(
        test, trained=PairDays(test.trained.rows, raw), panel=replace(test.panel, close=test.panel.close * 2)
    )
    before, after = leave_out(periods, 1), leave_out([periods[0], other, periods[2]], 1)
    for name in ("train", "validate", "placebo"):
        one, same = getattr(before, name), getattr(after, name)
        assert one.features.tobytes() == same.features.tobytes()
        assert one.market.fills.tobytes() == same.market.fills.tobytes()
    assert before.scaler.center.tobytes() == after.scaler.center.tobytes()


def test_validation_follows_training_within_each_period(periods):
    left = leave_out(periods, 0)
    assert len(left.train) and len(left.validate)
    cuts = [one.first_validated() for one in periods[1:]]
    assert left.train.pair_days["start"].max() < max(cuts)
    assert left.validate.pair_days["start"].min() >= min(cuts)
    total = sum(len(one.trained.rows) for one in periods[1:])
    assert len(left.train) + len(left.validate) == total


def test_one_period_cannot_be_left_out(periods):
    with pytest.raises(ConfigError, match="two or more periods"):
        leave_out(periods[:1], 0)


@pytest.fixture(scope="module")
def found(periods, tmp_path_factory):
    return study_across(periods, Run(tmp_path_factory.mktemp("across")))


def test_rules_find_what_is_planted_in_other_markets(found):
    """Tuned on two markets and filled a bar late in the third: before costs each rule earns, beyond its interval."""
    late = [row for row in pooled_rows(found) if row.delay == 1 and row.fee_bps == 0.0]
    assert {row.policy for row in late} == {"z-score", "ou-stopping", "ridge"}
    assert max(row.break_even.lower for row in late) > 0.0
    assert all(row.days == sum(one["windows"] for one in found["periods"].values()) for row in late)


def test_the_base_rule_is_judged_on_windows_that_it_was_not_fitted_to(found, periods):
    """One number per training window; what is planted is found in windows of the same markets, too."""
    assert [row["left_out"] for row in found["unseen"]] == [one.profile.name for one in periods]
    for row in found["unseen"]:
        assert np.mean(row["utility_bps"]) > 0.0
        assert row["pair_days"] >= len(row["utility_bps"])


@pytest.fixture(scope="module")
def sent():
    """Return a period, its episodes, the textbook rule, and what its positions come to by every execution."""
    period = make_period(1)
    scaler = fit_scaler(period.spec, np.asarray(period.traded.raw), period.profile.features.clip)
    episodes = period.episodes(period.traded, scaler, 0)
    rule = ZScoreRule(Layout(period.spec.names, period.spec.lookback, scaler.center, scaler.scale))
    left = LeftOut(period, episodes, episodes, None, scaler)
    return period, episodes, rule, list(executions(left, [("z-score", 1.5, [rule])]))


def test_limit_orders_trade_the_same_positions(sent):
    """Market orders earn what the ledger says, limit orders trade the same notional, of both or of the first leg.

    The ledger compounds within a day and the other does not, so that both agree but for a day's gain.
    """
    period, episodes, rule, (market, half, limits) = sent
    assert [one["execution"] for one in (market, half, limits)] == list(EXECUTIONS)
    book = rollout(episodes, rule, make_costs(1.5, period.profile.costs)).ledger
    place = np.searchsorted(period.spans[:, 0], period.traded.rows["start"].to_numpy())
    gross, traded = (
        np.bincount(place, flow.sum(axis=1), len(period.spans)) / period.profile.cointegration.top
        for flow in (book.price + book.funding, book.turnover * book.equity[:, :-1])
    )
    assert market["gross"] == pytest.approx(gross, rel=1e-6, abs=1e-9)
    assert market["traded"] == pytest.approx(traded, rel=1e-3)
    assert sum(market["maker"]) == 0.0 < sum(market["traded"])
    for one in (half, limits):
        assert one["traded"] == pytest.approx(market["traded"], rel=2e-3)
        assert one["gross"] != market["gross"]
    assert 0.0 < sum(half["maker"]) < sum(limits["maker"]) < sum(limits["traded"])


def test_what_limit_orders_pay_is_said(sent):
    """Net of both fees by hand; a rebate is earned, a fee is never above the taker's; nothing is said of nothing."""
    rows = sent[-1]
    for asked, paid in ((-0.5, -0.5), (9.0, 1.5)):
        table = policy_execution_table({"executions": rows, "maker_fee_bps": asked})
        assert table["maker fee (bps)"].tolist() == [f"{paid:g}"]
        for one in rows:
            gross, traded, maker = (sum(one[name]) for name in ("gross", "traded", "maker"))
            net = 100.0 * (gross - 1e-4 * (1.5 * (traded - maker) + paid * maker))
            shown = table.loc[("1.5", "z-score"), one["execution"]]
            assert float(shown.split()[0]) == pytest.approx(net, abs=0.006)
        share = 100.0 * sum(rows[-1]["maker"]) / sum(rows[-1]["traded"])
        assert float(table["filled as limits (%)"].iloc[0]) == pytest.approx(share, abs=0.51)
    assert "of 1 cases that trade" in policy_execution_findings({"executions": rows, "maker_fee_bps": 0.0})
    assert policy_execution_findings({"rows": []}) == ""


def test_every_policy_is_sent_by_every_execution(found):
    """A study across periods says of each policy, period and fee what all executions come to, window by window."""
    for row in (one for one in found["rows"] if one["delay"] == 0):
        keys = ("left_out", "policy", "fee_bps")
        own = [one for one in found["executions"] if all(one[key] == row[key] for key in keys)]
        assert [one["execution"] for one in own] == list(EXECUTIONS)
        assert own[0]["gross"] == pytest.approx(row["gross"], rel=0.02, abs=1e-5)
        assert own[0]["traded"] == pytest.approx(row["traded"], rel=0.02, abs=1e-5)


def test_pooled_figures_are_those_of_all_windows(found):
    """Break-even cost, its interval and the return, recomputed from the rows by hand."""
    row = next(row for row in pooled_rows(found) if row.policy == "ridge" and row.delay == 0 and row.fee_bps == 0.0)
    own = [one for one in found["rows"] if (one["policy"], one["delay"], one["fee_bps"]) == ("ridge", 0, 0.0)]
    gross, traded, net = (np.concatenate([one[name] for one in own]) for name in ("gross", "traded", "return"))
    ratio = gross.sum() / traded.sum()
    reach = (
        student.ppf(0.975, len(gross) - 1) * np.sqrt(len(gross)) * (gross - ratio * traded).std(ddof=1) / traded.sum()
    )
    assert row.break_even.estimate == pytest.approx(1e4 * ratio)
    assert row.break_even.upper == pytest.approx(1e4 * (ratio + reach))
    assert row.gain.estimate == pytest.approx(np.prod(1.0 + net) - 1.0)
    assert np.prod([1.0 + gain for gain in row.periods.values()]) - 1.0 == pytest.approx(row.gain.estimate)


def test_agents_are_trained_tested_and_taken_up_again(tmp_path):
    """Two seeds through a tiny training: rows of means, sums seed by seed, and the same bits from the checkpoints."""
    short = ["train.seeds=2", "train.total_steps=16384", "train.base_steps=20", "train.evaluations=2"]
    periods = [make_period(seed, settings=short) for seed in (1, 2)]
    first = study_across(periods, Run(tmp_path))
    agents = [row for row in first["rows"] if row["policy"] == AGENT]
    assert len(agents) == 2 * 4
    for row in agents:
        assert len(row["seeds_traded"]) == 2
        assert np.mean(row["seeds_traded"]) == pytest.approx(sum(row["traded"]), rel=1e-5, abs=1e-5)
    assert study_across(periods, Run(tmp_path))["rows"] == first["rows"]
    assert any("agent" in line for line in across_lines(first))


def test_without_an_edge_nothing_shows(tmp_path):
    """Null hypothesis: in markets whose spreads never come back a tuned rule's break-even cost lies above zero."""
    periods = [make_period(seed, shuffled=True) for seed in (4, 5)]
    rows = [row for row in pooled_rows(study_across(periods, Run(tmp_path))) if row.delay == 1]
    shown = [row for row in rows if row.break_even.lower > 0.0]
    assert len(shown) <= 1, pd.DataFrame(shown)
