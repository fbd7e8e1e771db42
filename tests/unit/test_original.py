"""The original study's policies: features against loops, rules by hand, Shapley's axioms."""

import os
from itertools import chain, combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import save_file

from perpfut_lib.errors import ArtifactError, MissingInputError
from perpfut_lib.original import CORRECTIONS, DECISION_BARS, Rules, account, decide_days, load_policies, shapley_values
from perpfut_lib.original.features import LEG, PAIR, Relation, leg_features, pair_features
from perpfut_lib.original.policy import LOOKBACK, REGIMES
from perpfut_lib.original.study import run_study
from perpfut_lib.store.panel import FundingEvents, Panel
from perpfut_lib.types import DAY_MS, MINUTE_MS

WEIGHTS = Path(os.environ.get("PERPFUT_SHARED_DATA", "../shared/data")).parent / "original"
BARS = 1440


def walk(seed, bars=BARS, volatility=1e-3):
    return 100.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0.0, volatility, bars)))


def test_leg_features_equal_loops():
    """Each feature of a leg equals a loop written from the study's description; RSI and MACD are those of ``ta``."""
    close, rate = walk(1), np.linspace(-1e-4, 1e-4, BARS)
    table = pd.DataFrame(leg_features(close, rate, np.arange(BARS)[::-1]), columns=LEG)
    logs = np.log(close)
    change = logs[1:] / logs[:-1] - 1.0
    for bar in (30, 200, 1439):
        window = logs[bar - 19 : bar + 1]
        assert table["closeKalman"][bar] == pytest.approx(window.mean(), rel=1e-12)
        assert table["closeBias"][bar] == pytest.approx(logs[bar] - window.mean(), abs=1e-12)
        assert table["closeSigns"][bar] == (change[bar - 10 : bar] > 0).mean()
        assert table["closeUpperShadow"][bar] == pytest.approx(max(logs[bar] - logs[bar - 1], 0.0), abs=1e-14)
        assert table["closeLowerShadow"][bar] == pytest.approx(max(logs[bar - 1] - logs[bar], 0.0), abs=1e-14)
        weights = 0.94 ** np.arange(bar)[::-1]
        mean = np.average(change[:bar], weights=weights)
        biased = np.average((change[:bar] - mean) ** 2, weights=weights)
        unbiased = biased / (1.0 - (weights**2).sum() / weights.sum() ** 2)
        assert table["closeEwmaVol"][bar] == pytest.approx(np.sqrt(unbiased), rel=1e-9)
    assert table["closeSigns"][4] == (change[:4] > 0).sum() / 5
    assert (table.iloc[0][["closeEwmaVol", "closeMacd", "closeRsi", "closeSigns", "closeUpperShadow"]] == 0.0).all()
    assert table["closeStochRsi"].between(0.0, 1.0).all()
    assert np.array_equal(table["funding"], rate)


def test_pair_features_know_the_formation_only():
    """The spread is scaled by formation statistics; its mean of twenty appears twice, under two names (fault 3)."""
    y, x, relation = walk(2), walk(3), Relation(0.5, 0.8, 0.9, 0.01, 0.1, 0.02)
    table = pd.DataFrame(pair_features(y, x, relation), columns=PAIR)
    z = (np.log(y) - 0.5 - 0.8 * np.log(x) - 0.1) / 0.02
    assert np.allclose(table["spreadNorm"], z)
    assert table["spreadNormMa"].equals(table["spreadNormKalman"].rename("spreadNormMa"))
    assert table["spreadNormMa"][25] == pytest.approx(z[6:26].mean())
    assert (table[["alpha", "beta", "corr", "pval"]].drop_duplicates().to_numpy() == [[0.5, 0.8, 0.9, 0.01]]).all()


@pytest.fixture
def weights(tmp_path):
    """Three random policies in files as the study's."""
    rng = np.random.default_rng(5)
    for name in REGIMES:
        shapes = {
            "mlp_extractor.policy_net.0.weight": (64, 1923),
            "mlp_extractor.policy_net.0.bias": (64,),
            "mlp_extractor.policy_net.2.weight": (64, 64),
            "mlp_extractor.policy_net.2.bias": (64,),
            "action_net.weight": (1, 64),
            "action_net.bias": (1,),
        }
        tensors = {key: rng.normal(0.0, 0.05, shape).astype(np.float32) for key, shape in shapes.items()}
        save_file(tensors, tmp_path / f"{name}.safetensors")
    return tmp_path


