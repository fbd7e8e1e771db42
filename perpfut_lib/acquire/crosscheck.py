"""Compare downloaded candles with what the exchange itself says, on a sample and wherever nobody traded."""

import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from perpfut_lib.acquire.exchange import Exchange
from perpfut_lib.types import MINUTE_MS, PRICE_COLUMNS, Int1D

QUIET_MS: Final = 5 * MINUTE_MS
"""So long without a trade is looked up: the archive has dead hours that the exchange never had."""
_VALUES = [*PRICE_COLUMNS, "volume"]


@dataclass(frozen=True)
class CrossCheck:
    """What came of comparing one symbol."""

    bars: pd.DataFrame
    """The candles, with the exchange's own values where they differ."""
    report: pd.DataFrame
    """One row per page compared: ``symbol start`` (ms UTC) ``compared differing`` (bars) ``reason``."""


def cross_check(exchange: Exchange, symbol: str, bars: pd.DataFrame, timeframe: int, pages: int) -> CrossCheck:
    """Compare ``pages`` random pages, and every quiet stretch, with the exchange.

    Parameters
    ----------
    exchange : Exchange
        Asked for candles.
    symbol : str
        Also the seed of the sample, so that the same pages are drawn every time.
    bars : DataFrame
        Candles of the symbol, sorted by time.
    timeframe : int
        Length of a bar, ms.
    pages : int
        Number of random pages.
    """
    time = bars["open_time"].to_numpy()
    rng = np.random.default_rng(zlib.crc32(symbol.encode()))
    starts = [(int(start), "sample") for start in rng.choice(time, size=min(pages, len(time)), replace=False)]
    starts += [(int(start), "no trades") for start in _quiet(bars, timeframe, exchange.wire.candles.rows)]
    values, rows = bars[_VALUES].to_numpy(copy=True), []
    for start, reason in sorted(starts):
        answer = exchange.candles(symbol, timeframe, start).rows
        places = np.searchsorted(time, answer[:, 0])
        known = places < len(time)
        known[known] = time[places[known]] == answer[known, 0]
        differing = (values[places[known]] != answer[known, 1:]).any(axis=1)
        values[places[known]] = answer[known, 1:]
        rows.append((symbol, start, int(known.sum()), int(differing.sum()), reason))
    report = pd.DataFrame(rows, columns=["symbol", "start", "compared", "differing", "reason"])
    return CrossCheck(bars.assign(**{name: values[:, k] for k, name in enumerate(_VALUES)}), report)


def _quiet(bars: pd.DataFrame, timeframe: int, page: int) -> Int1D:
    """Return where the pages start that cover every stretch without trades."""
    quiet = (bars["volume"] == 0).to_numpy()
    edges = np.flatnonzero(np.diff(np.concatenate(([False], quiet, [False])).astype(np.int8)))
    firsts, ends = edges[::2], edges[1::2]
    long = (ends - firsts) * timeframe >= QUIET_MS
    starts = [np.arange(first, end, page) for first, end in zip(firsts[long], ends[long], strict=True)]
    return bars["open_time"].to_numpy()[np.concatenate([*starts, np.zeros(0, np.int64)]).astype(np.int64)]
