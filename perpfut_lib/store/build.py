"""From candles on disk to the panel: one grid, missing bars forward-filled with a mask, never silently."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from perpfut_lib.acquire.partitions import read_candles, read_funding
from perpfut_lib.progress import track
from perpfut_lib.store.panel import FundingEvents, Panel
from perpfut_lib.types import PRICE_COLUMNS, Bool2D, Float2D

FIELDS: Final = (*PRICE_COLUMNS, "volume")


def build_panel(root: Path, symbols: Sequence[str], start: int, end: int, timeframe: int) -> Panel:
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

    Returns
    -------
    Panel
        A bar missing between two bars of its symbol repeats the previous close with zero volume and is marked in
        ``filled``; before the first and after the last bar of a symbol everything is NaN.
    """
    names = tuple(sorted(symbols))
    open_time = np.arange(start, end, timeframe, dtype=np.int64)
    shape = (len(names), len(open_time))  # a symbol's bars lie together while they are read; views are transposed
    values = {field: np.full(shape, np.nan) for field in FIELDS}
    filled = np.zeros(shape, dtype=np.bool_)
    funding = {}
    for column, symbol in enumerate(track(names, label="Building the panel", unit="symbol")):
        bars = read_candles(root, symbol)
        rows, inside = _rows(bars, start, end, timeframe)
        for field in FIELDS:
            values[field][column, rows] = bars[field].to_numpy()[inside]
        fill_forward({field: values[field][column] for field in FIELDS}, filled[column])
        settlements = read_funding(root, symbol)
        if settlements is not None:
            rates = settlements["funding_rate"].to_numpy()
            funding[symbol] = FundingEvents(settlements["funding_time"].to_numpy(), rates)
    columns = {field: np.ascontiguousarray(values.pop(field).T) for field in FIELDS}
    return Panel(open_time, names, timeframe, filled=np.ascontiguousarray(filled.T), funding=funding, **columns)


def fill_forward(values: dict[str, Float2D], filled: Bool2D) -> None:
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


def _rows(bars: pd.DataFrame, start: int, end: int, timeframe: int) -> tuple[np.ndarray, slice]:
    """Return the panel's rows of a symbol's bars, and the slice of the bars that lie inside the window."""
    time = bars["open_time"].to_numpy()
    low, high = np.searchsorted(time, [start, end])
    return (time[low:high] - start) // timeframe, slice(low, high)
