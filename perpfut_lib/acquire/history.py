"""Downloads kept for good: append-only, whole after a kill at any moment, the same bytes however they came about.

A series of one symbol is kept in units (a month of candles, a year of funding). While a unit is incomplete it is a
*journal* ``<unit>.journal``: fixed-size records that are only ever appended and flushed page by page, so a kill loses
at most the page in flight, and a torn last record is cut off. A complete unit becomes ``<unit>.parquet``, written
atomically, then entered in ``manifest.json`` with its SHA-256, and only then is its journal removed. A kill between
two of these steps leaves something that the next run finishes, and no step depends on where pages began or ended.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

import numpy as np
import numpy.typing as npt
import pandas as pd

from perpfut_lib.acquire.market import BAR_COLUMNS
from perpfut_lib.artifacts import file_sha256, read_json, write_bytes, write_json
from perpfut_lib.errors import ArtifactError
from perpfut_lib.types import FUNDING_COLUMNS, Float2D, JsonObject

MANIFEST: Final = "manifest.json"
SCHEMA_VERSION: Final = 1


@dataclass(frozen=True)
class Series:
    """One kind of history: its columns, time first, and the length of a unit."""

    name: str
    columns: tuple[str, ...]
    unit: str
    """``M`` for months, ``Y`` for years: a page of funding rates spans most of a year."""

    def records(self, rows: int = 0) -> npt.NDArray[np.void]:
        """Return journal records, all zero: an int64 time and float64 values each."""
        kinds = ["<i8", *["<f8"] * (len(self.columns) - 1)]
        return np.zeros(rows, dtype=list(zip(self.columns, kinds, strict=True)))


CANDLES: Final = Series("candles", BAR_COLUMNS, "M")
MARK: Final = Series("mark", BAR_COLUMNS, "M")
FUNDING: Final = Series("funding", FUNDING_COLUMNS[1:], "Y")


@dataclass(frozen=True)
class Unit:
    """A month or a year: [start, end) in ms UTC."""

    label: str
    start: int
    end: int


def units(series: Series, start: int, end: int) -> list[Unit]:
    """Return the units that hold [``start``, ``end``), the first and the last one whole."""
    kind = f"datetime64[{series.unit}]"
    first = np.datetime64(start, "ms").astype(kind)
    last = np.datetime64(end - 1, "ms").astype(kind)
    edges = np.arange(first, last + 2).astype("datetime64[ms]").astype(np.int64).tolist()
    labels = np.arange(first, last + 1).astype(str)
    return [Unit(str(label), edges[k], edges[k + 1]) for k, label in enumerate(labels)]


class History:
    """The downloads of one exchange and timeframe under ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder: two downloads into it at once would double records.

        Raises
        ------
        ArtifactError
            Another process holds it.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                found = f"another download at work in {self.root}"
                raise ArtifactError(found, "one at a time", "wait for it, or stop it") from error
            yield

    def is_complete(self, series: Series, symbol: str, unit: Unit) -> bool:
        """Return whether a unit is entered in the manifest."""
        return unit.label in self.manifest(series, symbol)

    def manifest(self, series: Series, symbol: str) -> JsonObject:
        """Return ``rows first last sha256`` (and what else was noted) by unit."""
        path = self._folder(series, symbol) / MANIFEST
        return dict(read_json(path)["units"]) if path.is_file() else {}

    def journal(self, series: Series, symbol: str, unit: Unit) -> "Journal":
        """Open a unit's journal to go on where it stopped."""
        return Journal(self._folder(series, symbol) / f"{unit.label}.journal", series)

    def commit(
        self, series: Series, symbol: str, unit: Unit, rows: pd.DataFrame, note: JsonObject | None = None
    ) -> None:
        """Make a unit complete with these rows, and drop its journal.

        Parameters
        ----------
        rows : DataFrame
            The series' columns, sorted; may be empty where the symbol was not listed.
        note : dict, optional
            Further entries of the manifest, such as where the rows came from.
        """
        folder = self._folder(series, symbol)
        path, entry = folder / f"{unit.label}.parquet", dict(note or {})
        entry |= {"rows": len(rows)}
        if len(rows):
            buffer = BytesIO()
            rows.to_parquet(buffer, compression="zstd", index=False)
            write_bytes(path, buffer.getvalue())
            time = rows[series.columns[0]]
            entry |= {"first": int(time.iloc[0]), "last": int(time.iloc[-1]), "sha256": file_sha256(path)}
        done = self.manifest(series, symbol) | {unit.label: entry}
        write_json(folder / MANIFEST, {"schema_version": SCHEMA_VERSION, "units": done})
        (folder / f"{unit.label}.journal").unlink(missing_ok=True)

    def tidy(self, series: Series, symbol: str) -> None:
        """Remove journals of complete units, which a kill right after the manifest was written leaves behind."""
        for label in self.manifest(series, symbol):
            (self._folder(series, symbol) / f"{label}.journal").unlink(missing_ok=True)

    def symbols(self, series: Series) -> tuple[str, ...]:
        """Return the symbols of which something is held, sorted."""
        return tuple(sorted(unquote(folder.name) for folder in (self.root / series.name).glob("*") if folder.is_dir()))

    def span(self, series: Series, symbol: str) -> tuple[int, int] | None:
        """Return the first and the last time held, None if there is none."""
        held = [(entry["first"], entry["last"]) for entry in self.manifest(series, symbol).values() if entry["rows"]]
        for path in self._folder(series, symbol).glob("*.journal"):
            times = Journal(path, series).table()[series.columns[0]]
            held += [(int(times.iloc[0]), int(times.iloc[-1]))] if len(times) else []
        return (min(first for first, _ in held), max(last for _, last in held)) if held else None

    def read(self, series: Series, symbol: str, start: int, end: int) -> pd.DataFrame:
        """Return what is held of [``start``, ``end``), complete or not, sorted by time.

        Raises
        ------
        ArtifactError
            A complete unit's file is not what the manifest says.
        """
        done, parts = self.manifest(series, symbol), [pd.DataFrame(series.records())]
        for unit in units(series, start, end):
            if unit.label not in done:
                parts.append(self.journal(series, symbol, unit).table())
            elif done[unit.label]["rows"]:
                parts.append(self._verified(series, symbol, unit, done[unit.label]["sha256"]))
        whole = pd.concat(parts, ignore_index=True)
        low, high = whole[series.columns[0]].searchsorted([start, end])
        return whole.iloc[low:high].reset_index(drop=True)

    def _verified(self, series: Series, symbol: str, unit: Unit, sha256: str) -> pd.DataFrame:
        path = self._folder(series, symbol) / f"{unit.label}.parquet"
        if not path.is_file() or file_sha256(path) != sha256:
            found = f"{path} absent or changed since it was downloaded"
            remedy = f"remove it and its entry in {MANIFEST} to download it again"
            raise ArtifactError(found, f"the file with SHA-256 {sha256[:12]}…", remedy)
        return pd.read_parquet(path)

    def _folder(self, series: Series, symbol: str) -> Path:
        return self.root / series.name / quote(symbol, safe="")


