"""One figure style for the whole book: colour-blind-safe, readable at half width, units on every axis."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import matplotlib as mpl
import seaborn as sns
from cycler import cycler
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

PALETTE: Final = tuple(sns.color_palette("colorblind").as_hex())
SETTINGS: Final[Any] = {
    "figure.figsize": (7.0, 3.6),
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "axes.prop_cycle": cycler(color=PALETTE),
    "legend.frameon": False,
    "svg.hashsalt": "perpfut",
}


@contextmanager
def figure(rows: int = 1, columns: int = 1, *, height: float = 3.4) -> Iterator[tuple[Figure, list[Axes]]]:
    """Yield a styled figure and its axes in reading order; it is closed for pyplot, so a notebook shows it once."""
    with mpl.rc_context(SETTINGS):
        made, axes = plt.subplots(rows, columns, figsize=(7.0, height * rows), squeeze=False)
        yield made, list(axes.ravel())
        plt.close(made)


def time_axis(axes: Axes) -> None:
    """Label the horizontal axis as UTC time with short dates."""
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_xlabel("time (UTC)")
