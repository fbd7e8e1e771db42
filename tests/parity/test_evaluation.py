"""Evaluation on a whole small run: one decision function, one ledger, numbers recomputed from raw accounts."""

from dataclasses import replace

import numpy as np
import pytest

from perpfut_lib import statistics
from perpfut_lib.accounting import BPS, Costs, Sizing
from perpfut_lib.env.stage import cut_market
from perpfut_lib.errors import ConfigError
from perpfut_lib.evaluate import ALL_SEEDS, days_of, load_costs, load_curves, load_metrics, portfolio_of, rollout
from perpfut_lib.evaluate.draws import DRAWS
from perpfut_lib.evaluate.stage import Trial, agents, ledger_name, load_test_span
from perpfut_lib.evaluate.utility import INFORMED
from perpfut_lib.policies import BASELINES, Constant
from perpfut_lib.store.stage import load_panel


@pytest.fixture(scope="module")
def span(smoke):
    return load_test_span(smoke.profile, smoke.run)


def test_pairs_side_by_side_decide_the_same_bits_as_one_by_one(smoke, span):
    """Rule 1: batching is an implementation detail; every pair alone gives the same actions and accounts."""
    policy = next(agents(smoke.profile, smoke.run))[1]
    costs = Costs(1.44 * BPS, 0.0)
    together = rollout(span.episodes, policy, costs)
    for number in range(len(span.episodes)):
        alone = rollout(span.episodes.rows(np.array([number])), policy, costs)
        assert alone.action[0].tobytes() == together.action[number].tobytes()
        assert alone.ledger.equity[0].tobytes() == together.ledger.equity[number].tobytes()


@pytest.mark.parametrize("latency", [1, 3])
def test_late_fills_go_through_evaluation(smoke, span, latency):
    """Orders that latency carries to a window's end fill together with the flattening: a return for every day."""
    late = smoke.profile.changed({"env.latency": latency})
    market, times = cut_market(load_panel(smoke.run), span.episodes.pair_days, late)
    episodes = replace(span.episodes, market=market, fill_times=times)
    assert (np.diff(times, axis=1) == 0).any()
    book = rollout(episodes, Constant(1.0, Sizing(True)), Costs(1.44 * BPS, 0.0)).ledger
    days = days_of(portfolio_of(book, episodes, span.windows, span.slots))
    assert sorted(days["window"]) == sorted(span.windows[:, 0])
    assert np.isfinite(days["return"]).all()


def test_every_curve_is_the_sum_of_its_flows(smoke):
    curves = load_curves(smoke.run)
    for _, curve in curves.groupby(["agent", "train_fee_bps", "test_fee_bps", "seed"], dropna=False):
        flows = curve["price"] + curve["funding"] - curve["fees"] - curve["slippage"]
        assert np.abs(flows.cumsum() + 1.0 - curve["equity"]).max() <= 1e-12
        assert curve["time"].is_monotonic_increasing


def test_every_agent_is_tested_at_every_fee(smoke):
    metrics = load_metrics(smoke.run)
    fees = len(smoke.profile.costs.fees_bps)
    trained = metrics[metrics["agent"] == "counterfactual-ppo"]
    assert (trained["seed"] != ALL_SEEDS).sum() == fees * fees * smoke.profile.train.seeds
    assert (trained["seed"] == ALL_SEEDS).sum() == fees * fees
    assert (metrics.groupby("agent").size()[[*BASELINES]] == fees).all()
    assert (metrics["imbalance"] <= 1e-12).all()


def test_returns_are_recomputed_from_raw_ledgers(smoke, span):
    """One cell of the table, from the ledger on disk: capital split over slots, compounded over windows."""
    fee, seed = smoke.profile.costs.fees_bps[1], smoke.profile.train.first_seed
    ledger = smoke.run.stage("evaluate").read_table(
        f"ledgers/{ledger_name(Trial('counterfactual-ppo', fee, fee, seed))}"
    )
    net = ledger["price"] + ledger["funding"] - ledger["fees"] - ledger["slippage"]
    start = span.episodes.pair_days["start"].to_numpy()[ledger["episode"]]
    growth = 1.0 + net.groupby(start).sum() / span.slots
    metrics = load_metrics(smoke.run)
    own = (metrics["train_fee_bps"] == fee) & (metrics["test_fee_bps"] == fee) & (metrics["seed"] == seed)
    assert metrics.loc[own, "return"].item() == pytest.approx(growth.prod() - 1.0, abs=1e-12)


def test_utility_is_recomputed_from_raw_ledgers(smoke, span):
    """The mean over pair-days of the sum of x - λ/2 x², x the change of equity in basis points, by plain pandas."""
    fee, env = smoke.profile.costs.fees_bps[2], smoke.profile.env
    ledger = smoke.run.stage("evaluate").read_table(f"ledgers/{ledger_name(Trial('ridge', float('nan'), fee, 0))}")
    before = ledger.groupby("episode")["equity"].shift(fill_value=1.0)
    x = env.reward_scale * (ledger["equity"] / before - 1.0)
    utility = (x - 0.5 * env.risk_aversion * x**2).sum() / len(span.episodes)
    metrics = load_metrics(smoke.run)
    own = metrics[(metrics["agent"] == "ridge") & (metrics["test_fee_bps"] == fee)]
    assert own["utility_bps"].item() == pytest.approx(utility, rel=1e-9, abs=1e-9)


