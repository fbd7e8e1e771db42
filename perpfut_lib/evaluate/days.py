"""Days: what every interval and test is made from, one row per day of a portfolio."""

import numpy as np
import pandas as pd

from perpfut_lib import statistics
from perpfut_lib.evaluate.portfolio import Portfolio
from perpfut_lib.types import DAY_MS, Float1D

ALL_SEEDS = -1
"""The seed of a row that pools all of them."""
TRIAL = ("agent", "train_fee_bps", "test_fee_bps")


def days_of(portfolio: Portfolio) -> pd.DataFrame:
    """Return one row per day of a portfolio.

    Returns
    -------
    DataFrame
        ``day`` (start, ms UTC; fictitious where pair-days are strung together), ``window`` (start of the trading
        window that the day's first step belongs to), ``return`` (net), ``gross`` (price and funding P&L over the
        equity at the start of the window) and ``traded`` (notional over the same). The sum of ``gross`` over that of
        ``traded`` is the break-even cost.
    """
    day, returns = statistics.daily_returns(portfolio.time, portfolio.equity)
    number = np.searchsorted(day, (portfolio.time[1:] - 1) // DAY_MS * DAY_MS)
    first = np.searchsorted(number, np.arange(len(day)))
    gross = np.bincount(number, weights=(portfolio.price + portfolio.funding) / portfolio.base)
    traded = np.bincount(number, weights=portfolio.traded)
    columns = {"day": day, "window": portfolio.window[first], "return": returns}
    return pd.DataFrame({**columns, "gross": gross, "traded": traded})


def pooled_days(days: pd.DataFrame) -> pd.DataFrame:
    """Return the days of the portfolio that gives every seed the same capital each day: means over seeds."""
    return days.groupby([*TRIAL, "day", "window"], dropna=False, sort=False, as_index=False).mean().drop(columns="seed")


def trial_days(days: pd.DataFrame, agent: str, test_fee: float, train_fee: float | None = None) -> pd.DataFrame:
    """Return the days of one agent at one fee, in order; a trained one's by the fee that it was trained with."""
    own = (days["agent"] == agent) & (days["test_fee_bps"] == test_fee)
    if train_fee is not None:
        own &= days["train_fee_bps"] == train_fee
    return days[own].reset_index(drop=True)


def break_even_bps(days: pd.DataFrame) -> float:
    """Return gross P&L over traded notional, basis points: the cost per side at which the days' net return is zero."""
    traded = float(days["traded"].sum())
    return 1e4 * float(days["gross"].sum()) / traded if traded > 0 else float("nan")


def return_matrix(days: pd.DataFrame, columns: list[str]) -> tuple[list[tuple[object, ...]], Float1D]:
    """Return trials and their daily returns side by side, (days, trials)."""
    wide = days.pivot_table(index="day", columns=columns, values="return", dropna=False)
    wide = wide.dropna(axis=1, how="all")
    return list(wide.columns), wide.to_numpy(np.float64)
