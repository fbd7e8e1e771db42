"""The running recursion of every symbol over a block of panel rows, in memory that is used again for the next block."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from perpfut_lib.features.asset import AssetBar, Indicators, asset_dtype
from perpfut_lib.features.asset_scan import CHUNK, scan_fields
from perpfut_lib.features.settlement import KnownFunding, settlements, walk_funding
from perpfut_lib.features.spec import ASSET_COUNT
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import Bool2D, Float1D, Float2D, Float3D, Int1D

CANDLE: Final = AssetBar._fields[:5]
CLOSE: Final = CANDLE.index("close")


class Block(NamedTuple):
    """Panel rows ``first`` to ``stop`` - 1, whose asset quantities are held at once, and the episodes inside."""

    first: int
    stop: int
    episodes: Int1D


class Market(NamedTuple):
    """What a panel holds, as compiled code reads it."""

    candles: tuple[Float2D, ...]
    """Tables (T, N) of the fields of CANDLE."""
    closes: Int1D
    """Time of each bar's close, ms UTC, (T,)."""
    stamps: Int1D
    """Times of all symbols' settlements, ms UTC, one symbol after the other."""
    rates: Float1D
    """Their rates."""
    bounds: Int1D
    """Where the settlements of each symbol begin and end, (N + 1,)."""

    @classmethod
    def of(cls, panel: Panel) -> "Market":
        """Return the tables and settlements of a panel."""
        events = [settlements(panel.funding.get(symbol)) for symbol in panel.symbols]
        stamps, rates = (np.concatenate([event[k] for event in events]) for k in (0, 1))
        bounds = np.cumsum([0, *(len(event[0]) for event in events)])
        candles = tuple(np.ascontiguousarray(getattr(panel, name)).view() for name in CANDLE)
        for table in candles:
            table.flags.writeable = False  # one type for compiled code, whatever the panel is made of
        return cls(candles, panel.open_time + panel.timeframe, stamps, rates, bounds)


class ScanResult(NamedTuple):
    """What all symbols said over a block."""

    said: Float3D
    """(N, fields of AssetQuantities, rows of the block)."""
    first: int
    """Panel row of its first column."""
    logs: Float2D
    """Log closes of the panel's rows as far as they have been stepped through, (N, T)."""


class SymbolScan:
    """Steps all symbols from the panel's first bar on, block by block."""

    def __init__(self, indicators: Indicators, panel: Panel, wanted: Bool2D, longest: int) -> None:
        """Start before the first bar; ``wanted`` (N, T) marks the rows used, ``longest`` is a block's length."""
        self._indicators, self._market, self._wanted = indicators, Market.of(panel), wanted
        self._used = np.flatnonzero(wanted.any(axis=1))
        self._states = np.zeros(len(panel.symbols), asset_dtype(indicators))
        self._said: Float3D = np.empty((len(panel.symbols), ASSET_COUNT, longest))
        self._first = self._done = 0
        self.logs: Float2D = np.empty((len(panel.symbols), len(panel.open_time)))
        """Log closes of the rows stepped through, (N, T)."""

    def advance(self, block: Block, pool: ThreadPoolExecutor, threads: int = 1) -> None:
        """Step every symbol that is used to the end of ``block``, in as many calls side by side as ``threads``."""
        kept = max(self._done - block.first, 0)
        shift, longest = block.first - self._first, self._said.shape[2]
        for column in self._used:
            self._said[column, :, :kept] = self._said[column, :, shift : shift + kept].copy()
        self._first = block.first
        for bound in (block.first, block.stop):
            while self._done < bound:
                stop = min(self._done + longest, bound)
                self._walk((self._done, stop), pool, threads)
                self._done = stop

    def scan_result(self) -> ScanResult:
        """Return what the symbols said over the rows of the block."""
        return ScanResult(self._said, self._first, self.logs)

    def _walk(self, rows: tuple[int, int], pool: ThreadPoolExecutor, threads: int) -> None:
        """Step over rows that lie all before the block, or all inside, at most as many as a block has."""
        place = max(rows[0] - self._first, 0)  # rows before the block are wanted by nobody, and not written

        def scan(columns: Int1D) -> None:
            scan_result = (self._wanted, (self._said, place), self.logs)
            scan_symbols(self._indicators, self._states, self._market, (columns, rows), scan_result)

        list(pool.map(scan, np.array_split(self._used, threads)))


@njit(cache=True, error_model="numpy", nogil=True)
def scan_symbols(
    indicators: Indicators,
    states: Any,
    market: Market,
    what: tuple[Int1D, tuple[int, int]],
    scan_result: tuple[Bool2D, tuple[Float3D, int], Float2D],
) -> None:
    """Step the ``states`` (N,) of some symbols in place through some rows of the market.

    ``what`` are the symbols' columns and the rows; ``scan_result`` are the rows wanted (N, T), the table of quantities
    (N, fields of AssetQuantities, ≥ rows) with the column of the first row in it, and the log closes (N, T).
    """
    (columns, (start, stop)), (wanted, (said, place), logs) = what, scan_result
    # Not rows of one table: contiguous arrays are what a single bar is given as, so one compilation serves both.
    bars = (
        np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK),
        np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK),
    )  # fmt: skip
    # Chunk by chunk, so that what the symbols' columns share of a panel's memory is read into the caches once.
    for first in range(start, stop, CHUNK):
        last = min(first + CHUNK, stop)
        n = last - first
        fields = (
            bars[0][:n], bars[1][:n], bars[2][:n], bars[3][:n],
            bars[4][:n], bars[5][:n], bars[6][:n], bars[7][:n],
        )  # fmt: skip
        known = KnownFunding(fields[5], fields[6], fields[7])
        for column in columns:
            described = wanted[column, first:last].any()
            for field, table in enumerate(market.candles):
                if described or field >= CLOSE:  # the recursion itself asks for closes and volumes only
                    for t in range(first, last):
                        fields[field][t - first] = table[t, column]
            if described:
                events = slice(market.bounds[column], market.bounds[column + 1])
                walk_funding(market.stamps[events], market.rates[events], market.closes[first:last], known)
            where = (said[column], place + first - start)
            scan_fields(indicators, states[column], fields, wanted[column, first:last], where, logs[column, first:last])


def wanted_rows(columns: npt.NDArray[np.int64], firsts: Int1D, length: int, shape: tuple[int, int]) -> Bool2D:
    """Return which rows of which symbols (N, T) belong to an episode; ``columns`` (E, 2) are the episodes' legs."""
    wanted = np.zeros(shape, bool)
    for legs, first in zip(columns, firsts, strict=True):
        wanted[legs, first : first + length] = True
    return wanted