class Journal:
    """Records of one incomplete unit, appended page by page."""

    def __init__(self, path: Path, series: Series) -> None:
        self.path, self.series = path, series

    def table(self) -> pd.DataFrame:
        """Return all whole records."""
        return pd.DataFrame(self._records())

    def last(self) -> tuple[float, ...] | None:
        """Return the last whole record, or None."""
        records = self._records()
        return tuple(float(value) for value in records[-1]) if len(records) else None

    def mend(self) -> None:
        """Cut off a last record that a kill left torn."""
        whole = self._records().nbytes
        if self.path.is_file() and self.path.stat().st_size > whole:
            os.truncate(self.path, whole)

    def append(self, rows: Float2D) -> None:
        """Append rows, (n, columns) with the time first, and flush them to disk."""
        records = self.series.records(len(rows))
        for column, name in enumerate(self.series.columns):
            records[name] = rows[:, column]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as stream:
            stream.write(records.tobytes())
            stream.flush()
            os.fsync(stream.fileno())

    def _records(self) -> npt.NDArray[np.void]:
        kind = self.series.records().dtype
        if not self.path.is_file():
            return self.series.records()
        content = self.path.read_bytes()
        return np.frombuffer(content[: len(content) // kind.itemsize * kind.itemsize], dtype=kind)
