"""Recorded candles and funding rates in parquet, feather or csv; the schema is documented in ``data/README.md``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet

from perpfut_lib.acquire.checks import by_symbol, check_bars, check_settlements
from perpfut_lib.acquire.freqtrade import from_freqtrade, is_wanted
from perpfut_lib.acquire.market import Market
from perpfut_lib.config import DataConfig, format_duration, project_root
from perpfut_lib.errors import MissingInputError, SchemaError, TimestampError
from perpfut_lib.types import CANDLE_COLUMNS, FUNDING_COLUMNS

SUFFIXES: Final = (".parquet", ".feather", ".csv")
_TIMES: Final = ("open_time", "funding_time")
_EARLIEST_MS: Final = 1_230_768_000_000  # 2009-01-01: no coin is older, and seconds or days fall far below it
_LATEST_MS: Final = 4_102_444_800_000  # 2100-01-01: microseconds and nanoseconds lie far above it


def input_paths(config: DataConfig) -> dict[str, Path]:
    """Return the input files by role (``candles 0``, ``funding 0``, …), resolved against the project's root.

    A folder stands for the files in it.

    Raises
    ------
    MissingInputError
        A file does not exist, or a folder holds none of a known ending.
    """
    length = "any" if config.timeframe == "auto" else format_duration(config.timeframe)
    candles = [file for path in config.candle_files() for file in _files(path, "data.files", length)]
    funding = _files(config.funding, "data.funding", None) if isinstance(config.funding, Path) else []
    roles = {f"candles {number}": path for number, path in enumerate(candles)}
    return roles | {f"funding {number}": path for number, path in enumerate(funding)}


def _files(path: Path, key: str, timeframe: str | None) -> list[Path]:
    path = project_root() / path.expanduser()
    if path.is_dir():
        inside = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES and is_wanted(file, timeframe))
        if not inside:
            raise MissingInputError(f"no file in {path}", f"files ending in {', '.join(SUFFIXES)}", f"check {key}")
        return inside
    if not path.is_file():
        raise MissingInputError(f"no file {path}", f"the file or folder that {key} names", f"check {key}")
    return [path]


def read_files(config: DataConfig) -> Market:
    """Read and check the recorded candles and funding rates that ``config`` names.

    Raises
    ------
    MissingInputError, SchemaError, TimestampError, PriceError, DuplicateBarError, FundingError
        Each names the file or the symbol, the time and what was expected instead.
    """
    paths = input_paths(config)
    tables = [read_table(path, CANDLE_COLUMNS) for role, path in paths.items() if role.startswith("candles")]
    candles = {symbol: check_bars(symbol, bars) for symbol, bars in by_symbol(tables, "open_time").items()}
    rates = [read_table(path, FUNDING_COLUMNS) for role, path in paths.items() if role.startswith("funding")]
    if not rates:
        return Market(candles, None)
    settlements = by_symbol(rates, "funding_time")
    return Market(candles, {symbol: check_settlements(symbol, table) for symbol, table in settlements.items()})


def read_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read ``columns`` of one file; any other column is ignored.

    Parameters
    ----------
    path : Path
        A ``.parquet``, ``.feather`` or ``.csv`` file (csv with a header row).
    columns : sequence of str
        Candle or funding columns.

    Returns
    -------
    DataFrame
        ``symbol`` categorical, times int64 ms UTC (date-time columns are converted, without a zone they count as
        UTC), the rest float64 (nulls become NaN).

    Raises
    ------
    SchemaError
        The file cannot be read, is empty, lacks a column, or a column has the wrong type or a null name or time.
    TimestampError
        A time lies outside 2009-2099: probably not milliseconds.
    """
    table = _load(path, columns)
    if table.num_rows == 0:
        raise SchemaError(f"{path.name} without rows", "at least one row", "check how the file was made")
    return pd.DataFrame({name: _column(table.column(name), name, path) for name in columns})


def _load(path: Path, columns: Sequence[str]) -> pa.Table:
    """Return the named columns as an Arrow table."""
    try:
        if path.suffix == ".parquet":
            names = pa.parquet.read_schema(path).names
            _require_columns(path, names, columns)
            return pa.parquet.read_table(path, columns=list(columns))
        if path.suffix == ".feather":
            table = from_freqtrade(path, pa.feather.read_table(path))
        elif path.suffix == ".csv":
            table = pa.csv.read_csv(path)
        else:
            raise SchemaError(f"{path.name}", f"a name ending in {', '.join(SUFFIXES)}", "convert the file")
    except (pa.ArrowInvalid, pa.ArrowTypeError, OSError) as error:
        found = f"{path.name} that cannot be read ({error})"
        raise SchemaError(found, f"a valid {path.suffix[1:]} file", "make the file again") from error
    _require_columns(path, table.column_names, columns)
    return table.select(list(columns))


def _require_columns(path: Path, names: Sequence[str], columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in names]
    if missing:
        found = f"{path.name} without column {', '.join(missing)} (it has {', '.join(names)})"
        raise SchemaError(found, f"the columns {', '.join(columns)}", "rename or add the columns: see data/README.md")


def _column(column: pa.ChunkedArray, name: str, path: Path) -> pd.Series:
    """Convert one column to the type of the schema."""
    if name == "symbol":
        return _symbols(column, path)
    if name in _TIMES:
        return _times(column, name, path)
    kind = column.type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
        raise _wrong_type(path, name, kind, "numbers (float64)")
    return column.cast(pa.float64()).to_pandas()


def _symbols(column: pa.ChunkedArray, path: Path) -> pd.Series:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise _wrong_type(path, "symbol", column.type, "text")
    names = column.to_pandas().astype("category")
    if names.isna().any() or "" in names.cat.categories:
        row = int((names.isna() | (names == "")).to_numpy().argmax())
        raise SchemaError(f"{path.name} with no symbol in row {row}", "a symbol in every row", "fill or drop the row")
    return names.cat.remove_unused_categories()


def _times(column: pa.ChunkedArray, name: str, path: Path) -> pd.Series:
    if column.null_count:
        row = int(column.is_null().to_numpy().argmax())
        raise SchemaError(f"{path.name} with no {name} in row {row}", "a time in every row", "fill or drop the row")
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ms", tz=column.type.tz), safe=False)
    elif not pa.types.is_integer(column.type):
        raise _wrong_type(path, name, column.type, "int64 milliseconds UTC, or date-times")
    times = column.cast(pa.int64()).to_pandas()
    outside = (times < _EARLIEST_MS) | (times >= _LATEST_MS)
    if outside.any():
        found = f"{path.name} with {name} = {times[outside].iloc[0]} in row {int(outside.to_numpy().argmax())}"
        raise TimestampError(found, "milliseconds since 1970, between 2009 and 2099", "convert the times")
    return times


def _wrong_type(path: Path, name: str, kind: pa.DataType, expected: str) -> SchemaError:
    return SchemaError(f"{path.name} with column {name} of type {kind}", expected, "convert it: see data/README.md")
