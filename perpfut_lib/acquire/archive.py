"""Binance's public archive: one zip per symbol and month, with its checksum, from the network or a local folder."""

import hashlib
import io
import threading
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import requests

from perpfut_lib.acquire.absence import absence_so_far
from perpfut_lib.acquire.history import CANDLES, History, Series, Unit, units
from perpfut_lib.config import ArchiveConfig, ExchangeConfig, format_duration, project_root
from perpfut_lib.errors import ArtifactError, ExchangeError, MissingInputError, SchemaError, TimestampError
from perpfut_lib.progress import track
from perpfut_lib.types import FUNDING_COLUMNS

ARCHIVE_FUNDING: Final = Series("funding", FUNDING_COLUMNS[1:], "M")
"""The archive's funding comes by months, like its candles."""
Job = tuple[Series, str, Unit]
_MICROSECONDS: Final = 10**14  # milliseconds stay below this until the year 5138
_OTHER_PRICES: Final = ("mark", "index", "premium")


@dataclass(frozen=True)
class Archive:
    """The monthly files at one location."""

    config: ArchiveConfig
    network: ExchangeConfig = field(default_factory=ExchangeConfig)
    """Timeout, retries and back-off."""
    sleep: Callable[[float], object] = time.sleep
    answered: threading.Event = field(default_factory=threading.Event)
    """Set once the archive has answered: then somebody is there, and what fails is a blip."""

    def fetch(self, series: Series, symbol: str, timeframe: int, month: str) -> tuple[pd.DataFrame, str] | None:
        """Return a month's rows (the series' columns) and the SHA-256 of its zip; None if there is no such file.

        Raises
        ------
        ArtifactError
            The checksum is absent though required, or does not match.
        SchemaError, TimestampError
            The content is not what the archive publishes.
        ExchangeError
            The archive does not answer.
        """
        name = _name(series, symbol, timeframe, month)
        content = self._content(_path(series, symbol, timeframe, name))
        if content is None:
            return None
        digest = hashlib.sha256(content).hexdigest()
        stated = self._content(_path(series, symbol, timeframe, name) + ".CHECKSUM")
        if stated is None and self.config.checksums == "required":
            remedy = "get it, or set data.archive.checksums=if_present"
            raise ArtifactError(f"{name} without its .CHECKSUM", "one beside every file", remedy)
        if stated is not None and stated.decode().split()[:1] != [digest]:
            found = f"{name} with SHA-256 {digest[:12]}…"
            raise ArtifactError(found, f"{stated.decode()[:12]}… as its .CHECKSUM says", "download it again")
        return _parse(name, content, series), digest

    def _content(self, path: str) -> bytes | None:
        """Return a file's bytes, None if there is none."""
        if self.config.location.startswith(("http://", "https://")):
            return self._get(f"{self.config.location.rstrip('/')}/{path}")
        file = self._folder / path
        if not file.is_file():
            found = [match for match in self._below.get(file.name, []) if _same_prices(match, path)]
            if not found:
                return None
            file = found[0]
        return file.read_bytes()

    def _get(self, url: str) -> bytes | None:
        problem = ""
        for attempt in range(self.network.retries + 1):
            try:
                answer = requests.get(url, timeout=self.network.timeout)
                self.answered.set()
                if answer.status_code in (403, 404):  # the archive's store answers either where there is no file
                    return None
                answer.raise_for_status()
                return answer.content
            except requests.RequestException as error:
                problem = str(error)[:200]
                absent = absence_so_far(self.answered, attempt + 1, error)
                if absent is not None:
                    remedy = "check the network and data.archive.location, which may be a folder of downloaded files"
                    raise ExchangeError(f"no archive at {url}: {absent}", "the archive to answer", remedy) from error
                self.sleep(min(self.network.backoff * 2.0**attempt, 60.0))
        found = f"no answer for {url} after {self.network.retries + 1} tries: {problem}"
        raise ExchangeError(found, "the file", "run it again: what was fetched stays")

    @cached_property
    def _folder(self) -> Path:
        folder = project_root() / self.config.location
        if not folder.is_dir():
            raise MissingInputError(f"no folder {folder}", "the archive's files", "check data.archive.location")
        return folder

    @cached_property
    def _below(self) -> dict[str, list[Path]]:
        files: dict[str, list[Path]] = {}
        for path in sorted(self._folder.rglob("*.zip*")):
            files.setdefault(path.name, []).append(path)
        return files


