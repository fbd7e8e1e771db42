"""The panel: aligned candles of many symbols on one time grid, and the funding settlements beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from perpfut_lib.calendar import Grid
from perpfut_lib.errors import MissingInputError
from perpfut_lib.types import Bool2D, Float1D, Float2D, Int1D


@dataclass(frozen=True)
class FundingEvents:
    """Funding settlements of one symbol, in time order."""

    time: Int1D
    """Settlement time, (S,), ms UTC."""
    rate: Float1D
    """Rate that a long pays on its mark notional, (S,), fraction."""


@dataclass(frozen=True)
class Panel:
    """Candles on one grid, read-only; NaN stands where a symbol has no bar (before listing, after the end)."""

    open_time: Int1D
    """Open time of each bar, (T,), ms UTC, evenly spaced by ``timeframe``."""
    symbols: tuple[str, ...]
    """Names of the N columns, sorted."""
    timeframe: int
    """Length of a bar, ms."""
    open: Float2D
    """Open prices, (T, N)."""
    high: Float2D
    """High prices, (T, N)."""
    low: Float2D
    """Low prices, (T, N)."""
    close: Float2D
    """Close prices, (T, N)."""
    volume: Float2D
    """Volumes in base units, (T, N)."""
    filled: Bool2D
    """True where a missing bar was forward-filled, (T, N)."""
    funding: Mapping[str, FundingEvents]
    """Settlements by symbol; a symbol without an entry pays no funding."""

    def __post_init__(self) -> None:
        for array in (self.open_time, self.open, self.high, self.low, self.close, self.volume, self.filled):
            array.setflags(write=False)

    def grid(self) -> Grid:
        """Return the bars that the panel covers."""
        return Grid(int(self.open_time[0]), int(self.open_time[-1]) + self.timeframe, self.timeframe)

    def column(self, symbol: str) -> int:
        """Return the column of ``symbol``; :class:`MissingInputError` if the panel does not hold it."""
        if symbol not in self.symbols:
            raise MissingInputError(f"no symbol {symbol}", f"one of {', '.join(self.symbols)}", "check data.symbols")
        return self.symbols.index(symbol)

    def row(self, time: int) -> int:
        """Return the row of the first bar that opens at or after ``time`` (T if there is none)."""
        return int(np.searchsorted(self.open_time, time))

    def rows(self, start: int, end: int) -> Self:
        """Return bars ``start`` to ``end - 1``, without a copy."""
        bars = slice(start, end)
        names = ("open", "high", "low", "close", "volume", "filled")
        parts = {name: getattr(self, name)[bars] for name in names}
        return type(self)(self.open_time[bars], self.symbols, self.timeframe, funding=self.funding, **parts)
