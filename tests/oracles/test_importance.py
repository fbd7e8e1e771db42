"""Permutation importance: a policy loses what a feature is worth to it, and nothing without one that it ignores."""

from types import SimpleNamespace

import numpy as np
import pytest

from perpfut_lib.config import CostsConfig, EnvConfig
from perpfut_lib.env import make_costs, make_rules
from perpfut_lib.env.planted import Planted, planted_episodes
from perpfut_lib.policies.oracle import solve_oracle
from perpfut_lib.report import importance
from perpfut_lib.report.importance import DRAWS, feature_losses, read_features, rearrangements

TASK = Planted(length=480, features=4)


def test_only_what_a_policy_reads_is_worth_anything_to_it():
    """Known answer: with another day's z the best policy trades noise and pays for it; distractors it never reads."""
    episodes, rules = planted_episodes(TASK, 40, 1), make_rules(EnvConfig())
    oracle = solve_oracle(TASK, 1.44)
    losses = feature_losses(episodes, oracle.policy, make_costs(1.44, CostsConfig()), rules)
    assert list(losses.index) == list(episodes.names)
    assert read_features(episodes, oracle.policy) == [0]
    assert losses.iloc[0] > oracle.utility  # more than it ever earned
    assert (losses.iloc[1:] == 0.0).all()


@pytest.mark.parametrize("count", [2, 3, 17])
def test_no_pair_day_keeps_its_own_path(count):
    """Proves that an order is a permutation without a fixed point: one that stays would understate the loss."""
    orders = rearrangements(count)
    assert len(orders) == DRAWS
    for order in orders:
        assert sorted(order) == list(range(count))
        assert (order != np.arange(count)).all()


def test_a_single_pair_day_says_nothing():
    """Proves that nothing is reported where there is no other path to take."""
    episodes = planted_episodes(TASK, 1, 1)
    policy, costs = solve_oracle(TASK, 0.0).policy, make_costs(0.0, CostsConfig())
    assert feature_losses(episodes, policy, costs, make_rules(EnvConfig())).empty


def test_the_table_ends_with_what_nobody_reads(monkeypatch):
    """Proves the order, and that features without effect on any agent share one row."""
    episodes, named = planted_episodes(TASK, 6, 1), SimpleNamespace
    agent = named(fee_bps=1.44, policy=solve_oracle(TASK, 1.44).policy)
    monkeypatch.setattr(importance, "load_episodes", lambda _run: episodes)
    monkeypatch.setattr(importance, "load_policies", lambda _run: [agent])
    monkeypatch.setattr(type(episodes), "select", lambda one, _split: one)
    table = importance.importance_table(named(env=EnvConfig(), costs=CostsConfig()), None)
    assert list(table.index) == ["z", "3 others: not read"]
    assert list(table.columns) == ["fee 1.44 bps"]
    assert table.iloc[1, 0] == 0.0 < table.iloc[0, 0]
