"""The screen of a market that does not fit into memory: every task reads its own formation window from disk."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from perpfut_lib.cointegration.scan import Screen, select
from perpfut_lib.cointegration.stage import pair_day_table, window_tests
from perpfut_lib.compute import run_tasks
from perpfut_lib.config import Profile
from perpfut_lib.errors import ConfigError
from perpfut_lib.store.build import build_panel
from perpfut_lib.store.panel import Panel


class Stored(NamedTuple):
    """Candles on disk, where every worker can read them; one Parquet file per symbol and month."""

    root: Path
    """Folder with ``candles/`` and ``funding/``."""
    symbols: tuple[str, ...]
    """Symbols to pair."""
    timeframe: int
    """Length of a bar, ms."""
    margin: int = 0
    """Bars read before and after a window, so that a gap on its edge is filled as on the whole panel: the longest gap
    that the data have."""

    def panel(self, start: int, end: int, symbols: tuple[str, ...] | None = None) -> Panel:
        """Return the bars of [start, end), ms UTC, and of the margin around them."""
        around = self.margin * self.timeframe
        return build_panel(self.root, symbols or self.symbols, start - around, end + around, self.timeframe, label="")


def stored_pair_days(stored: Stored, windows: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """Return the pair-days of every trading window, one task per window.

    A worker holds one formation window of all symbols and its tests, whatever the length of the data; what comes back
    is the selection alone.

    Parameters
    ----------
    stored : Stored
        Where the candles are.
    windows : DataFrame
        Trading windows, as ``perpfut_lib.calendar.trading_windows`` gives them.
    profile : Profile
        Screen, universe, and ``compute``: local processes or a Dask cluster.

    Returns
    -------
    DataFrame
        As :func:`perpfut_lib.cointegration.load_pair_days`, bit by bit what the whole panel gives.

    Raises
    ------
    ConfigError
        The profile screens by a correlation over the whole data, which no task sees.
    """
    if profile.cointegration.correlation != "formation":
        found = f"cointegration.correlation={profile.cointegration.correlation}"
        raise ConfigError(found, "formation", "screen by what a window knows, or build the whole panel")
    tasks = [(stored, windows.iloc[[number]], profile) for number in range(len(windows))]
    tables = run_tasks(_select, tasks, profile.compute, label="windows")
    days = pd.concat(tables, ignore_index=True)
    return days.assign(episode=np.arange(len(days), dtype=np.int64))


def _select(task: tuple[Stored, pd.DataFrame, Profile]) -> pd.DataFrame:
    """Return the pair-days of one trading window."""
    stored, windows, profile = task
    start, config = int(windows["start"].iloc[0]), profile.cointegration
    panel = stored.panel(start - config.formation, start)
    here = windows.reset_index(drop=True).assign(row=panel.row(start))
    tests = window_tests(panel, here, profile.changed({"compute.backend": "local", "compute.workers": 1}))
    return pair_day_table(panel, here, select(tests, Screen.of(config)))
