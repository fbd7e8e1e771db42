"""The running recursion of every symbol over a block of panel rows, in memory that is used again for the next block."""

from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from perpfut_lib.features.asset import AssetBar, Indicators, asset_dtype
from perpfut_lib.features.asset_scan import scan_fields
from perpfut_lib.features.settlement import known_funding
from perpfut_lib.features.spec import ASSET_COUNT
from perpfut_lib.indicators import blank
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import Bool2D, Float2D, Float3D, Int1D

CANDLE: Final = AssetBar._fields[:5]


class Block(NamedTuple):
    """Panel rows ``first`` to ``stop`` - 1, whose asset quantities are held at once, and the episodes inside."""

    first: int
    stop: int
    episodes: Int1D


class SymbolScan:
    """Steps all symbols from the panel's first bar on, block by block."""

    def __init__(self, indicators: Indicators, panel: Panel, wanted: Bool2D, longest: int) -> None:
        """Start before the first bar; ``wanted`` (N, T) marks the rows used, ``longest`` is a block's length."""
        self._indicators, self._panel, self._wanted = indicators, panel, wanted
        self._used = np.flatnonzero(wanted.any(axis=1))
        self._states = [blank(asset_dtype(indicators)) for _ in panel.symbols]
        self._said: Float3D = np.empty((len(panel.symbols), ASSET_COUNT, longest))
        self._candles: Float3D = np.empty((len(CANDLE), len(panel.symbols), longest))
        self._first = self._done = 0
        self.logs: Float2D = np.empty((len(panel.symbols), len(panel.open_time)))
        """Log closes of the rows stepped through, (N, T)."""

    def advance(self, block: Block, pool: ThreadPoolExecutor) -> None:
        """Step every symbol that is used to the end of ``block``."""
        kept = max(self._done - block.first, 0)
        shift, longest = block.first - self._first, self._said.shape[2]
        for column in self._used:
            self._said[column, :, :kept] = self._said[column, :, shift : shift + kept].copy()
        self._first = block.first
        for bound in (block.first, block.stop):
            while self._done < bound:
                stop = min(self._done + longest, bound)
                self._walk(slice(self._done, stop), pool)
                self._done = stop

    def said(self, column: int, first: int, count: int) -> Float2D:
        """Return what one symbol said over ``count`` rows of the block, (fields of AssetQuantities, count)."""
        return self._said[column, :, first - self._first :][:, :count]

    def _walk(self, rows: slice, pool: ThreadPoolExecutor) -> None:
        """Step over rows that lie all before the block, or all inside, at most as many as a block has."""
        panel, candles = self._panel, self._candles[:, :, : rows.stop - rows.start]
        # One transposition for all symbols: a column of the panel alone would touch every line of its memory.
        for table, name in zip(candles, CANDLE, strict=True):
            table[:] = getattr(panel, name)[rows].T
        times = panel.open_time[rows] + panel.timeframe
        place = max(rows.start - self._first, 0)  # rows before the block are wanted by nobody, and not written

        def scan(column: int) -> None:
            funding = known_funding(panel.funding.get(panel.symbols[column]), times)
            fields = (*(table[column] for table in candles), *funding)
            heard = (self._wanted[column, rows], (self._said[column], place), self.logs[column, rows])
            scan_fields(self._indicators, self._states[column], fields, *heard)

        list(pool.map(scan, self._used))


def wanted_rows(columns: npt.NDArray[np.int64], firsts: Int1D, length: int, shape: tuple[int, int]) -> Bool2D:
    """Return which rows of which symbols (N, T) belong to an episode; ``columns`` (E, 2) are the episodes' legs."""
    wanted = np.zeros(shape, bool)
    for legs, first in zip(columns, firsts, strict=True):
        wanted[legs, first : first + length] = True
    return wanted
