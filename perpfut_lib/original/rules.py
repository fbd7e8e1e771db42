"""What decisions earn under the original study's rules, under correct ones, and under anything in between."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from perpfut_lib.accounting import BPS, Costs, make_market, settle
from perpfut_lib.accounting.step import target_weights
from perpfut_lib.config import EnvConfig
from perpfut_lib.env.stage import fill_prices, funding_per_unit, leg_prices
from perpfut_lib.original.policy import DECISION_BARS, LOOKBACK
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import Float1D, Float2D, Float3D, Int1D

CORRECTIONS: Final = {
    "fill": "fill at the next open (fault 7)",
    "legs": "legs sized by the hedge ratio (fault 2)",
    "funding": "funding is paid (fault 1)",
    "calendar": "one portfolio in calendar time, flat between pair-days (fault 6)",
    "correlation": "correlation of the formation window only (fault 4)",
    "critical": "Engle-Granger critical values (fault 5)",
}
"""What can be put right without training anew, in the order of the ladder."""
SLOTS: Final = 5
RETURN_LIMIT: Final = 0.1
LEGS: Final = ("y", "x")


@dataclass(frozen=True)
class Rules:
    """Which corrections are made, the fee, and how many bars late orders fill."""

    made: frozenset[str]
    fee_bps: float
    latency: int = 0


class Account(NamedTuple):
    """What the decisions on some pair-days came to."""

    growth: Float1D
    """Log growth of each window, (W,)."""
    turnover: float
    """Mean change of weights per 1,440 decisions and pair-day."""


def account(panel: Panel, pair_days: pd.DataFrame, actions: Float2D, windows: Int1D, rules: Rules) -> Account:
    """Account for actions (E, L) on pair-days.

    Parameters
    ----------
    panel : Panel
        Prices and funding.
    pair_days : DataFrame
        ``y``, ``x``, ``start`` (ms UTC), ``beta``; E rows in the order in which the study walks through them.
    actions : ndarray, (E, L)
        From :func:`perpfut_lib.original.policy.decide_days`.
    windows : ndarray of int64, (W,)
        Start of every trading window of the span, ms UTC; one without pairs grows by zero.
    rules : Rules
        What is put right.
    """
    place = np.searchsorted(windows, pair_days["start"].to_numpy(np.int64))
    weights = _weights(actions, pair_days["beta"].to_numpy(np.float64), beta_legs="legs" in rules.made)
    made = _market(panel, pair_days, rules)
    turnover = float(np.abs(np.diff(weights, axis=1)).sum(axis=2).mean() * 1440) if len(weights) else 0.0
    if "calendar" in rules.made:
        returns = settle(weights, make_market(*made), Costs(rules.fee_bps * BPS, 0.0)).equity[:, -1] - 1.0
        by_window: Float1D = np.bincount(place, returns / SLOTS, len(windows)).astype(np.float64)
        return Account(np.log1p(by_window), turnover)
    growth = _log_growth(weights, made, rules.fee_bps * BPS)
    return Account(np.bincount(place, growth, len(windows)).astype(np.float64), turnover)


def _weights(actions: Float2D, beta: Float1D, *, beta_legs: bool) -> Float3D:
    if not beta_legs:
        return np.stack([0.5 * actions, -0.5 * actions], axis=2)
    unit = np.array([target_weights(1.0, ratio) for ratio in beta]).reshape(-1, 1, 2)
    return np.asarray(actions[:, :, None] * unit)


def _market(panel: Panel, pair_days: pd.DataFrame, rules: Rules) -> tuple[Float3D, Float3D, Float3D]:
    """Return fills (E, L+1, 2), marks (E, L, 2) and funding per unit (E, L, 2) of all decisions."""
    first = np.searchsorted(panel.open_time, pair_days["start"].to_numpy(np.int64))
    rows = first[:, None] + LOOKBACK + np.arange(DECISION_BARS + 1)
    config = EnvConfig(fill="next_open" if "fill" in rules.made else "same_close", latency=rules.latency)
    fills, times = fill_prices(panel, pair_days, rows, config)
    marks = np.stack([leg_prices(panel.close, panel, pair_days[leg], rows[:, :-1] - 1) for leg in LEGS], axis=2)
    funding = np.zeros_like(marks)
    if "funding" in rules.made:
        funding = np.stack([funding_per_unit(panel, pair_days[leg], times) for leg in LEGS], axis=2)
    return fills, marks, funding


def _log_growth(weights: Float3D, market: tuple[Float3D, Float3D, Float3D], fee: float) -> Float1D:
    """Return the log growth of each pair-day by the study's own arithmetic, (E,).

    Weighted *log* returns, clipped at ±10 % per bar; costs on the change of target weights, without drift. Positions
    are carried over from one pair-day to the next and never closed: the first change is counted from the weights that
    the pair-day before, of whatever pair, ended with.
    """
    fills, _, funding = market
    moves = np.clip(np.diff(np.log(fills), axis=1), -RETURN_LIMIT, RETURN_LIMIT)
    earned = (weights * (moves - funding / fills[:, :-1])).sum(axis=2)
    chain = np.concatenate([np.zeros((1, 2)), weights.reshape(-1, 2)])
    changed = np.abs(np.diff(chain, axis=0)).sum(axis=1).reshape(earned.shape)
    growth: Float1D = (earned - fee * changed).sum(axis=1)
    return growth
