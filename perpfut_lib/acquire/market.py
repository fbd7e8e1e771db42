"""What every source hands over: candles and funding by symbol, checked, sorted by time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from perpfut_lib.types import CANDLE_COLUMNS, FUNDING_COLUMNS, Json

BAR_COLUMNS: Final = CANDLE_COLUMNS[1:]  # one symbol's table: the symbol is the key it is found under
SETTLEMENT_COLUMNS: Final = (*FUNDING_COLUMNS[1:], "jitter_ms")


@dataclass(frozen=True)
class Market:
    """Candles and funding rates as a source delivered them, each symbol's table checked and sorted by time."""

    candles: Mapping[str, pd.DataFrame]
    """Bars by symbol: ``open_time`` (int64, ms UTC), ``open high low close volume`` (float64, no NaN)."""
    funding: Mapping[str, pd.DataFrame] | None
    """Settlements by symbol: ``funding_time`` (int64, ms UTC, whole minutes), ``funding_rate`` (float64, fraction),
    ``jitter_ms`` (int64, what rounding down took off). None where no funding is paid on purpose."""
    truth: Mapping[str, Json] | None = None
    """What a simulated market knows about itself; None for recorded ones."""
    instruments: pd.DataFrame | None = None
    """Trading rules, one row per symbol, where the source tells them; see :mod:`perpfut_lib.acquire.online`."""
    cross_check: pd.DataFrame | None = None
    """How an archive compares with the exchange; see :func:`perpfut_lib.acquire.crosscheck.cross_check`."""
    notes: tuple[str, ...] = ()
    """What was taken for what in each input file: the time's column and unit, the symbol in its name."""
