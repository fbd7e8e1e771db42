"""One figure style for the whole book: colour-blind-safe, readable at half width, units on every axis."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import matplotlib as mpl
import pandas as pd
from cycler import cycler
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

PALETTE: Final = (
    *("#0173b2", "#c26a00", "#007a5a", "#b3123a", "#8e4b9e"),
    *("#7a4a1e", "#c2549d", "#6b6b6b", "#8a7a00", "#1f8ec9"),
)
"""Hues of seaborn's "colorblind", darkened: each stands out from white by at least 3 : 1."""
NOTHING: Final = "\N{EN DASH}"
"""What stands in a table where there is no figure."""
SETTINGS: Final[Any] = {
    "figure.dpi": 120,
    "figure.constrained_layout.use": True,
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "lines.linewidth": 1.6,
    "grid.alpha": 0.25,
    "axes.prop_cycle": cycler(color=PALETTE),
    "legend.frameon": False,
    "svg.hashsalt": "perpfut",
}


def decimals(value: float, digits: int, *, sign: str = "-") -> str:
    """Return a figure as text with so many decimals: a dash for NaN, and never a negative zero."""
    return NOTHING if pd.isna(value) else f"{round(value, digits) + 0.0:{sign}.{digits}f}"


def bounds(lower: float, upper: float, digits: int) -> str:
    """Return an interval as text; a dash where there is none."""
    return NOTHING if pd.isna(lower) else f"[{decimals(lower, digits)}, {decimals(upper, digits)}]"


@contextmanager
def figure(rows: int = 1, columns: int = 1, *, height: float = 3.4) -> Iterator[tuple[Figure, list[Axes]]]:
    """Yield a styled figure and its axes in reading order; it is closed for pyplot, so a notebook shows it once."""
    with mpl.rc_context(SETTINGS):
        made, axes = plt.subplots(rows, columns, figsize=(6.4, height * rows), squeeze=False)
        yield made, list(axes.ravel())
        plt.close(made)


def time_axis(axes: Axes) -> None:
    """Label the horizontal axis as UTC time with short dates."""
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_xlabel("time (UTC)")
