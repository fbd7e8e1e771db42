"""The log of signals, read without loading it: a bounded tail kept in memory, and older pages from disk."""

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson

from perpfut_lib.types import JsonObject

KEPT: Final = 3_000
"""Signals kept in memory: two days of minutes."""
PAGE: Final = 200
"""Most signals of one page."""
BLOCK: Final = 2**16


class SignalLog:
    """Follows ``signals.jsonl`` as it grows.

    Parameters
    ----------
    path : Path
        The log; older files lie beside it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = (0, 0)  # inode and offset up to which lines were taken
        self.tail: deque[JsonObject] = deque(maxlen=KEPT)
        """The newest signals, oldest first."""

    def follow(self) -> None:
        """Take what was appended since the last call; after a rotation or at the start, read the tail anew."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self.tail.clear()
            self._place = (0, 0)
            return
        inode, offset = self._place
        if inode != found.st_ino or found.st_size < offset:
            newest = list(_newest(self._path, KEPT))
            self.tail = deque(reversed(newest), maxlen=KEPT)
            self._place = (found.st_ino, _whole(self._path, found.st_size))
            return
        with self._path.open("rb") as stream:
            stream.seek(offset)
            content = stream.read(max(0, found.st_size - offset))
        whole = content.rpartition(b"\n")[0]
        self.tail.extend(row for line in whole.splitlines() if (row := _row(line)) is not None)
        self._place = (inode, offset + len(whole) + bool(whole))

    def page(self, before: int | None, limit: int, reason: str = "") -> list[JsonObject]:
        """Return signals from the newest on, before a sequence number, with a reason code if one is named."""
        rows = []
        for row in _newest(self._path, None):
            if before is not None and row["seq"] >= before:
                continue
            if reason and reason not in row["reasons"] and all(reason not in pair["reasons"] for pair in row["pairs"]):
                continue
            rows.append(row)
            if len(rows) >= min(max(1, limit), PAGE):
                break
        return rows


def _newest(path: Path, most: int | None) -> Iterator[JsonObject]:
    """Yield signals from the newest to the oldest, over rotated files, a block in memory at a time."""
    given = 0
    for source in (path, *sorted(path.parent.glob(f"{path.stem}.*.jsonl"))):  # .1 is newer than .2
        for line in lines_backwards(source):
            row = _row(line)
            if row is None:
                continue
            yield row
            given += 1
            if most is not None and given >= most:
                return


def lines_backwards(path: Path) -> Iterator[bytes]:
    """Yield the whole lines of a file from the last to the first; a last line that is half written is left out."""
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        return
    with stream:
        position, rest = _whole(path, stream.seek(0, os.SEEK_END)), b""
        while position > 0:
            start = max(0, position - BLOCK)
            stream.seek(start)
            parts = (stream.read(position - start) + rest).split(b"\n")
            rest, position = parts[0], start
            yield from (line for line in reversed(parts[1:]) if line)
        if rest:
            yield rest


def _whole(path: Path, size: int) -> int:
    """Return the place behind the last line break before ``size``."""
    with path.open("rb") as stream:
        while size > 0:
            start = max(0, size - BLOCK)
            stream.seek(start)
            found = stream.read(size - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            size = start
    return 0


def _row(line: bytes) -> JsonObject | None:
    """Return what the console shows of a logged signal; none for a line that is not one."""
    try:
        tree = orjson.loads(line)
        legs = {(leg["pair"], leg["symbol"]): (leg["weight"], leg["price"]) for leg in tree["legs"]}
        pairs = [_pair(pair, legs) for pair in tree["pairs"]]
        return {
            "seq": int(tree["seq"]),
            "bar_close": int(tree["bar_close"]),
            "delay_ms": int(tree["created_at"]) - int(tree["bar_close"]),
            "gross": sum(abs(weight) for weight, _ in legs.values()),
            "kill": bool(tree["kill"]),
            "reasons": list(tree["reasons"]),
            "pairs": pairs,
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _pair(report: JsonObject, legs: dict[tuple[str, str], tuple[float, float]]) -> JsonObject:
    name = report["pair"]
    y, _, x = name.partition("~")
    return {
        "pair": name,
        "action": report["action"],
        "status": report["status"],
        "reasons": list(report["reasons"]),
        "legs": [legs.get((name, y)), legs.get((name, x))],
    }
