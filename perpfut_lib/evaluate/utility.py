"""The agents' own objective in the tables: per pair-day, beside the best rule, and as a share of what can be earned."""

from typing import Final

import numpy as np
import pandas as pd

from perpfut_lib import statistics
from perpfut_lib.accounting import Ledger
from perpfut_lib.env import Episodes, Rules
from perpfut_lib.evaluate.days import ALL_SEEDS
from perpfut_lib.types import Float1D

INFORMED: Final = "informed"
"""The trader who knows how a simulated market was made; it is a measure, not a candidate."""
KEYS: Final = ("agent", "train_fee_bps", "test_fee_bps", "seed")


def utility_bps(book: Ledger, rules: Rules) -> Float1D:
    """Return the agents' own objective, summed over each pair-day, in basis points of its equity, (E,).

    The sum of :func:`perpfut_lib.env.kernel.utility` over the steps of a ledger; a ruined pair earns nothing more.
    """
    before = book.equity[:, :-1]
    gain = np.divide(book.equity[:, 1:], before, out=np.ones_like(before), where=before > 0.0) - 1.0
    x = rules.reward_scale * gain
    reward = x - 0.5 * rules.risk_aversion * x**2 - rules.turnover_penalty * book.turnover
    total: Float1D = np.clip(reward, -rules.reward_clip, rules.reward_clip).sum(axis=1)
    return total * (1e4 / rules.reward_scale)


def utility_days(book: Ledger, episodes: Episodes, rules: Rules) -> pd.DataFrame:
    """Return one row per pair-day: ``window`` (its start, ms UTC) and ``utility_bps``."""
    return pd.DataFrame({"window": episodes.pair_days["start"].to_numpy(), "utility_bps": utility_bps(book, rules)})


def with_utility(metrics: pd.DataFrame, utilities: pd.DataFrame, level: float) -> pd.DataFrame:
    """Return the metrics with utility, what it has over the best rule's, and its share of what can be earned.

    Parameters
    ----------
    metrics : DataFrame
        One row per agent, fees and seed; ``validation_utility_bps`` says how the rules did before the test span.
    utilities : DataFrame
        Rows of :func:`utility_days` with the columns :data:`KEYS`; several draws of one agent are averaged.
    level : float
        Coverage of the interval of the difference: Student's t over trading windows, as pair-days of one window may
        move together.

    Returns
    -------
    DataFrame
        Further columns ``utility_bps`` (mean per pair-day), ``best_rule`` (chosen on validation, per fee),
        ``utility_difference_bps`` with ``_lower`` and ``_upper``, and ``utility_share`` of the informed trader; NaN
        where there is none, or where it earns nothing.
    """
    best = best_rules(metrics)
    rows = []
    for row in metrics[list(KEYS)].itertuples(index=False):
        own, fee = _of(utilities, *row), row.test_fee_bps
        most = _of(utilities, INFORMED, np.nan, fee, 0)["utility_bps"].mean()
        found = {"utility_bps": own["utility_bps"].mean(), "best_rule": best.get(fee)}
        if fee in best:
            found |= _difference(own, _of(utilities, best[fee], np.nan, fee, 0), level)
        rows.append(found | {"utility_share": found["utility_bps"] / most if most > 0.0 else np.nan})
    return pd.concat([metrics.reset_index(drop=True), pd.DataFrame(rows)], axis=1)


def best_rules(metrics: pd.DataFrame) -> dict[float, str]:
    """Return the rule with the highest utility on validation by test fee; without fees where none was tried."""
    if "validation_utility_bps" not in metrics:
        return {}
    rules = metrics[metrics["train_fee_bps"].isna()].dropna(subset="validation_utility_bps")
    places = rules.groupby("test_fee_bps")["validation_utility_bps"].idxmax()
    return {float(fee): str(rules.loc[place, "agent"]) for fee, place in places.items()}


def _of(utilities: pd.DataFrame, agent: str, train_fee: float, test_fee: float, seed: int) -> pd.DataFrame:
    """Return the pair-days of one row of the metrics; of all seeds where it stands for them."""
    trained = utilities["train_fee_bps"].isna() if np.isnan(train_fee) else utilities["train_fee_bps"] == train_fee
    same = (utilities["agent"] == agent) & trained & (utilities["test_fee_bps"] == test_fee)
    return utilities[same if seed == ALL_SEEDS else same & (utilities["seed"] == seed)]


def _difference(own: pd.DataFrame, other: pd.DataFrame, level: float) -> dict[str, float]:
    """Return the difference per pair-day of two agents over the same windows, and its interval."""
    totals = [each.groupby("window")["utility_bps"].agg(["sum", "size"]) for each in (own, other)]
    share = len(own) / len(other)  # seeds or draws per pair-day
    apart = (totals[0]["sum"] / share - totals[1]["sum"]).to_numpy()
    named = {"utility_difference_bps": float(apart.sum()) / len(other)}
    if len(apart) < 2:
        return named
    interval = statistics.total_interval(apart, level)
    ends = {"lower": interval.lower, "upper": interval.upper}
    return named | {f"utility_difference_{name}": end / len(other) for name, end in ends.items()}
