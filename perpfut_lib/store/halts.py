"""Stretches in which a symbol does not trade, and what its prices are after its last bar."""

import numpy as np

from perpfut_lib.acquire.bar_defects import halt_bars, stretches
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import PRICE_COLUMNS, Bool1D, Bool2D, Float1D, Int1D


def halted_bars(high: Float1D, low: Float1D, volume: Float1D, bars: int) -> Bool1D:
    """Return which bars of one symbol lie in a halt: ``bars`` in a row or more without a trade, each at one price.

    A bar that was filled forward looks the same and counts as well.
    """
    flags = (volume == 0.0) & (high == low)
    halted = np.zeros(len(flags), np.bool_)
    if flags.any():
        for first, length in stretches(flags, bars):
            halted[first : first + length] = True
    return halted


def halts(panel: Panel, halt: int) -> Bool2D:
    """Return which bars of a panel lie in a halt, (T, N); none with ``halt`` 0.

    Parameters
    ----------
    panel : Panel
        Candles.
    halt : int
        Least length of a halt, ms; two bars at least. See :class:`~perpfut_lib.config.QualityConfig`.
    """
    flags = np.zeros(panel.close.shape, np.bool_)
    if halt == 0:
        return flags
    least = halt_bars(halt, panel.timeframe)
    for column in range(len(panel.symbols)):
        high, low, volume = panel.high[:, column], panel.low[:, column], panel.volume[:, column]
        flags[:, column] = halted_bars(high, low, volume, least)
    return flags


def last_rows(panel: Panel) -> Int1D:
    """Return the row of each symbol's last bar, (N,); -1 for a symbol without any."""
    present = ~np.isnan(panel.close)
    last = len(present) - 1 - present[::-1].argmax(axis=0)
    rows: Int1D = np.where(present.any(axis=0), last, -1)
    return rows


def carried(panel: Panel) -> Panel:
    """Return a panel on which each symbol that ends early keeps its last close, without volume and marked as filled.

    For what was selected before the end came: its prices, its features and the price that it is flattened at. The
    screen reads the panel as it is.
    """
    last = last_rows(panel)
    ended = np.flatnonzero((last >= 0) & (last < len(panel.open_time) - 1))
    if len(ended) == 0:
        return panel
    arrays = {name: np.array(getattr(panel, name)) for name in PRICE_COLUMNS}
    volume, filled = panel.volume.copy(), panel.filled.copy()
    for column in ended:
        rows = slice(last[column] + 1, None)
        for values in arrays.values():
            values[rows, column] = panel.close[last[column], column]
        volume[rows, column], filled[rows, column] = 0.0, True
    prices = (arrays["open"], arrays["high"], arrays["low"], arrays["close"])
    return Panel(panel.open_time, panel.symbols, panel.timeframe, *prices, volume, filled, panel.funding)
