"""A rule that needs no training, decided every so many bars: against the spread beyond an entry, out inside an exit."""

from typing import Final

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from perpfut_lib.accounting import Accountant, Costs, Ledger, Market, held_by
from perpfut_lib.accounting.step import target_weights
from perpfut_lib.env.impact import LEGS
from perpfut_lib.env.stage import leg_prices
from perpfut_lib.store.halts import carried
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import Float1D, Float2D, Int1D

THRESHOLDS: Final = tuple((entry, out) for entry in (1.0, 1.5, 2.0, 2.5, 3.0) for out in (0.0, 0.5, 1.0) if out < entry)
"""Entry and exit in standard deviations of the formation window; fixed before any result was looked at."""
NO_COSTS: Final = Costs(0.0, 0.0)
STILL: Final = 1e-9
"""A spread whose standard deviation is smaller than this, in log price, does not move."""


def spread_z(panel: Panel, pair_days: pd.DataFrame, rows: Int1D, window: int | None) -> Float2D:
    """Return the spread at each decision in standard deviations, (E, L).

    Parameters
    ----------
    panel : Panel
        Closing prices.
    pair_days : DataFrame
        ``alpha``, ``beta``, ``spread_mean``, ``spread_std`` of the formation window.
    rows : ndarray of int64, (E, L)
        Row of the last bar that closed before each decision.
    window : int or None
        Bars, up to that one, whose mean and standard deviation the spread is measured against; None for those of the
        formation window. Where the spread did not move in them, 0.
    """
    alpha, beta, mean, std = (
        pair_days[name].to_numpy(np.float64)[:, None] for name in ("alpha", "beta", "spread_mean", "spread_std")
    )
    before = 0 if window is None else window - 1
    wide = rows[:, :1] + np.arange(-before, rows.shape[1])
    close = carried(panel).close
    log_y, log_x = (np.log(leg_prices(close, panel, pair_days[leg], wide)) for leg in LEGS)
    spread = log_y - alpha - beta * log_x - mean
    if window is None:
        z: Float2D = spread / std
        return z
    seen = sliding_window_view(spread, window, axis=1)
    own = seen.std(axis=2)
    moved = own > STILL
    return np.where(moved, (spread[:, before:] - seen.mean(axis=2)) / np.where(moved, own, 1.0), 0.0)


def sides(z: Float2D, thresholds: tuple[float, float], interval: int) -> Float2D:
    """Return the side held after each decision, (E, L): +1 long, -1 short the spread, 0 flat.

    Parameters
    ----------
    z : ndarray, (E, L)
        Spread in standard deviations; positive where the first leg is dear.
    thresholds : tuple
        Entry and exit, entry above exit.
    interval : int
        Bars from one decision to the next; what is held stays in between.
    """
    entry, out = thresholds
    held, side = np.zeros(z.shape), np.zeros(len(z))
    for step in range(z.shape[1]):
        if step % interval == 0:
            now = z[:, step]
            stays = (side != 0.0) & (side * now < -out)
            side = np.where(np.abs(now) > entry, -np.sign(now), np.where(stays, side, 0.0))
        held[:, step] = side
    return held


def settle_sides(held: Float2D, market: Market, hedge_ratio: Float1D, costs: Costs = NO_COSTS) -> Ledger:
    """Account for sides (E, L) by the study's ledger: units stay as they are until the side changes.

    Parameters
    ----------
    held : ndarray, (E, L)
        From :func:`sides`.
    market : Market
        The episodes' fills, marks and funding.
    hedge_ratio : ndarray, (E,)
        β, which sizes the legs.
    costs : Costs
        None by default: the break-even cost is what is asked for.
    """
    accountant, before = Accountant(market, costs), np.zeros(len(held))
    for step in range(held.shape[1]):
        wanted = np.stack(target_weights(held[:, step], hedge_ratio), axis=1)
        kept, _ = held_by(accountant.cash, accountant.quantity, market.marks[:, step])
        accountant.book(step, np.where((held[:, step] == before)[:, None], kept, wanted))
        before = held[:, step]
    return accountant.close()
