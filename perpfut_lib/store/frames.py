"""Tables from other libraries, through Arrow."""

from typing import Any, Protocol

import pandas as pd
import pyarrow as pa


class ArrowTable(Protocol):
    """Any table that hands itself over through Arrow's C stream: polars, pyarrow, DuckDB, …."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """Return a capsule of the table's batches."""


def as_frame(table: pd.DataFrame | ArrowTable) -> pd.DataFrame:
    """Return a pandas frame as it is, and any other table through Arrow."""
    return table if isinstance(table, pd.DataFrame) else pa.table(table).to_pandas()
