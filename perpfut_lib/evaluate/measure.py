"""What a rollout came to: one row of plain numbers per agent, fee and seed."""

from dataclasses import asdict, dataclass

import numpy as np

from perpfut_lib import statistics
from perpfut_lib.accounting import BPS
from perpfut_lib.env import Episodes
from perpfut_lib.evaluate.portfolio import EpisodeFlows, Portfolio, combine
from perpfut_lib.evaluate.rollout import Rollout
from perpfut_lib.statistics import Resampling
from perpfut_lib.types import DAY_MS, Float1D, Int1D


@dataclass(frozen=True)
class Trial:
    """Which agent was tested at which cost."""

    agent: str
    """Name of the policy: ``ppo`` or a baseline."""
    train_fee_bps: float
    """Fee that it was trained with; NaN for a baseline that is not trained."""
    test_fee_bps: float
    """Fee that it was tested with."""
    seed: int
    """Training seed; -1 for the portfolio of all seeds, 0 for a baseline."""


def flows_of(result: Rollout, episodes: Episodes) -> EpisodeFlows:
    """Return the P&L of a rollout's episodes in units of the equity that each starts with."""
    book = result.ledger
    traded = book.turnover * book.equity[:, :-1]
    start = episodes.pair_days["start"].to_numpy()
    return EpisodeFlows(start, episodes.fill_times, book.price, book.funding, book.fees, book.slippage, traded)


def portfolio_of(result: Rollout, episodes: Episodes, windows: Int1D, slots: int) -> Portfolio:
    """Return the calendar-time portfolio of a rollout.

    Parameters
    ----------
    result : Rollout
        E episodes of L decisions.
    episodes : Episodes
        The episodes that it walked through.
    windows : ndarray of int64, shape (W, 2)
        Start and end of every trading window of the span, ms UTC.
    slots : int
        Number of pairs that the capital is divided by.
    """
    return combine(flows_of(result, episodes), windows, slots)


def performance(portfolio: Portfolio, resampling: Resampling) -> dict[str, float]:
    """Return return, risk, cost and attribution of a portfolio, with intervals; fractions unless named ``_bps``."""
    _, returns = statistics.daily_returns(portfolio.time, portfolio.equity)
    gross, traded = portfolio.price.sum() + portfolio.funding.sum(), portfolio.traded.sum()
    return {
        **return_measures(returns, resampling),
        "max_drawdown": float(statistics.max_drawdown(portfolio.equity)),
        "longest_drawdown_steps": float(statistics.longest_drawdown(portfolio.equity)),
        "turnover_per_day": float(traded / ((portfolio.time[-1] - portfolio.time[0]) / DAY_MS)),
        "price": float(portfolio.price.sum()),
        "funding": float(portfolio.funding.sum()),
        "fees": float(portfolio.fees.sum()),
        "slippage": float(portfolio.slippage.sum()),
        "break_even_bps": float(gross / traded / BPS) if traded > 0 else float("nan"),
        "imbalance": portfolio.imbalance(),
    }


def return_measures(returns: Float1D, resampling: Resampling) -> dict[str, float]:
    """Return measures of daily returns (n,), with bootstrap intervals of cumulative return and Sharpe ratio."""
    measures = {"days": float(len(returns))}
    for name, statistic in (("return", statistics.cumulative_return), ("sharpe", statistics.sharpe)):
        interval = asdict(statistics.bootstrap_ci(returns, statistic, resampling))
        measures |= {name: interval["estimate"], f"{name}_lower": interval["lower"], f"{name}_upper": interval["upper"]}
    return measures | {
        "volatility": float(statistics.volatility(returns)),
        "sortino": float(statistics.sortino(returns)),
        "win_rate": float(np.mean(returns > 0)),
    }


def action_measures(result: Rollout) -> dict[str, float]:
    """Return statistics of the actions: mean, standard deviation, mean absolute exposure."""
    return {
        "action_mean": float(result.action.mean()),
        "action_std": float(result.action.std()),
        "mean_exposure": float(np.abs(result.action).mean()),
    }
