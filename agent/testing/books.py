"""A long schedule of faults, and at its end the books of three: audit trail, executor's ledger, exchange.

A fill of which the news was lost with a process is in no book but the exchange's until a reading shows its units, and
the account's equity its price and fee. So positions and earnings agree, and fees with those of the unheard fills.
"""

from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np

from agent.executor.audit import Audit, against_ledger, against_positions, audit
from agent.executor.memory import Memory
from agent.executor.trail import Event, events
from agent.testing.schedule_results import Outcome
from agent.testing.simulated_agent import SYMBOLS
from agent.testing.simulated_executor import scratch_space
from agent.testing.simulated_venue import SimulatedVenue
from agent.testing.simulation import Schedule, market, quiet
from perpfut_lib.types import HOUR_MS, MINUTE_MS, JsonObject
from perpfut_lib.venue.accounts import Fill

CENT: Final = 1e-6
"""Largest difference of sums that is rounding, quote currency."""
NEAR: Final = 0.0005
"""Largest difference of what was earned, as a share of the equity at the start."""


@dataclass(frozen=True)
class Book:
    """What one of the three says."""

    positions: dict[str, str]
    fills: int
    fees: float
    """Quote currency."""
    funding: float
    earned: float
    """Equity at the end less that of the start, at the executor's marks."""


def compared(seed: int, minutes: int) -> JsonObject:
    """Run signals, executor and exchange for so many minutes under faults, and compare their books at rest."""
    with scratch_space() as scratch, quiet():
        return _compared(seed, minutes, scratch)


def _compared(seed: int, minutes: int, path: Path) -> JsonObject:
    rng, outcome, tape = np.random.default_rng(seed), Outcome(seed), market()
    venue = SimulatedVenue.opened_at(tape, tape.start + 24 * HOUR_MS, rng)
    schedule, start = Schedule.opened(rng, path, venue, outcome), venue.now
    opening = venue.equity()
    while venue.now - start < minutes * MINUTE_MS:
        schedule.phase()
    schedule.rest()
    trader = schedule.executor.trader
    wrong = list(outcome.violations)
    if trader is None or trader.account is None:
        return {"seed": seed, "differences": [*wrong, "the executor is not up"]}
    trail = list(events(schedule.executor.folder.trail))
    found, memory, marks = audit(trail), schedule.executor.memory(), dict(trader.account.marks)
    wrong += [*against_ledger(found, memory), *against_positions(found, {one: venue.position(one) for one in SYMBOLS})]
    unheard = _unheard(venue, trail)
    books = {
        "audit trail": _by_trail(found, marks, opening),
        "ledger": _by_ledger(memory, marks, opening),
        "exchange": _by_exchange(venue, marks, opening),
    }
    wrong += _differences(books, unheard, opening)
    schedule.executor.close()
    return {
        "seed": seed,
        "minutes": minutes,
        "seconds": outcome.ticks,
        "orders": schedule.executor.orders,
        "crashes": schedule.executor.crashes,
        "events": found.events,
        "shocks": dict(sorted(venue.shocks.items())),
        "unheard": {"fills": len(unheard), "fees": float(sum((one.fee for one in unheard), Decimal(0)))},
        "opening": opening,
        "books": {name: asdict(book) for name, book in books.items()},
        "differences": wrong,
    }


def _by_ledger(memory: Memory, marks: dict[str, float], opening: float) -> Book:
    books, units = memory.books, {one: float(held) for one, held in memory.state.positions.items()}
    earned = books.equity(units, marks) - opening
    return Book(_text(memory.state.positions), books.fills, books.fees, books.funding, earned)


def _by_trail(found: Audit, marks: dict[str, float], opening: float) -> Book:
    return Book(_text(found.positions), found.fills, found.fees, found.funding, found.equity(marks) - opening)


def _by_exchange(venue: SimulatedVenue, marks: dict[str, float], opening: float) -> Book:
    account = venue.account
    fees, funding = (
        -float(sum((one.amount for one in account.income if one.kind == "COMMISSION"), Decimal(0))),
        float(sum((one.amount for one in account.income if one.kind == "FUNDING_FEE"), Decimal(0))),
    )
    open_profit = sum(float(one.profit(Decimal(str(marks[symbol])))) for symbol, one in account.held())
    positions = {symbol: venue.position(symbol) for symbol in SYMBOLS}
    return Book(_text(positions), len(account.fills), fees, funding, float(account.wallet) + open_profit - opening)


def _unheard(venue: SimulatedVenue, trail: list[Event]) -> list[Fill]:
    """Return the exchange's fills that the ledger has not booked as fills: readings have shown what they did.

    The news was lost, or the process died between the trail's line and the ledger: the next start says what it knows.
    """
    booked: list[str] = []
    for event in trail:
        if event.kind == "start":
            booked = booked[: event.body["fills"]]
        elif event.kind == "fill" and event.body["counted"]:
            booked.append(event.body["trade"])
    return [fill for fill in venue.account.fills if str(fill.number) not in set(booked)]


def _differences(books: dict[str, Book], unheard: list[Fill], opening: float) -> list[str]:
    """Return what does not agree."""
    trail, exchange = books["audit trail"], books["exchange"]
    wrong = []
    if trail.fills + len(unheard) != exchange.fills:
        wrong.append(f"fills: {trail.fills} by the trail and {len(unheard)} unheard, {exchange.fills} by the exchange")
    missed = float(sum((one.fee for one in unheard), Decimal(0)))
    if abs(trail.fees + missed - exchange.fees) > CENT * max(1.0, exchange.fees):
        wrong.append(f"fees: {trail.fees} by the trail and {missed} unheard, {exchange.fees} by the exchange")
    if abs(trail.earned - exchange.earned) > NEAR * opening:
        wrong.append(f"earned: {trail.earned} by the trail, {exchange.earned} by the exchange")
    return wrong


def _text(units: Any) -> dict[str, str]:
    return {symbol: str(units.get(symbol, Decimal(0)).normalize() + 0) for symbol in SYMBOLS}
