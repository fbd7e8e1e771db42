"""Positions, fees and P&L rebuilt from the audit trail alone, and compared with the ledger and the exchange."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from agent.executor.memory import MEMORY, Memory
from agent.executor.rules import ZERO
from agent.executor.trail import Event, events
from agent.state.sealed_file import read_sealed

TOLERANCE = 1e-6
"""Largest difference of sums of money that is rounding, quote currency per 1,000,000."""


@dataclass
class Audit:
    """What the trail comes to."""

    positions: dict[str, Decimal] = field(default_factory=dict)
    """Signed base units that are the executor's own."""
    cash: float = 0.0
    """Quote currency received for fills, less what was worth something at the start."""
    fees: float = 0.0
    funding: float = 0.0
    fills: int = 0
    rejects: int = 0
    start_equity: float = 0.0
    orders: dict[str, str] = field(default_factory=dict)
    """Symbols of orders by id."""
    events: int = 0
    notes: list[str] = field(default_factory=list)
    """What crashes have left."""
    faults: list[str] = field(default_factory=list)
    """What contradicts itself: fills without an order, and orders without an intent."""

    def equity(self, marks: Mapping[str, float]) -> float:
        """Return the equity at these marks, quote currency."""
        worth = sum(float(held) * marks[symbol] for symbol, held in self.positions.items() if symbol in marks)
        return self.start_equity + self.cash + worth + self.funding - self.fees


def audit(trail: Iterable[Event]) -> Audit:
    """Rebuild positions, fees and P&L from the events of a trail."""
    found = Audit()
    steps = {"start": _start, "order": _order, "fill": _fill, "end": _end, "reading": _reading, "books": _books}
    for event in trail:
        found.events += 1
        if event.kind in steps:
            steps[event.kind](found, event.body)
    return found


def against_ledger(found: Audit, memory: Memory) -> list[str]:
    """Return how the trail's sums differ from the executor's ledger; none where they agree."""
    books = memory.books
    wrong = against_positions(found, memory.state.positions, "the ledger")
    scale = TOLERANCE * max(1.0, abs(books.start_equity) / 1e6 + found.fills / 1e3)
    for name in ("cash", "fees", "funding", "start_equity"):
        ours, theirs = getattr(found, name), getattr(books, name)
        if abs(ours - theirs) > scale:
            wrong.append(f"{name}: {ours} by the trail, {theirs} by the ledger")
    for name in ("fills", "rejects"):
        if getattr(found, name) != getattr(books, name):
            wrong.append(f"{name}: {getattr(found, name)} by the trail, {getattr(books, name)} by the ledger")
    return wrong


def against_positions(found: Audit, positions: Mapping[str, Decimal], whose: str = "the exchange") -> list[str]:
    """Return how the trail's positions differ from others; none where they agree."""
    names = sorted({*found.positions, *positions})
    pairs = {name: (found.positions.get(name, ZERO), positions.get(name, ZERO)) for name in names}
    return [
        f"{name}: {ours} by the trail, {theirs} by {whose}" for name, (ours, theirs) in pairs.items() if ours != theirs
    ]


def account_of(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Return what the trail in an agent's folder comes to, and how it differs from the ledger there.

    Raises
    ------
    MissingInputError
        There is no trail or no ledger.
    ArtifactError
        One of them has been changed.
    """
    found = audit(events(folder / "orders"))
    memory = Memory.from_json(read_sealed(folder / MEMORY), 0)
    told = {
        "events": found.events,
        "fills": found.fills,
        "rejects": found.rejects,
        "positions": {symbol: str(held) for symbol, held in found.positions.items()},
        "fees": found.fees,
        "funding": found.funding,
        "equity": found.equity(memory.marks),
        "notes": found.notes,
    }
    return told, [*found.faults, *against_ledger(found, memory)]


def _start(found: Audit, body: Mapping[str, Any]) -> None:
    """Begin with the ledger as it is; after a crash between two writes it may lack what the trail holds."""
    for name in ("fees", "funding", "fills", "rejects"):
        if body["resumed"] and getattr(found, name) != body[name]:
            found.notes.append(f"a restart: {name} {getattr(found, name)} by the trail, {body[name]} by the ledger")
        setattr(found, name, body[name])
    found.positions = _units(body["positions"])
    found.cash, found.start_equity = body["cash"], body["start_equity"]


def _order(found: Audit, body: Mapping[str, Any]) -> None:
    found.orders[body["id"]] = body["symbol"]
    if not body["reason"]:
        found.faults.append(f"order {body['id']} has no reason")


def _fill(found: Audit, body: Mapping[str, Any]) -> None:
    """Book a fill; of one that readings have shown, its fee alone, which the equity had lacked before."""
    if body.get("restated"):
        found.cash += body["fee"]
        found.fees += body["fee"]
        found.fills += 1
        return
    symbol = found.orders.get(body["id"])
    if symbol is None:
        found.faults.append(f"a fill of order {body['id']}, which was never sent")
    if not body["counted"] or symbol is None:
        return
    quantity = Decimal(body["quantity"])
    found.positions[symbol] = found.positions.get(symbol, ZERO) + quantity
    found.cash -= float(quantity) * body["price"]
    found.fees += body["fee"]
    found.fills += 1


def _end(found: Audit, body: Mapping[str, Any]) -> None:
    found.rejects += body["rejected"]


def _reading(found: Audit, body: Mapping[str, Any]) -> None:
    found.positions |= _units(body["changed"])


def _books(found: Audit, body: Mapping[str, Any]) -> None:
    """Take over a correction that has its reason in the event: a payment, a transfer, a reading at the mark."""
    found.cash += body.get("cash", 0.0)
    found.funding += body.get("funding", 0.0)
    found.start_equity += body.get("transfer", 0.0)


def _units(tree: Mapping[str, str]) -> dict[str, Decimal]:
    return {symbol: Decimal(text) for symbol, text in tree.items()}
