"""How others name the same things: columns, symbols, times and files of ccxt, Binance, freqtrade and Hummingbot.

Nothing is guessed from values but the unit of a time, and what was taken for what is noted.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute

from perpfut_lib.acquire.freqtrade import is_funding, symbol_in
from perpfut_lib.errors import SchemaError, TimestampError

ALIASES: Final[Mapping[str, Sequence[str]]] = {
    "symbol": ("symbol", "pair", "ticker", "instrument"),
    "open_time": ("open_time", "timestamp", "date", "datetime", "time", "open time", "opentime"),
    "open": ("open",),
    "high": ("high",),
    "low": ("low",),
    "close": ("close",),
    "volume": ("volume", "vol"),
    "funding_time": ("funding_time", "fundingtime", "calc_time", "timestamp", "date", "datetime", "time"),
    "funding_rate": ("funding_rate", "fundingrate", "last_funding_rate", "rate"),
}
"""Names under which a column is taken, in lower case, the preferred one first."""
KLINES: Final = (
    *("open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count"),
    *("taker_buy_volume", "taker_buy_quote_volume", "ignore"),
)
"""Columns of Binance's candle files, which older ones leave unnamed."""
RATES: Final = ("calc_time", "funding_interval_hours", "last_funding_rate")
"""Columns of Binance's funding files."""
UNITS: Final = {"seconds": 1e-3, "milliseconds": 1.0, "microseconds": 1e3, "nanoseconds": 1e6}
"""Units of a time per millisecond."""
EARLIEST_MS: Final = 1_230_768_000_000  # 2009-01-01: no coin is older
LATEST_MS: Final = 4_102_444_800_000  # 2100-01-01

_UNIFIED: Final = re.compile(r"(?P<base>[A-Za-z0-9]+)[/_-](?P<quote>[A-Z]{3,5})(?:[:_](?P=quote))?")
_FILE_SYMBOLS: Final = (
    re.compile(r"(?P<symbol>[A-Z0-9]{4,20})-(?:\d+[mhdw]|fundingRate)(?:-\d{4}-\d{2}(?:-\d{2})?)?"),  # Binance
    re.compile(r"(?:\w+_)?(?P<symbol>[A-Za-z0-9]+-[A-Z]{3,5})(?:_\d+[mhdw])?"),  # Hummingbot
    re.compile(r"(?P<symbol>[A-Z0-9]+_[A-Z]{3,5}(?:_[A-Z]{3,5})?)(?:[-_]\d+[mhdw])?"),  # ccxt's with safe characters
    re.compile(r"(?P<symbol>[A-Z0-9]{4,20})(?:[-_]\d+[mhdw])?"),
)


class Reading(NamedTuple):
    """How one file is read."""

    columns: Mapping[str, str]
    """The file's column for each of ours that it has."""
    symbol: str | None
    """The symbol that the file's name tells, None where a column does."""


def reading_of(path: Path, names: Sequence[str], wanted: Sequence[str]) -> Reading:
    """Return how a file with the columns ``names`` is read.

    Raises
    ------
    SchemaError
        A wanted column is there under none of its names.
    """
    lower = {name.lower(): name for name in reversed(names)}
    columns = {}
    for name in wanted:
        found = [lower[alias] for alias in ALIASES[name] if alias in lower]
        if found:
            columns[name] = found[0]
    if is_funding(path) and "funding_rate" in wanted and "open" in lower:
        columns["funding_rate"] = lower["open"]
    missing = [name for name in wanted if name not in columns and name != "symbol"]
    if missing:
        lacking = f"{path.name} without column {', '.join(missing)} (it has {', '.join(names)})"
        raise SchemaError(lacking, f"the columns {', '.join(wanted)}", "rename or add the columns: see data/README.md")
    if "symbol" in columns or "symbol" not in wanted:
        return Reading(columns, None)
    symbol = symbol_of_file(path)
    if symbol is None:
        lacking = f"{path.name} without column symbol (it has {', '.join(names)}), nor a symbol in its name"
        raise SchemaError(lacking, "one of both", "add the column, or name a file of one symbol like BTCUSDT.csv")
    return Reading(columns, symbol)


