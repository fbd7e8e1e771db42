"""Placebo panels: what moves together still does, but nothing can be predicted."""

import numpy as np

from perpfut_lib.store.panel import Panel
from perpfut_lib.types import PRICE_COLUMNS


def placebo_panel(panel: Panel, seed: int) -> Panel:
    """Return a panel like ``panel`` in which nothing can be predicted.

    Bars are drawn with replacement, the same bar for all symbols: what moves together still does, but no spread comes
    back except by chance. Symbols that lack a bar are left out; funding stays as it was.
    """
    whole = np.flatnonzero(np.isfinite(panel.close).all(axis=0) & np.isfinite(panel.open).all(axis=0))
    close = np.log(panel.close[:, whole])
    drawn = np.random.default_rng(seed).integers(1, len(close), len(close) - 1)
    steps = close[drawn] - close[drawn - 1]
    path = np.concatenate([close[:1], close[:1] + np.cumsum(steps, axis=0)])
    bars = np.concatenate([[0], drawn])
    before = np.concatenate([path[:1], path[:-1]])
    last = np.concatenate([close[:1], close[drawn - 1]])
    prices = {name: np.exp(before + np.log(getattr(panel, name)[bars][:, whole]) - last) for name in PRICE_COLUMNS}
    prices |= {"close": np.exp(path), "volume": panel.volume[bars][:, whole]}
    symbols = tuple(panel.symbols[column] for column in whole)
    filled = np.zeros(path.shape, np.bool_)
    return Panel(panel.open_time, symbols, panel.timeframe, filled=filled, funding=panel.funding, **prices)