def import_archive(
    archive: Archive, history: History, symbols: tuple[str, ...], window: tuple[int, int], timeframe: int
) -> None:
    """Bring a history up to date from the archive: candles, and funding where it is published.

    Parameters
    ----------
    archive : Archive
        Where the files are.
    history : History
        Complete months are left alone.
    symbols : tuple of str
        Names as the archive spells them.
    window : tuple of int
        [start, end), ms UTC; whole months are imported.
    timeframe : int
        Length of a bar, ms.

    Raises
    ------
    MissingInputError
        A symbol has no candles at all, or lacks a month between two that it has.
    """

    def work(job: Job) -> bool:
        series, symbol, unit = job
        found = archive.fetch(series, symbol, timeframe, unit.label)
        if found is not None:
            _check_month(found[0], series, symbol, unit)
        return found is not None and _enter(history, job, found)

    with history.lock(), ThreadPoolExecutor(archive.network.workers) as pool:
        # one commit at a time per manifest: a thread takes all months of a series and symbol
        groups = _missing(history, symbols, window)
        done = pool.map(lambda group: [work(job) for job in group], groups)
        for _ in track(done, label="Archive", total=len(groups)):
            pass
    for symbol in symbols:
        _check_months(history, symbol, units(CANDLES, *window))


def _missing(history: History, symbols: tuple[str, ...], window: tuple[int, int]) -> list[list[Job]]:
    """Return the months that the history lacks, grouped by symbol and series."""
    groups = [
        [(series, symbol, unit) for unit in units(series, *window) if not history.is_complete(series, symbol, unit)]
        for symbol in symbols
        for series in (CANDLES, ARCHIVE_FUNDING)
    ]
    return [group for group in groups if group]


def _enter(history: History, job: Job, found: tuple[pd.DataFrame, str]) -> bool:
    series, symbol, unit = job
    history.commit(series, symbol, unit, found[0], {"zip_sha256": found[1]})
    return True


def _check_months(history: History, symbol: str, wanted: list[Unit]) -> None:
    held = history.manifest(CANDLES, symbol)
    there = [unit.label in held for unit in wanted]
    if not any(there):
        found = f"no candles of {symbol} from {wanted[0].label} to {wanted[-1].label}"
        raise MissingInputError(found, "one zip per month", "check data.symbols, the dates and data.archive.location")
    first, last = there.index(True), len(there) - there[::-1].index(True)
    holes = [unit.label for unit, here in zip(wanted[first:last], there[first:last], strict=True) if not here]
    if holes:
        found = f"{symbol} without {', '.join(holes)}"
        raise MissingInputError(found, "every month between its first and its last", "get these files")


def _name(series: Series, symbol: str, timeframe: int, month: str) -> str:
    kind = format_duration(timeframe) if series is CANDLES else "fundingRate"
    return f"{symbol}-{kind}-{month}.zip"


def _path(series: Series, symbol: str, timeframe: int, name: str) -> str:
    """Return a file's path in the archive's layout."""
    if series is CANDLES:
        return f"futures/um/monthly/klines/{symbol}/{format_duration(timeframe)}/{name}"
    return f"futures/um/monthly/fundingRate/{symbol}/{name}"


def _same_prices(file: Path, path: str) -> bool:
    """Return whether a file found elsewhere holds traded prices: mark and index candles have the same names."""
    return not any(word in file.parent.name.lower() for word in _OTHER_PRICES) or "/klines/" not in path


def _parse(name: str, content: bytes, series: Series) -> pd.DataFrame:
    """Read the one csv of a zip, with or without a header row."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            (member,) = packed.namelist()
            text = packed.read(member)
    except (zipfile.BadZipFile, ValueError) as error:
        raise SchemaError(f"{name} ({error})", "a zip with one csv", "download it again") from error
    columns = {0: series.columns[0], **dict(enumerate(series.columns[1:], start=1))}
    if series is not CANDLES:
        columns = {0: "funding_time", 2: "funding_rate"}  # between them stands the interval
    rows = _rows(name, text)
    if len(rows.columns) <= max(columns):
        found = f"{name} with {len(rows.columns)} columns"
        raise SchemaError(found, f"at least {max(columns) + 1}", "check the file")
    table = pd.DataFrame({label: rows.iloc[:, place] for place, label in columns.items()})
    return _typed(name, table)


def _rows(name: str, text: bytes) -> pd.DataFrame:
    header = not text[:1].isdigit()
    try:
        options = pa.csv.ReadOptions(autogenerate_column_names=True, skip_rows=int(header))
        rows: pd.DataFrame = pa.csv.read_csv(io.BytesIO(text), options).to_pandas()
    except pa.ArrowInvalid as error:
        raise SchemaError(f"{name} that cannot be read ({error})", "comma-separated rows", "check the file") from error
    return rows


def _typed(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return int64 milliseconds and float64 values."""
    try:
        times = table.iloc[:, 0].astype(np.int64)
        values = table.iloc[:, 1:].astype(np.float64)
    except (ValueError, TypeError) as error:
        raise SchemaError(f"{name} with {error}", "numbers", "check the file") from error
    times = times.where(times < _MICROSECONDS, times // 1000)
    return pd.concat([times, values], axis=1)


def _check_month(rows: pd.DataFrame, series: Series, symbol: str, unit: Unit) -> None:
    time_ = rows[series.columns[0]].to_numpy()
    inside = (time_ >= unit.start) & (time_ < unit.end)
    if not inside.all() or (np.diff(time_) <= 0).any():
        found = f"{series.name} of {symbol} in {unit.label} outside the month, out of order or doubled"
        raise TimestampError(found, "ascending times within the month", "download the file again")