def test_the_random_trader_is_the_mean_of_its_draws(smoke, span):
    """A hundred draws, no two alike; the row of the metrics is their mean, and its interval holds most of them."""
    utilities = smoke.run.stage("evaluate").read_table("utilities.parquet")
    own = utilities[(utilities["agent"] == "random") & (utilities["test_fee_bps"] == 0.0)]["utility_bps"].to_numpy()
    draws = own.reshape(DRAWS, len(span.episodes)).mean(axis=1)
    assert len(set(draws)) == DRAWS
    metrics = load_metrics(smoke.run)
    row = metrics[(metrics["agent"] == "random") & (metrics["test_fee_bps"] == 0.0)].iloc[0]
    assert row["utility_bps"] == pytest.approx(draws.mean())
    assert row["return_lower"] < row["return"] < row["return_upper"]


def test_the_informed_trader_is_a_measure_and_no_candidate(smoke):
    """Its utility stands behind every share, at every fee; among the agents and days that are tested it is not."""
    utilities, metrics = smoke.run.stage("evaluate").read_table("utilities.parquet"), load_metrics(smoke.run)
    informed = utilities[utilities["agent"] == INFORMED].groupby("test_fee_bps")["utility_bps"].mean()
    assert sorted(informed.index) == sorted(smoke.profile.costs.fees_bps) and informed.is_monotonic_decreasing
    assert INFORMED not in set(metrics["agent"])
    share = metrics["utility_bps"] / metrics["test_fee_bps"].map(informed)
    assert metrics["utility_share"].to_numpy() == pytest.approx(share.to_numpy())


def test_the_cost_curve_prices_the_same_positions(smoke):
    """At an agent's own fee the curve repeats its return; it falls with the cost; gross over turnover is its zero."""
    metrics, costs = load_metrics(smoke.run), load_costs(smoke.run)
    for agent in ("z-score", "long"):
        rows = costs[(costs["agent"] == agent) & (costs["test_fee_bps"] == 0.0)].set_index("cost_bps")["return"]
        own = metrics[(metrics["agent"] == agent) & (metrics["test_fee_bps"] == 0.0)]
        assert rows[0.0] == pytest.approx(own["return"].item(), abs=1e-12)
        assert rows.is_monotonic_decreasing
        zero = own["break_even_bps"].item()
        slope = (rows[1.0] - rows[0.0]) / 1.0
        assert zero == pytest.approx(-rows[0.0] / slope, rel=0.05)


def test_flat_earns_nothing_and_costs_only_ever_hurt(smoke):
    metrics = load_metrics(smoke.run).sort_values("test_fee_bps").set_index("agent")
    assert (metrics.loc["flat", "return"] == 0.0).all()
    for name in ("long", "short"):
        assert metrics.loc[name, "return"].is_monotonic_decreasing


def test_the_pooled_row_is_the_mean_daily_return_over_seeds(smoke):
    metrics, curves = load_metrics(smoke.run), load_curves(smoke.run)
    row = metrics[metrics["seed"] == ALL_SEEDS].iloc[0]
    same = (curves["train_fee_bps"] == row["train_fee_bps"]) & (curves["test_fee_bps"] == row["test_fee_bps"])
    series = [
        statistics.daily_returns(part["time"].to_numpy(), part["equity"].to_numpy())[1]
        for _, part in curves[same].groupby("seed")
    ]
    assert row["return"] == pytest.approx(statistics.cumulative_return(np.mean(series, axis=0)))


def test_a_window_without_pairs_stays_in_cash(smoke, span):
    """Drop the pairs of the first test window: its time passes and its equity does not move."""
    policy = next(agents(smoke.profile, smoke.run))[1]
    kept = span.episodes.rows((span.episodes.pair_days["start"] != span.windows[0, 0]).to_numpy())
    portfolio = portfolio_of(rollout(kept, policy, Costs(0.0, 0.0)).ledger, kept, span.windows, span.slots)
    inside = portfolio.time <= span.windows[0, 1]
    assert portfolio.time[0] == span.windows[0, 0]
    assert inside.sum() == 2
    assert np.all(portfolio.equity[inside] == 1.0)


def test_an_agent_is_named_by_its_algorithm(smoke):
    """A run that trains with another algorithm says so in its trials, and no longer knows the default's name."""
    other = smoke.profile.changed({"train.algorithm": "sac"})
    trial, _ = next(agents(other, smoke.run))
    assert trial.agent == "sac"
    assert ledger_name(trial).startswith("sac_train-")
    with pytest.raises(ConfigError, match="some of sac"):
        next(agents(other.changed({"evaluate.only": ["counterfactual-ppo"]}), smoke.run))
