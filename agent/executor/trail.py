"""The order audit trail: every intent, order, answer, fill and reading, appended to a file and never changed.

One JSON line per event, numbered, each with a checksum over the one before it: a line that is missing, changed or out
of order breaks the chain. Files are rotated by size; the chain runs through all of them. A crash can tear the last
line only, which the next start cuts off and says so.
"""

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from perpfut_lib.artifacts import Clocks
from perpfut_lib.artifacts.atomic import parse_json
from perpfut_lib.errors import ArtifactError, MissingInputError
from perpfut_lib.types import Json

log = logging.getLogger(__name__)

NAME: Final = "orders.jsonl"
ROTATE_BYTES: Final = 8 * 2**20
FIRST: Final = "0" * 16
DURABLE: Final = frozenset({"order", "fill", "start", "killed"})
"""Events that are on the disk before the executor goes on."""


@dataclass(frozen=True)
class Event:
    """One line."""

    number: int
    kind: str
    wall: int
    """When, ms UTC."""
    body: Mapping[str, Json]


class Trail:
    """A trail that is being written.

    Parameters
    ----------
    folder : Path
        Where its files are; made where it is missing.
    rotate_bytes : int
        Size from which a new file is begun.
    """

    def __init__(self, folder: Path, rotate_bytes: int = ROTATE_BYTES) -> None:
        self._path, self._rotate = folder / NAME, rotate_bytes
        folder.mkdir(parents=True, exist_ok=True)
        self._number, self._sum, torn = _end(folder)
        self._stream = self._path.open("ab", buffering=0)
        self.torn = torn
        """Whether a line that was torn has been cut off."""

    def note(self, kind: str, clocks: Clocks, body: Mapping[str, Json]) -> None:
        """Append an event.

        Raises
        ------
        OSError
            The disk does not take it; then the file is as it was.
        """
        line, checksum = _line(self._number + 1, self._sum, kind, clocks.wall, body)
        before = self._stream.tell()
        try:
            self._stream.write(line)
            if kind in DURABLE:
                os.fsync(self._stream.fileno())
        except OSError:
            self._stream.truncate(before)
            raise
        self._number, self._sum = self._number + 1, checksum
        if self._stream.tell() >= self._rotate:
            self._stream.close()
            self._path.rename(self._path.with_name(f"orders-{self._number:012d}.jsonl"))
            self._stream = self._path.open("ab", buffering=0)

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def events(folder: Path) -> Iterator[Event]:
    """Yield the events of a trail, oldest first.

    Raises
    ------
    MissingInputError
        There is no trail.
    ArtifactError
        A line is missing, changed, or out of order. A torn last line is not an error: it was never acted on.
    """
    files = _files(folder)
    if not files:
        raise MissingInputError(f"no {NAME} in {folder}", "an executor's trail", "it is written by the executor")
    number, checksum = 0, FIRST
    for path in files:
        lines = _content(path).split(b"\n")
        for position, line in enumerate(lines):
            last = path == files[-1] and position == len(lines) - 1
            if not line or last:
                continue
            event, checksum = _parsed(line, number + 1, checksum, path)
            number = event.number
            yield event


def _files(folder: Path) -> list[Path]:
    return [*sorted(folder.glob("orders-*.jsonl")), *folder.glob(NAME)]


def _line(number: int, before: str, kind: str, wall: int, body: Mapping[str, Json]) -> tuple[bytes, str]:
    text = json.dumps([number, kind, wall, body], separators=(",", ":"), allow_nan=False, default=str)
    checksum = hashlib.sha256((before + text).encode()).hexdigest()[:16]
    return f'["{checksum}",{text[1:]}\n'.encode(), checksum


def _parsed(line: bytes, number: int, before: str, path: Path) -> tuple[Event, str]:
    remedy = "somebody changed the trail: compare with the exchange's own records"
    try:
        checksum, found, kind, wall, body = parse_json(line)
    except ValueError as error:
        raise ArtifactError(f"{path.name}: line {number} is not whole", "a line as written", remedy) from error
    again = hashlib.sha256((before + "[" + line.decode().split(",", 1)[1]).encode()).hexdigest()[:16]
    if (found, again) != (number, checksum):
        raise ArtifactError(f"{path.name}: line {found} breaks the chain", f"line {number}, unchanged", remedy)
    return Event(found, kind, wall, body), checksum


def _end(folder: Path) -> tuple[int, str, bool]:
    """Return number and checksum of the last whole line, and whether something behind it was not whole.

    A torn line is cut off. A file whose end is no line of ours is set aside: it must not keep the executor from work.
    """
    lost = False
    for path in reversed(_files(folder)):
        content = _content(path)
        whole = content[: content.rfind(b"\n") + 1]
        try:
            checksum, number, *_ = parse_json(whole.rstrip(b"\n").rsplit(b"\n", 1)[-1]) if whole else ("", 0)
            end = int(number), str(checksum)
        except (TypeError, ValueError) as error:
            aside = path.with_name(f"{path.name}.unreadable")
            path.rename(aside)
            log.error("the audit trail is set aside as %s: %s", aside.name, error)
            lost = True
            continue
        if len(whole) < len(content):
            os.truncate(path, len(whole))
            lost = True
        if whole:
            return *end, lost
    return 0, FIRST, lost


def _content(path: Path) -> bytes:
    return path.read_bytes()
