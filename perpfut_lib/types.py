"""Array aliases with their shapes, table schemas and units that every room shares.

Conventions: time is ``int64`` milliseconds UTC; a bar is named by its open time and covers
``[open, open + timeframe)``; prices are in quote currency (USDT), volumes in base units, rates and costs are fractions
unless a name ends in ``_bps``.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Float1D = npt.NDArray[np.float64]  # (T,) or (P,)
Float2D = npt.NDArray[np.float64]  # (T, N) unless its docstring says otherwise
Float3D = npt.NDArray[np.float64]  # (E, T, F): episodes, bars, features
Float32 = npt.NDArray[np.float32]  # observations, (P, D)
Int1D = npt.NDArray[np.int64]  # time stamps in ms UTC, or counts
Int2D = npt.NDArray[np.int64]  # (T, N)
Bool1D = npt.NDArray[np.bool_]
Bool2D = npt.NDArray[np.bool_]

Json = Any
"""A value of a JSON document: null, bool, number, string, list or object. Whoever reads it checks its schema."""
JsonObject = dict[str, Json]
"""An object of a JSON document, or one that is about to be written."""

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

PRICE_COLUMNS: Final = ("open", "high", "low", "close")
CANDLE_COLUMNS: Final = ("symbol", "open_time", *PRICE_COLUMNS, "volume")
FUNDING_COLUMNS: Final = ("symbol", "funding_time", "funding_rate")