def symbol_of_file(path: Path) -> str | None:
    """Return the symbol in a file's name, as Binance, ccxt, freqtrade and Hummingbot name files."""
    told = symbol_in(path)
    if told is not None:
        return told
    for pattern in _FILE_SYMBOLS:
        match = pattern.fullmatch(path.stem)
        if match is not None:
            return plain_symbol(match["symbol"])
    return None


def plain_symbol(name: str) -> str:
    """Return a symbol as Binance writes it: ``AAAUSDT`` for ccxt's ``AAA/USDT:USDT``, ``AAA-USDT`` and ``AAA_USDT``."""
    match = _UNIFIED.fullmatch(name)
    return match["base"] + match["quote"] if match else name


def milliseconds(column: pa.ChunkedArray, name: str, path: Path) -> tuple["pd.Series[int]", str]:
    """Return times as int64 ms UTC, and what they were taken for.

    Whole or decimal numbers count as seconds, milliseconds, microseconds or nanoseconds, whichever makes all of them
    lie between 2009 and 2099; text is read as ISO 8601; a date-time without a zone is UTC.

    Raises
    ------
    SchemaError
        Neither numbers, date-times, nor text in ISO 8601.
    TimestampError
        No unit fits all of them.
    """
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        zone = kind.tz if pa.types.is_timestamp(kind) else None
        times = column.cast(pa.timestamp("ms", tz=zone), safe=False).cast(pa.int64()).to_pandas()
        return _within(times, name, path), "date-times" + (f" in {zone}" if zone else ", taken as UTC")
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _within(_from_text(column, name, path), name, path), "text, ISO 8601"
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        expected = "numbers, date-times, or text in ISO 8601"
        remedy = "convert it: see data/README.md"
        raise SchemaError(f"{path.name} with column {name} of type {kind}", expected, remedy)
    bounds = pa.compute.min_max(column)
    low, high = float(bounds["min"].as_py()), float(bounds["max"].as_py())
    for unit, per_ms in UNITS.items():
        if low / per_ms >= EARLIEST_MS and high / per_ms < LATEST_MS:
            values = column.to_pandas()
            times = (values * 1000).round() if per_ms < 1.0 else values.astype("int64") // int(per_ms)
            return times.astype("int64"), unit
    return _within(column.cast(pa.float64()).to_pandas(), name, path), ""


def _from_text(column: pa.ChunkedArray, name: str, path: Path) -> "pd.Series[int]":
    try:
        stamps = pd.to_datetime(column.to_pandas(), utc=True, format="ISO8601")
    except (ValueError, TypeError) as error:
        found = f"{path.name} with column {name} as text ({error})"
        raise SchemaError(found, "ISO 8601, such as 2025-01-31T23:59:00Z", "convert it: see data/README.md") from error
    return stamps.dt.as_unit("ms").astype("int64")


def _within(times: "pd.Series[int]", name: str, path: Path) -> "pd.Series[int]":
    outside = (times < EARLIEST_MS) | (times >= LATEST_MS)
    if outside.any():
        found = f"{path.name} with {name} = {times[outside].iloc[0]:.0f} in row {int(outside.to_numpy().argmax())}"
        expected = "milliseconds since 1970, between 2009 and 2099 (or seconds, microseconds, nanoseconds, all alike)"
        raise TimestampError(found, expected, "convert the times")
    return times


def headless(path: Path, first: bytes) -> tuple[str, ...] | None:
    """Return the names of Binance's columns for a csv that begins with a number, None for one with a header row."""
    if not first[:1].isdigit():
        return None
    count = first.split(b"\n", 1)[0].count(b",") + 1
    if count == len(KLINES):
        return KLINES
    if count == len(RATES):
        return RATES
    found = f"{path.name} with {count} columns and no header row"
    raise SchemaError(found, "a header row (only Binance's own files go without)", "add one: see data/README.md")
