"""Recorded candles and funding rates in parquet, feather or csv, zipped or not; the schema is in ``data/README.md``."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet

from perpfut_lib.acquire.checks import by_symbol, check_bars, check_settlements
from perpfut_lib.acquire.dialects import Reading, headless, milliseconds, plain_symbol, reading_of
from perpfut_lib.acquire.freqtrade import is_wanted
from perpfut_lib.acquire.market import Market
from perpfut_lib.config import DataConfig, format_duration, project_root
from perpfut_lib.errors import MissingInputError, SchemaError
from perpfut_lib.types import CANDLE_COLUMNS, FUNDING_COLUMNS

SUFFIXES: Final = (".parquet", ".feather", ".csv", ".zip")
_TIMES: Final = ("open_time", "funding_time")


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
    grouped = by_symbol([table for table, _ in tables], "open_time")
    candles = {symbol: check_bars(symbol, bars) for symbol, bars in grouped.items()}
    rates = [read_table(path, FUNDING_COLUMNS) for role, path in paths.items() if role.startswith("funding")]
    notes = tuple(note for _, note in (*tables, *rates))
    if not rates:
        return Market(candles, None, notes=notes)
    settlements = by_symbol([table for table, _ in rates], "funding_time")
    funding = {symbol: check_settlements(symbol, table) for symbol, table in settlements.items()}
    return Market(candles, funding, notes=notes)


def read_table(path: Path, columns: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """Read ``columns`` of one file; any other column is ignored.

    Parameters
    ----------
    path : Path
        A ``.parquet``, ``.feather`` or ``.csv`` file, or a ``.zip`` with one csv; columns, symbols and times under any
        of the names in :mod:`perpfut_lib.acquire.dialects`.
    columns : sequence of str
        Candle or funding columns.

    Returns
    -------
    table : DataFrame
        ``symbol`` categorical, times int64 ms UTC, the rest float64 (nulls become NaN).
    note : str
        What was taken for what.

    Raises
    ------
    SchemaError
        The file cannot be read, is empty, lacks a column, or a column has the wrong type or a null name or time.
    TimestampError
        A time lies outside 2009-2099 in every unit.
    """
    table, reading = _load(path, columns)
    if table.num_rows == 0:
        raise SchemaError(f"{path.name} without rows", "at least one row", "check how the file was made")
    frame, notes = {}, []
    for name in columns:
        if name in _TIMES:
            frame[name], unit = _times(table.column(reading.columns[name]), name, path)
            notes.append(f"{reading.columns[name]} as {name}, {unit}")
        elif name == "symbol" and reading.symbol is not None:
            frame[name] = pd.Series([reading.symbol] * table.num_rows, dtype="category")
            notes.append(f"symbol {reading.symbol} from the file's name")
        else:
            frame[name] = _column(table.column(reading.columns[name]), name, path)
    return pd.DataFrame(frame), f"{path.name}: {'; '.join(notes)}"


def _load(path: Path, columns: Sequence[str]) -> tuple[pa.Table, Reading]:
    """Return the file as an Arrow table, as far as it is wanted, and how it is read."""
    try:
        if path.suffix == ".parquet":
            reading = reading_of(path, pa.parquet.read_schema(path).names, columns)
            return pa.parquet.read_table(path, columns=list(dict.fromkeys(reading.columns.values()))), reading
        if path.suffix == ".feather":
            table = pa.feather.read_table(path)
        elif path.suffix in (".csv", ".zip"):
            table = _csv(path)
        else:
            raise SchemaError(f"{path.name}", f"a name ending in {', '.join(SUFFIXES)}", "convert the file")
    except (pa.ArrowInvalid, pa.ArrowTypeError, OSError, zipfile.BadZipFile) as error:
        found = f"{path.name} that cannot be read ({error})"
        raise SchemaError(found, f"a valid {path.suffix[1:]} file", "make the file again") from error
    return table, reading_of(path, table.column_names, columns)


def _csv(path: Path) -> pa.Table:
    """Read a csv, or the one in a zip; Binance's older files have no header row."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as packed:
            members = packed.namelist()
            if len(members) != 1:
                raise SchemaError(f"{path.name} with {len(members)} files", "one csv", "unpack it")
            content = packed.read(members[0])
    else:
        content = path.read_bytes()
    names = headless(path, content[:1000])
    options = pa.csv.ReadOptions(column_names=names) if names else None
    return pa.csv.read_csv(pa.BufferReader(content), options)


def _column(column: pa.ChunkedArray, name: str, path: Path) -> pd.Series:
    """Convert one column to the type of the schema."""
    if name == "symbol":
        return _symbols(column, path)
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
    names = names.cat.remove_unused_categories()
    plain = {name: plain_symbol(name) for name in names.cat.categories}
    same = all(name == told for name, told in plain.items())
    return names if same else names.astype(object).map(plain).astype("category")


def _times(column: pa.ChunkedArray, name: str, path: Path) -> "tuple[pd.Series[int], str]":
    if column.null_count:
        row = int(column.is_null().to_numpy().argmax())
        raise SchemaError(f"{path.name} with no {name} in row {row}", "a time in every row", "fill or drop the row")
    return milliseconds(column, name, path)


def _wrong_type(path: Path, name: str, kind: pa.DataType, expected: str) -> SchemaError:
    return SchemaError(f"{path.name} with column {name} of type {kind}", expected, "convert it: see data/README.md")
