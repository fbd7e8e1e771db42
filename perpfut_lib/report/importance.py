"""Which features an agent uses: what it forgoes when one of them is another pair-day's."""

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from perpfut_lib.accounting import Costs
from perpfut_lib.artifacts import Run
from perpfut_lib.config import Profile
from perpfut_lib.env import Episodes, Rules, load_episodes, make_costs, make_rules
from perpfut_lib.evaluate import rollout
from perpfut_lib.evaluate.utility import utility_bps
from perpfut_lib.policies import Policy, RecurrentPolicy
from perpfut_lib.train.agents import load_policies
from perpfut_lib.types import Int1D

DRAWS: Final = 3
"""Rearrangements of the pair-days, each without one that stays where it is."""


def importance_table(profile: Profile, run: Run) -> pd.DataFrame:
    """Return the utility that agents lose on the test span by feature and fee, basis points per pair-day.

    Each feature in turn takes the path that it has on another pair-day (permutation importance: Breiman, "Random
    forests", 2001), so that its law stays and its meaning goes. Means over seeds and rearrangements; the most important
    feature first. Features that stand for the same thing cover for each other, so a zero does not say that the feature
    is empty. No row with fewer than two pair-days.
    """
    span, rules, agents = load_episodes(run).select("test"), make_rules(profile.env), load_policies(run)
    losses: dict[str, pd.Series] = {}
    for fee in sorted({one.fee_bps for one in agents}):
        costs = make_costs(fee, profile.costs)
        own = [feature_losses(span, one.policy, costs, rules) for one in agents if one.fee_bps == fee]
        losses[f"fee {fee:g} bps"] = pd.concat(own, axis=1).mean(axis=1)
    table = pd.DataFrame(losses).rename_axis("feature")
    order = table.max(axis=1).sort_values(ascending=False, kind="stable").index
    return table.loc[order].round(1) + 0.0


def feature_losses(span: Episodes, policy: Policy | RecurrentPolicy, costs: Costs, rules: Rules) -> pd.Series:
    """Return the mean utility per pair-day that a policy loses without each feature, basis points."""
    before = _earned(span, policy, costs, rules)
    moves = rearrangements(len(span)) if len(span) > 1 else []
    return pd.Series(
        {
            name: before - np.mean([_earned(_exchanged(span, column, order), policy, costs, rules) for order in moves])
            for column, name in enumerate(span.names)
            if moves
        },
        dtype=float,
    )


def rearrangements(count: int) -> list[Int1D]:
    """Return orders of ``count`` rows in which none is at its own place; always the same."""
    generator = np.random.default_rng(0)
    orders = []
    for _ in range(DRAWS):
        cycle = generator.permutation(count)
        order = np.empty(count, np.int64)
        order[cycle] = np.roll(cycle, 1)
        orders.append(order)
    return orders


def _earned(span: Episodes, policy: Policy | RecurrentPolicy, costs: Costs, rules: Rules) -> float:
    return float(utility_bps(rollout(span, policy, costs).ledger, rules).mean())


def _exchanged(span: Episodes, column: int, order: Int1D) -> Episodes:
    features = span.features.copy()
    features[:, :, column] = span.features[order, :, column]
    return replace(span, features=features)
