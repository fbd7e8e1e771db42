"""What the executor's audit trail says of the account: what was traded, and where exchange and ledger differed."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from perpfut_lib.types import JsonObject

WANTED: Final = (b'"start"', b'"fill"', b'"reading"')
"""Events that matter here; the others are not parsed."""


@dataclass(frozen=True)
class Ledger:
    """The executor's ledger beside the exchange."""

    turnover: float = 0.0
    """Notional of all fills since the books began, quote currency."""
    foreign: Mapping[str, str] = field(default_factory=dict)
    """Units that the exchange holds and the executor did not trade, by symbol."""
    left: tuple[str, ...] = ()
    """Symbols of ours that somebody else closed."""
    corrected: Mapping[str, str] = field(default_factory=dict)
    """Positions that the last correction took over from the exchange, by symbol."""
    corrected_at: int = 0
    """When that was, ms UTC; zero: never."""


class TradeLog:
    """Follows the trail as it grows, over its rotated files.

    Parameters
    ----------
    folder : Path
        Of the trail.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[int, int] = {}  # inode to the place up to which lines were taken
        self._ledger = Ledger()

    def follow(self) -> Ledger:
        """Take what was appended since the last call and return the state of the ledger."""
        for path in (*sorted(self._folder.glob("orders-*.jsonl")), self._folder / "orders.jsonl"):
            for kind, wall, body in self._fresh(path):
                self._ledger = _after(self._ledger, kind, wall, body)
        return self._ledger

    def _fresh(self, path: Path) -> Iterator[tuple[str, int, JsonObject]]:
        try:
            stream = path.open("rb")
            inode = path.stat().st_ino
        except FileNotFoundError:
            return
        with stream:
            stream.seek(self._read.get(inode, 0))
            for line in stream:
                if not line.endswith(b"\n"):
                    break  # half written: next time
                self._read[inode] = self._read.get(inode, 0) + len(line)
                if any(kind in line for kind in WANTED) and (event := _event(line)) is not None:
                    yield event


def _event(line: bytes) -> tuple[str, int, JsonObject] | None:
    try:
        _checksum, _number, kind, wall, body = json.loads(line)
        return str(kind), int(wall), dict(body)
    except (ValueError, TypeError):
        return None


def _after(ledger: Ledger, kind: str, wall: int, body: JsonObject) -> Ledger:
    """Return the ledger after an event; one that makes no sense changes nothing."""
    try:
        if kind == "start":
            turnover = ledger.turnover if body["resumed"] else 0.0
            return Ledger(turnover, _held(body["foreign"]), tuple(body["left"]), ledger.corrected, ledger.corrected_at)
        if kind == "fill":
            traded = abs(float(body["quantity"])) * float(body["price"])
            turnover = ledger.turnover + traded
            return Ledger(turnover, ledger.foreign, ledger.left, ledger.corrected, ledger.corrected_at)
        if kind == "reading":
            return Ledger(ledger.turnover, _held(body["foreign"]), tuple(body["left"]), dict(body["changed"]), wall)
    except (KeyError, TypeError, ValueError):
        return ledger
    return ledger


def _held(units: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in units.items() if float(text)}
