"""Out-of-sample evaluation: rollouts through the one decision function, calendar-time portfolios, metrics.

What measures and what needs the trained policies' stage load on first use, so that a replay can be compared with a
rollout where the training stack is not installed.
"""

import importlib
from typing import TYPE_CHECKING, Any

import pandas as pd

from perpfut_lib.artifacts import Run
from perpfut_lib.evaluate.portfolio import EpisodeFlows, Portfolio, combine
from perpfut_lib.evaluate.rollout import Rollout, rollout, view_at

if TYPE_CHECKING:
    from perpfut_lib.evaluate.days import ALL_SEEDS, break_even_bps, days_of, pooled_days, return_matrix, trial_days
    from perpfut_lib.evaluate.measure import Trial, action_measures, performance, portfolio_of

_LATER = {
    "ALL_SEEDS": "perpfut_lib.evaluate.days",
    "Trial": "perpfut_lib.evaluate.measure",
    "action_measures": "perpfut_lib.evaluate.measure",
    "break_even_bps": "perpfut_lib.evaluate.days",
    "days_of": "perpfut_lib.evaluate.days",
    "performance": "perpfut_lib.evaluate.measure",
    "pooled_days": "perpfut_lib.evaluate.days",
    "portfolio_of": "perpfut_lib.evaluate.measure",
    "return_matrix": "perpfut_lib.evaluate.days",
    "trial_days": "perpfut_lib.evaluate.days",
}


def load_metrics(run: Run) -> pd.DataFrame:
    """Return one row per agent, training fee, test fee and seed (-1: all seeds side by side)."""
    return run.stage("evaluate").read_table("metrics.parquet")


def load_days(run: Run) -> pd.DataFrame:
    """Return one row per day by agent, fees and seed; see :func:`perpfut_lib.evaluate.days.days_of`."""
    return run.stage("evaluate").read_table("days.parquet")


def load_costs(run: Run) -> pd.DataFrame:
    """Return the cost curves: measures of each agent's positions by ``cost_bps`` a side, fee trained with and seed."""
    return run.stage("evaluate").read_table("costs.parquet")


def load_curves(run: Run) -> pd.DataFrame:
    """Return the portfolio's equity and flows at every mark, by agent, training fee, test fee and seed."""
    return run.stage("evaluate").read_table("curves.parquet")


__all__ = [
    "ALL_SEEDS",
    "EpisodeFlows",
    "Portfolio",
    "Rollout",
    "Trial",
    "action_measures",
    "break_even_bps",
    "combine",
    "days_of",
    "load_costs",
    "load_curves",
    "load_days",
    "load_metrics",
    "performance",
    "pooled_days",
    "portfolio_of",
    "return_matrix",
    "rollout",
    "trial_days",
    "view_at",
]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(importlib.import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
