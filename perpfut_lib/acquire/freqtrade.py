"""Feather files as freqtrade keeps them: one file per pair, what it holds is in its name.

``XRP_USDT_USDT-1h-futures.feather`` holds candles of XRPUSDT, ``XRP_USDT_USDT-8h-funding_rate.feather`` its funding
rates (in the column ``open``); the symbol becomes Binance's name. Mark-price files are left aside.
"""

import re
from pathlib import Path
from typing import Final

import pyarrow as pa

from perpfut_lib.types import CANDLE_COLUMNS, PRICE_COLUMNS

_NAME: Final = re.compile(
    r"(?P<base>\w+?)_(?P<quote>[A-Z]+)(?:_[A-Z]+)?-(?P<length>\d+[mhdw])(?:-(?P<kind>futures|mark|funding_rate))?"
)
_COLUMNS: Final = ("date", *PRICE_COLUMNS, "volume")


def symbol_in(path: Path) -> str | None:
    """Return the symbol that a freqtrade file's name tells, None for any other name."""
    match = _NAME.fullmatch(path.stem)
    return match["base"] + match["quote"] if match and path.suffix == ".feather" else None


def is_wanted(path: Path, timeframe: str | None) -> bool:
    """Return whether a file of a folder holds what is looked for; a file that is not freqtrade's always does.

    Parameters
    ----------
    path : Path
        The file.
    timeframe : str or None
        Length of the candles looked for, ``any`` for any length; None for funding rates.
    """
    match = _NAME.fullmatch(path.stem)
    if match is None or path.suffix != ".feather":
        return True
    if timeframe is None:
        return match["kind"] == "funding_rate"
    return match["kind"] in (None, "futures") and timeframe in ("any", match["length"])


def from_freqtrade(path: Path, table: pa.Table) -> pa.Table:
    """Return a freqtrade table under our column names; any other table unchanged."""
    symbol = symbol_in(path)
    if symbol is None or "symbol" in table.column_names or "date" not in table.column_names:
        return table
    names = pa.array([symbol] * len(table)).dictionary_encode()
    if path.stem.endswith("-funding_rate"):
        columns = {"symbol": names, "funding_time": table.column("date"), "funding_rate": table.column("open")}
        return pa.table(columns)
    present = [name for name in _COLUMNS if name in table.column_names]
    renamed = dict(zip(_COLUMNS, CANDLE_COLUMNS[1:], strict=True))
    return pa.table({"symbol": names, **{renamed[name]: table.column(name) for name in present}})