def test_decisions_equal_torch(weights):
    """Oracle: torch's layers on the study's observation, stacked feature by feature, clipped at five, weights last."""
    policy = load_policies(weights)[0]
    features = np.random.default_rng(1).normal(0.0, 4.0, (2, BARS, 32)).astype(np.float32)
    actions = decide_days(policy, features, carried=True)
    assert actions.shape == (2, DECISION_BARS)
    held, expected = np.array([0.0, 0.0, 1.0]), []
    layers = [torch.tensor(array) for array in (policy.bias, *policy.hidden, policy.output[0])]
    first = torch.tensor(np.hstack([policy.market, policy.held]))
    for day in features:
        for step in range(3):
            seen = np.concatenate([day[step : step + LOOKBACK].T.reshape(-1), held]).clip(-5.0, 5.0)
            hidden = torch.tanh(first @ torch.tensor(seen, dtype=torch.float64) + layers[0])
            mean = layers[3] @ torch.tanh(layers[1] @ hidden + layers[2]) + policy.output[1]
            expected.append(float(mean.clamp(-1.0, 1.0)))
            held = np.array([expected[-1] / 2, -expected[-1] / 2, 1.0 - abs(expected[-1])])
        assert actions[len(expected) // 3 - 1, :3] == pytest.approx(expected[-3:], abs=1e-6)
        held = np.array([1.0, -1.0, 0.0]) * actions[len(expected) // 3 - 1, -1] / 2
        held[2] = 1.0 - 2 * abs(held[0])


def test_other_files_are_refused(weights):
    """A policy that is missing, or of another shape, is named."""
    with pytest.raises(MissingInputError, match=r"no_fees\.safetensors"):
        load_policies(weights / "nowhere")
    save_file({"mlp_extractor.policy_net.0.weight": np.zeros((64, 7), np.float32)}, weights / "low_fees.safetensors")
    with pytest.raises(ArtifactError, match="first layer"):
        load_policies(weights)


def make_panel(days=6):
    bars = days * BARS + 10
    x = walk(11, bars, 5e-4)
    noise = np.random.default_rng(12).normal(0.0, 1e-3, bars)
    spread = np.zeros(bars)
    for bar in range(1, bars):
        spread[bar] = 0.95 * spread[bar - 1] + noise[bar]
    close = np.column_stack([x * np.exp(spread), x])
    opened = np.vstack([close[:1], close[:-1]])
    funding = FundingEvents(np.arange(0, days + 1) * DAY_MS, np.full(days + 1, 1e-4))
    time = np.arange(bars, dtype=np.int64) * MINUTE_MS
    shape = np.zeros(close.shape, np.bool_)
    prices = (opened, np.maximum(opened, close), np.minimum(opened, close), close)
    return Panel(
        time, ("AAA", "BBB"), MINUTE_MS, *prices, np.ones(close.shape), shape, {"AAA": funding, "BBB": funding}
    )


def test_the_study_s_arithmetic_by_hand():
    """One pair-day of one constant action: log returns of the legs and one change of weights; then the corrections."""
    panel = make_panel()
    days = pd.DataFrame({"y": ["AAA"], "x": ["BBB"], "start": [3 * DAY_MS], "beta": [2.0]})
    actions, windows = np.full((1, DECISION_BARS), 0.4), np.array([3, 4]) * DAY_MS
    first, last = 3 * BARS + LOOKBACK - 1, 4 * BARS
    moved = np.log(panel.close[last] / panel.close[first])
    found = account(panel, days, actions, windows, Rules(frozenset(), 4.5))
    assert found.growth == pytest.approx([0.2 * moved[0] - 0.2 * moved[1] - 0.4 * 4.5e-4, 0.0], abs=1e-12)
    assert found.turnover == 0.0
    sized = account(panel, days, actions, windows, Rules(frozenset({"legs"}), 0.0)).growth[0]
    assert sized == pytest.approx(0.4 / 3 * moved[0] - 0.8 / 3 * moved[1], abs=1e-12)
    paid = account(panel, days, actions, windows, Rules(frozenset({"funding"}), 0.0)).growth[0]
    unpaid = account(panel, days, actions, windows, Rules(frozenset(), 0.0)).growth[0]
    assert paid == pytest.approx(unpaid, abs=2e-6)  # both legs pay the same rate: long and short all but cancel
    calendar = account(panel, days, actions, windows, Rules(frozenset({"calendar"}), 0.0)).growth[0]
    assert calendar == pytest.approx(unpaid / 5, abs=2e-4)


def test_shapley_values_satisfy_their_axioms():
    """Known answer: additive worth gives each player its own; always, values sum to the whole."""
    players, own = ("a", "b", "c"), {"a": 1.0, "b": -2.0, "c": 0.5}
    sets = [frozenset(chosen) for chosen in chain.from_iterable(combinations(players, size) for size in range(4))]
    additive = {chosen: np.array([sum(own[player] for player in chosen)]) for chosen in sets}
    assert shapley_values(additive, players)[:, 0] == pytest.approx(list(own.values()))
    rng = np.random.default_rng(3)
    any_game = {chosen: rng.normal(size=4) for chosen in sets}
    values = shapley_values(any_game, players)
    assert values.sum(axis=0) == pytest.approx(any_game[frozenset(players)] - any_game[frozenset()])
    glove = {chosen: np.array([float("a" in chosen and len(chosen) > 1)]) for chosen in sets}
    assert shapley_values(glove, players)[:, 0] == pytest.approx([2 / 3, 1 / 6, 1 / 6])


def test_a_study_of_random_policies(weights):
    """On two planted pairs' days: every table is there, the ladder ends at the correct rules, values add up."""
    found = run_study(make_panel(), load_policies(weights))
    assert (found["days"], found["start"]) == (3, "1970-01-04")
    for entry in found["policies"]:
        own = [row for row in entry["correct_rules"] if row["fee_bps"] == entry["fee_bps"]]
        assert entry["ladder"][-1] == own[0]
        assert len(entry["ladder"]) == len(CORRECTIONS) + 1
        total = np.log1p(entry["ladder"][-1]["estimate"]) - np.log1p(entry["ladder"][0]["estimate"])
        assert sum(value["estimate"] for value in entry["shapley"].values()) == pytest.approx(total, abs=1e-12)


@pytest.mark.skipif(not WEIGHTS.is_dir(), reason="the original study's weights are not beside the checkout")
def test_the_study_s_own_weights_are_read():
    """The files that the study published load and differ from each other."""
    policies = load_policies(WEIGHTS)
    assert [policy.fee_bps for policy in policies] == [0.0, 1.44, 4.5]
    assert len({policy.sha256 for policy in policies}) == 3
