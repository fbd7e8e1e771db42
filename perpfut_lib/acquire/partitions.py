"""Candles and settlements on disk: one parquet file a symbol and month, one file of settlements a symbol.

``candles/<symbol>/<YYYY-MM>.parquet`` and ``funding/<symbol>.parquet``. Symbols are percent-encoded where a file
system would object. Equal tables give equal bytes.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from perpfut_lib.acquire.market import BAR_COLUMNS, SETTLEMENT_COLUMNS
from perpfut_lib.errors import MissingInputError

CANDLES = "candles"
FUNDING = "funding"


def write_candles(root: Path, symbol: str, bars: pd.DataFrame) -> None:
    """Write one symbol's bars (``BAR_COLUMNS``, sorted) into monthly files under ``root``."""
    folder = root / CANDLES / quote(symbol, safe="")
    folder.mkdir(parents=True, exist_ok=True)
    months = bars["open_time"].to_numpy().astype("datetime64[ms]").astype("datetime64[M]")
    edges = np.flatnonzero(np.concatenate(([True], months[1:] != months[:-1], [True])))
    for first, end in pairwise(edges):
        part = bars.iloc[first:end].loc[:, list(BAR_COLUMNS)]
        part.to_parquet(folder / f"{months[first]}.parquet", compression="zstd", index=False)


def read_candles(root: Path, symbol: str) -> pd.DataFrame:
    """Read one symbol's bars back, sorted by time."""
    return pd.concat([table.to_pandas() for table in candle_months(root, symbol)], ignore_index=True)


def candle_months(root: Path, symbol: str, start: int | None = None, end: int | None = None) -> Iterator[pa.Table]:
    """Yield one symbol's bars month by month as Arrow tables, whose columns become numpy arrays without a copy.

    With ``start`` and ``end`` (ms UTC) only the months are read that have a part in [start, end).
    """
    files = sorted((root / CANDLES / quote(symbol, safe="")).glob("*.parquet"))
    if not files:
        raise MissingInputError(f"no candles of {symbol} in {root}", "one file per month", "run the acquisition again")
    first = "" if start is None else str(np.datetime64(start, "ms").astype("datetime64[M]"))
    last = "9999" if end is None else str(np.datetime64(end - 1, "ms").astype("datetime64[M]"))
    for file in files:
        if not first <= file.stem <= last:
            continue
        yield pa.parquet.ParquetFile(file).read(use_threads=False)


def candle_symbols(root: Path) -> tuple[str, ...]:
    """Return the symbols that have candles under ``root``, sorted."""
    return tuple(sorted(unquote(folder.name) for folder in (root / CANDLES).glob("*") if folder.is_dir()))


def write_funding(root: Path, symbol: str, settlements: pd.DataFrame) -> None:
    """Write one symbol's settlements (``SETTLEMENT_COLUMNS``, sorted) under ``root``."""
    (root / FUNDING).mkdir(parents=True, exist_ok=True)
    path = root / FUNDING / f"{quote(symbol, safe='')}.parquet"
    settlements.loc[:, list(SETTLEMENT_COLUMNS)].to_parquet(path, compression="zstd", index=False)


def read_funding(root: Path, symbol: str) -> pd.DataFrame | None:
    """Read one symbol's settlements back, or None where it has none."""
    path = root / FUNDING / f"{quote(symbol, safe='')}.parquet"
    return pd.read_parquet(path) if path.is_file() else None
