"""What a rollout came to: one row of plain numbers per agent, fee and seed."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from perpfut_lib import statistics
from perpfut_lib.accounting import MAINTENANCE_MARGIN, Ledger
from perpfut_lib.env import Episodes
from perpfut_lib.evaluate.days import break_even_bps, days_of
from perpfut_lib.evaluate.portfolio import EpisodeFlows, Portfolio, combine
from perpfut_lib.evaluate.rollout import Rollout
from perpfut_lib.policies.rules import TUNED
from perpfut_lib.types import DAY_MS, Float1D, Float3D, Int1D


@dataclass(frozen=True)
class Trial:
    """Which agent was tested at which cost."""

    agent: str
    """Name of the policy: ``counterfactual-ppo`` or a baseline."""
    train_fee_bps: float
    """Fee that it was trained with; NaN for a baseline that is not trained."""
    test_fee_bps: float
    """Fee that it was tested with."""
    seed: int
    """Training seed; -1 for the portfolio of all seeds, 0 for a baseline."""

    def priced_anew(self, fees: Sequence[float]) -> bool:
        """Return whether its positions are those to price anew: decided at the fee that they were fitted to.

        Policies that are fitted to none are priced once, from the least fee on.
        """
        if self.agent in TUNED:
            return True
        own = self.train_fee_bps if np.isfinite(self.train_fee_bps) else min(fees)
        return self.test_fee_bps == own


def flows_of(book: Ledger, episodes: Episodes) -> EpisodeFlows:
    """Return the P&L of the episodes of a ledger in units of the equity that each starts with."""
    traded = book.turnover * book.equity[:, :-1]
    start = episodes.pair_days["start"].to_numpy()
    return EpisodeFlows(start, episodes.fill_times, book.price, book.funding, book.fees, book.slippage, traded)


def portfolio_of(book: Ledger, episodes: Episodes, windows: Int1D, slots: int) -> Portfolio:
    """Return the calendar-time portfolio of a ledger.

    Parameters
    ----------
    book : Ledger
        E episodes of L decisions.
    episodes : Episodes
        The episodes that it walked through.
    windows : ndarray of int64, shape (W, 2)
        Start and end of every trading window of the span, ms UTC.
    slots : int
        Number of pairs that the capital is divided by.
    """
    return combine(flows_of(book, episodes), windows, slots)


def performance(portfolio: Portfolio, level: float) -> dict[str, float]:
    """Return return, risk, cost and attribution of a portfolio, with intervals; fractions unless named ``_bps``."""
    _, returns = statistics.daily_returns(portfolio.time, portfolio.equity)
    elapsed = (portfolio.time[-1] - portfolio.time[0]) / DAY_MS
    return {
        **return_measures(returns, level),
        "max_drawdown": float(statistics.max_drawdown(portfolio.equity)),
        "drawdown_days": statistics.drawdown_duration(portfolio.time, portfolio.equity) / DAY_MS,
        "turnover_per_day": float(portfolio.traded.sum() / elapsed),
        "price": float(portfolio.price.sum()),
        "funding": float(portfolio.funding.sum()),
        "fees": float(portfolio.fees.sum()),
        "slippage": float(portfolio.slippage.sum()),
        "break_even_bps": break_even_bps(days_of(portfolio)),
        "imbalance": portfolio.imbalance(),
    }


def return_measures(returns: Float1D, level: float) -> dict[str, float]:
    """Return measures of daily returns (n,), with t intervals of cumulative return and Sharpe ratio at this level."""
    measures = {"days": float(len(returns))}
    for name, method in (("return", statistics.return_interval), ("sharpe", statistics.sharpe_interval)):
        interval = asdict(method(returns, level))
        measures |= {name: interval["estimate"], f"{name}_lower": interval["lower"], f"{name}_upper": interval["upper"]}
    return measures | {
        "volatility": float(statistics.volatility(returns)),
        "sortino": float(statistics.sortino(returns)),
        "win_rate": float(np.mean(returns > 0)),
    }


def action_measures(result: Rollout) -> dict[str, float]:
    """Return statistics of the actions: mean, standard deviation, mean gross exposure held, mean holding time.

    Also the nearest that any position came to liquidation: the adverse move of both legs, at 5 % maintenance margin,
    that it would have survived; infinity for who never holds anything.
    """
    return {
        "action_mean": float(result.action.mean()),
        "action_std": float(result.action.std()),
        "mean_exposure": float(np.abs(result.target).sum(axis=2).mean()),
        "holding_bars": holding_bars(result.target),
        "liquidation_distance": float(result.ledger.liquidation_distance(MAINTENANCE_MARGIN).min()),
    }


def holding_bars(target: Float3D) -> float:
    """Return the mean number of decisions in a row on one side of the spread, given targets (E, L, 2); NaN if never.

    A spell ends when the side changes, the position is closed, or the episode ends.
    """
    side = np.sign(target[..., 0])
    before = np.concatenate([np.zeros((len(side), 1)), side[:, :-1]], axis=1)
    entries = int(((side != 0) & (side != before)).sum())
    return float((side != 0).sum() / entries) if entries else float("nan")
