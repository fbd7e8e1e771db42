"""Tables and series from other libraries: through Arrow, or with the index that pandas gives them."""

from typing import Any, Protocol

import numpy.typing as npt
import pandas as pd

from perpfut_lib.errors import IndexMismatchError


class ArrowTable(Protocol):
    """Any table that hands itself over through Arrow's C stream: polars, pyarrow, DuckDB, …."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """Return a capsule of the table's batches."""


def as_frame(table: pd.DataFrame | ArrowTable) -> pd.DataFrame:
    """Return a pandas frame as it is, and any other table through Arrow."""
    if isinstance(table, pd.DataFrame):
        return table
    import pyarrow as pa  # not needed by anyone who brings pandas

    return pa.table(table).to_pandas()


def require_one_index(y: npt.ArrayLike, x: npt.ArrayLike) -> None:
    """Raise :class:`IndexMismatchError` for two pandas series whose indices differ."""
    if not (isinstance(y, pd.Series) and isinstance(x, pd.Series)) or y.index.equals(x.index):
        return
    shared = len(y.index.intersection(x.index))
    found = f"series of {len(y)} and {len(x)} values whose indices share {shared} labels, or in another order"
    raise IndexMismatchError(found, "one index", "align them: y, x = y.align(x, join='inner')")
