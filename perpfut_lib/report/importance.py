"""Which features an agent uses: what it forgoes when one of them is another pair-day's."""

from itertools import product
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
from perpfut_lib.types import Float1D, Float32, Int1D

DRAWS: Final = 2
"""Rearrangements of the pair-days, each without one that stays where it is."""
ASKED: Final = 50
"""Decisions of each pair-day that show which features a policy reads."""


def importance_table(profile: Profile, run: Run) -> pd.DataFrame:
    """Return the utility that agents lose on the test span by feature and fee, basis points per pair-day.

    Each feature in turn takes the path that it has on another pair-day (permutation importance: Breiman, "Random
    forests", 2001), so that its law stays and its meaning goes. Means over seeds and rearrangements; the most important
    feature first, those that no agent reads in one last row. Features that stand for the same thing cover for each
    other, so a small loss does not say that the feature is empty. No row with fewer than two pair-days.

    Parameters
    ----------
    profile : Profile
        Settings of the run.
    run : Run
        Where its artifacts are.
    """
    span, rules, agents = load_episodes(run).select("test"), make_rules(profile.env), load_policies(run)
    losses: dict[str, pd.Series] = {}
    for fee in sorted({one.fee_bps for one in agents}):
        costs = make_costs(fee, profile.costs)
        own = [feature_losses(span, one.policy, costs, rules) for one in agents if one.fee_bps == fee]
        losses[f"fee {fee:g} bps"] = pd.concat(own, axis=1).mean(axis=1)
    table = pd.DataFrame(losses).rename_axis("feature")
    read = table[(table != 0.0).any(axis=1)]
    order = read.max(axis=1).sort_values(ascending=False, kind="stable").index
    rest = pd.DataFrame(0.0, [f"{len(table) - len(read)} others: not read"], table.columns)
    return pd.concat([read.loc[order].round(1) + 0.0, rest]).rename_axis("feature")


def feature_losses(span: Episodes, policy: Policy | RecurrentPolicy, costs: Costs, rules: Rules) -> pd.Series:
    """Return the mean utility per pair-day that a policy loses without each feature, basis points.

    The span as it is and all exchanges are walked side by side, since rows do not see each other.
    """
    count, orders = len(span), rearrangements(len(span)) if len(span) > 1 else []
    if not orders:
        return pd.Series(dtype=float)
    read = read_features(span, policy)
    tiled = span.rows(np.tile(np.arange(count), 1 + len(read) * len(orders)))
    for copy, (column, order) in enumerate(product(read, orders), 1):
        tiled.features[copy * count : (copy + 1) * count, :, column] = span.features[order, :, column]
    earned = utility_bps(rollout(tiled, policy, costs).ledger, rules).reshape(-1, count).mean(axis=1)
    lost = pd.Series(0.0, index=list(span.names))
    lost.iloc[read] = earned[0] - earned[1:].reshape(len(read), len(orders)).mean(axis=1)
    return lost


def read_features(span: Episodes, policy: Policy | RecurrentPolicy) -> list[int]:
    """Return the columns whose exchange changes any of some decisions of a flat portfolio.

    What a policy does not read there it is taken not to read anywhere. Of a policy with a memory all are returned.
    """
    columns = range(len(span.names))
    if not hasattr(policy, "act"):
        return list(columns)
    steps = np.unique(np.linspace(0, span.length - 1, ASKED).astype(np.int64))
    windows = np.concatenate([span.features[:, step : step + span.lookback] for step in steps])
    flat = np.tile(np.array([0.0, 0.0, 1.0], np.float32), (len(windows), 1))

    def actions(seen: Float32) -> Float1D:
        return policy.act(np.concatenate([seen.reshape(len(seen), -1), flat], axis=1))

    before, read = actions(windows), []
    for column in columns:
        exchanged = windows.copy()
        exchanged[:, :, column] = np.roll(windows[:, :, column], 1, axis=0)
        if not np.array_equal(actions(exchanged), before):
            read.append(column)
    return read


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
