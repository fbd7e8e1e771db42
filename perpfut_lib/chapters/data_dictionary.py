"""The data dictionary: what comes in, every table that a run leaves, and what its measures mean."""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from perpfut_lib import pipeline
from perpfut_lib.artifacts import Run, StageFolder
from perpfut_lib.chapters.catalogue import catalogue
from perpfut_lib.chapters.tables import markdown_table
from perpfut_lib.config import Profile, project_root
from perpfut_lib.errors import ChapterError
from perpfut_lib.report.evaluation import MEASURES

SCHEMA: Final = "data/README.md"
MARKS: Final = ("\nCandles:\n", "\n## What is refused\n")
"""Between these lines it describes the columns of input files."""
PARQUET: Final = ".parquet"


def input_columns(profile: Profile, run: Run) -> str:
    """Return the columns of candles and funding, as the description of input files has them.

    Raises
    ------
    ChapterError
        The description has another form than it had.
    """
    text = (project_root() / SCHEMA).read_text(encoding="utf-8")
    _, found, rest = text.partition(MARKS[0])
    told, ends, _ = rest.partition(MARKS[1])
    if not (found and ends):
        raise ChapterError(f"{SCHEMA} without its columns", f"them between {MARKS[0]!r} and {MARKS[1]!r}", "mend MARKS")
    return f"Candles:\n{told}"


def run_tables(profile: Profile, run: Run) -> str:
    """Return every table of a run by stage: how many rows it has, and its columns with their types."""
    names = dict.fromkeys(stage.name for chapter in catalogue() for stage in pipeline.needed(chapter.stage))
    rows = [
        {"table": f"`{stage}/{shown}`", "rows": _rows(parts), "columns": _columns(parts[0])}
        for stage in names
        for shown, parts in _tables(run.stage(stage))
    ]
    return markdown_table(pd.DataFrame(rows))


def measure_names(profile: Profile, run: Run) -> str:
    """Return what each column of ``metrics`` measures, with its unit where tables show it."""
    rows = [
        {"column": f"`{name}`", "measures": title, "in tables": "as it is" if factor == 1 else f"times {factor:g}"}
        for name, (title, factor, _) in MEASURES.items()
    ]
    return markdown_table(pd.DataFrame(rows))


def _tables(folder: StageFolder) -> Iterator[tuple[str, list[pa.parquet.ParquetFile]]]:
    """Yield each table of a stage by the name of its file; the files of one folder are one table in parts."""
    names = sorted(PurePosixPath(name) for name in folder.manifest().outputs if name.endswith(PARQUET))
    parts: dict[str, list[pa.parquet.ParquetFile]] = {}
    for name in names:
        shown = name.name if len(name.parts) == 1 else f"{name.parts[0]}/…"
        parts.setdefault(shown, []).append(pa.parquet.ParquetFile(folder.file(str(name))))
    yield from parts.items()


def _rows(parts: list[pa.parquet.ParquetFile]) -> str:
    return f"{sum(part.metadata.num_rows for part in parts):,}"


def _columns(table: pa.parquet.ParquetFile) -> str:
    return ", ".join(f"`{field.name}` {_type(field.type)}" for field in table.schema_arrow)


def _type(kind: pa.DataType) -> str:
    """Return a column's type in plain words."""
    if pa.types.is_boolean(kind):
        return "yes or no"
    if pa.types.is_integer(kind):
        return "integer"
    return "number" if pa.types.is_floating(kind) else "text"
