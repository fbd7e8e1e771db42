"""When the orders of an episode fill: at once, or, where a leg does not trade, when both legs do again.

An order waits while either leg is halted, so that no leg is ever held alone. Several orders that wait for the same
moment all fill at its prices: they earn nothing against each other and each pays its costs, which charges too much
rather than too little. Where a leg never trades again (a delisting, or a halt without end on these data), the pair is
flattened when that begins: that leg at its last traded price, the other at its own market's, both with their costs.
"""

import numpy as np
import pandas as pd

from perpfut_lib.config import EnvConfig
from perpfut_lib.store.halts import halts, last_rows
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import Bool1D, Int1D


def order_rows(rows: Int1D, config: EnvConfig) -> Int1D:
    """Return the row whose open each order is meant for, (E, L+1): latency later, at the flattening at the latest."""
    late: Int1D = np.minimum(rows + config.latency, rows[:, -1:])
    return late


def fill_rows(panel: Panel, pair_days: pd.DataFrame, wanted: Int1D, halt: int) -> Int1D:
    """Return the row at which each order fills, (E, R): ``wanted`` itself unless a leg does not trade there.

    Parameters
    ----------
    panel : Panel
        As it was recorded: NaN after a symbol's last bar.
    pair_days : DataFrame
        Episodes, columns ``y`` and ``x``.
    wanted : ndarray of int64, (E, R)
        Rows at which the orders would fill.
    halt : int
        Least length of a halt, ms; 0 for none.
    """
    return _moved(panel, pair_days, wanted, halt)[0]


def rows_before_halts(panel: Panel, pair_days: pd.DataFrame, rows: Int1D, halt: int) -> Int1D:
    """Return ``rows``, (E, R), those inside a halt moved back to its first bar: what a fill costs is judged there."""
    return _moved(panel, pair_days, rows, halt)[1]


def _moved(panel: Panel, pair_days: pd.DataFrame, rows: Int1D, halt: int) -> tuple[Int1D, Int1D]:
    """Return rows moved to the end of their halts, and rows moved to the beginning."""
    closed, last = halts(panel, halt), last_rows(panel)
    closed |= np.arange(len(closed))[:, None] > last
    later, earlier = rows.copy(), rows.copy()
    for episode, legs in enumerate(zip(pair_days["y"], pair_days["x"], strict=True)):
        y, x = (panel.column(leg) for leg in legs)
        own = closed[:, y] | closed[:, x]
        if own[rows[episode]].any():
            after, before = _ends(own)
            begin = np.maximum(before[rows[episode]], rows[episode, 0])
            end = after[rows[episode]]
            later[episode] = np.where(end < len(own), end, begin)
            earlier[episode] = begin
    return later, earlier


def _ends(closed: Bool1D) -> tuple[Int1D, Int1D]:
    """Return the first open row at or after each row (T if none), and the first row of the closed stretch it is in."""
    row = np.arange(len(closed))
    after = np.minimum.accumulate(np.where(closed, len(closed), row)[::-1])[::-1]
    opened = np.maximum.accumulate(np.where(closed, -1, row))
    return after, np.where(closed, opened + 1, row)
