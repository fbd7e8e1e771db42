"""From candles on disk to the panel: one grid, missing bars forward-filled with a mask, never silently."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from perpfut_lib.acquire.market import Market
from perpfut_lib.progress import track
from perpfut_lib.store.panel import FundingEvents, Panel
from perpfut_lib.types import PRICE_COLUMNS, Bool1D, Float1D, Int1D

FIELDS: Final = (*PRICE_COLUMNS, "volume")
COLUMNS: Final = ("open_time", *FIELDS)
READERS: Final = 4
"""Symbols read at once."""


def build_panel(
    root: Path, symbols: Sequence[str], start: int, end: int, timeframe: int, label: str = "Building the panel"
) -> Panel:
    """Read the candles and settlements under ``root`` into one panel.

    Parameters
    ----------
    root : Path
        Folder with ``candles/`` and ``funding/``, see :mod:`perpfut_lib.acquire.partitions`.
    symbols : sequence of str
        Columns of the panel; they are sorted.
    start, end : int
        Window [start, end), ms UTC, multiples of ``timeframe``.
    timeframe : int
        Length of a bar, ms.
    label : str
        Text of the progress bar; no bar without it.

    Returns
    -------
    Panel
        A bar missing between two bars of its symbol repeats the previous close with zero volume and is marked in
        ``filled``; before the first and after the last bar of a symbol everything is NaN.
    """
    from perpfut_lib.acquire.partitions import candle_months  # pyarrow, which tables in memory do without

    grid = _Grid(symbols, start, end, timeframe)

    def read(column: int) -> None:
        for month in candle_months(root, grid.names[column], start, end):
            grid.place(column, {name: month.column(name).to_numpy() for name in COLUMNS})
        grid.fill(column)

    with ThreadPoolExecutor(READERS) as pool:  # decompression and copies release the interpreter's lock
        done = pool.map(read, range(len(grid.names)))
        for _ in track(done, label=label, total=len(grid.names), unit="symbol") if label else done:
            pass
    return grid.panel({name: events for name in grid.names if (events := _funding(root, name)) is not None})


def panel_of(market: Market, timeframe: int) -> Panel:
    """Return the panel of a checked market, over all that its symbols cover; see :func:`build_panel`."""
    start = min(int(bars["open_time"].iloc[0]) for bars in market.candles.values())
    end = max(int(bars["open_time"].iloc[-1]) for bars in market.candles.values()) + timeframe
    grid = _Grid(list(market.candles), start, end, timeframe)
    for column, name in enumerate(grid.names):
        grid.place(column, {field: market.candles[name][field].to_numpy() for field in COLUMNS})
        grid.fill(column)
    rates = {name: table for name, table in (market.funding or {}).items() if name in grid.names}
    return grid.panel(
        {name: FundingEvents(t["funding_time"].to_numpy(), t["funding_rate"].to_numpy()) for name, t in rates.items()}
    )


class _Grid:
    """Arrays of a panel while it is read: the bars of a symbol lie together, and are transposed at the end."""

    def __init__(self, symbols: Sequence[str], start: int, end: int, timeframe: int) -> None:
        self.names = tuple(sorted(symbols))
        self.window = (start, end, timeframe)
        self.open_time = np.arange(start, end, timeframe, dtype=np.int64)
        shape = (len(self.names), len(self.open_time))
        self.values = {field: np.full(shape, np.nan) for field in FIELDS}
        self.filled = np.zeros(shape, dtype=np.bool_)

    def place(self, column: int, bars: Mapping[str, npt.NDArray[Any]]) -> None:
        """Write bars of one symbol, given by :data:`COLUMNS`."""
        rows, inside = _rows(bars["open_time"], *self.window)
        for field in FIELDS:
            self.values[field][column][rows] = bars[field][inside]

    def fill(self, column: int) -> None:
        """Fill the holes of one symbol forward."""
        fill_forward({field: self.values[field][column] for field in FIELDS}, self.filled[column])

    def panel(self, funding: dict[str, FundingEvents]) -> Panel:
        """Return the panel; each array of the grid is let go as soon as it is transposed."""
        columns = {field: np.ascontiguousarray(self.values.pop(field).T) for field in FIELDS}
        filled = np.ascontiguousarray(self.filled.T)
        return Panel(self.open_time, self.names, self.window[2], filled=filled, funding=funding, **columns)


def _funding(root: Path, symbol: str) -> FundingEvents | None:
    from perpfut_lib.acquire.partitions import read_funding

    settlements = read_funding(root, symbol)
    if settlements is None:
        return None
    return FundingEvents(settlements["funding_time"].to_numpy(), settlements["funding_rate"].to_numpy())


def fill_forward(values: dict[str, Float1D], filled: Bool1D) -> None:
    """Fill the holes of one symbol's columns in place and mark them.

    Parameters
    ----------
    values : dict of str to array, (T,)
        Prices and volume by name; NaN where a bar is missing.
    filled : array of bool, (T,)
        Set to True where a bar was filled.
    """
    present = np.flatnonzero(~np.isnan(values["close"]))
    if len(present) == 0 or len(present) == present[-1] - present[0] + 1:
        return
    span = slice(present[0], present[-1] + 1)
    missing = np.isnan(values["close"][span])
    previous = np.maximum.accumulate(np.where(missing, 0, np.arange(len(missing))))
    last_close = values["close"][span][previous]
    for field in PRICE_COLUMNS:
        values[field][span][missing] = last_close[missing]
    values["volume"][span][missing] = 0.0
    filled[span] = missing


def _rows(time: Int1D, start: int, end: int, timeframe: int) -> tuple[slice | Int1D, slice]:
    """Return the panel's rows of a month's bars (a slice where none is missing), and which bars lie in the window."""
    low, high = np.searchsorted(time, [start, end]).tolist()
    rows = (time[low:high] - start) // timeframe
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
        return slice(int(rows[0]), int(rows[-1]) + 1), slice(low, high)
    return rows, slice(low, high)
