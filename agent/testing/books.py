"""A long schedule of faults, and at its end the books of three: audit trail, executor's ledger, exchange.

A fill of which the news was lost, with a process or on its way, is in no book but the exchange's until its list of
trades has been read: that is where a new life of the executor, and each reading, gets what nobody has told.
"""

from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from agent.executor.audit import Audit, against_ledger, against_positions, audit
from agent.executor.memory import Memory
from agent.executor.trail import Event, events
from agent.testing.invariants import NEAR, against_income, equity_at, income
from agent.testing.schedule_results import Outcome
from agent.testing.simulated_agent import SYMBOLS
from agent.testing.simulated_executor import scratch_space
from agent.testing.simulated_venue import SimulatedVenue
from agent.testing.simulation import Schedule, market, quiet
from perpfut_lib.types import HOUR_MS, MINUTE_MS, JsonObject


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
    wrong += against_income(found, venue)
    books = {
        "audit trail": _by_trail(found, marks, opening),
        "ledger": _by_ledger(memory, marks, opening),
        "exchange": _by_exchange(venue, marks, opening),
    }
    ours, theirs = books["audit trail"].earned, books["exchange"].earned
    if abs(ours - theirs) > NEAR * opening:
        wrong.append(f"earned: {ours} by the trail, {theirs} by the exchange")
    schedule.executor.close()
    return {
        "seed": seed,
        "minutes": minutes,
        "seconds": outcome.ticks,
        "orders": schedule.executor.orders,
        "crashes": schedule.executor.crashes,
        "events": found.events,
        "shocks": dict(sorted(venue.shocks.items())),
        "listed": _listed(trail),
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
    fees, funding = -income(venue, "COMMISSION"), income(venue, "FUNDING_FEE")
    positions = {symbol: venue.position(symbol) for symbol in SYMBOLS}
    return Book(_text(positions), len(account.fills), fees, funding, equity_at(venue, marks) - opening)


def _listed(trail: list[Event]) -> dict[str, Any]:
    """Return how many fills nobody has told of, and their fees: the exchange's list of trades had them."""
    bodies = [event.body for event in trail if event.kind == "fill" and event.body.get("listed")]
    fees = {(body["symbol"], body["trade"]): body["fee"] for body in bodies}  # noted again after some crashes
    return {"fills": len(fees), "fees": sum(fees.values())}


def _text(units: Any) -> dict[str, str]:
    return {symbol: str(units.get(symbol, Decimal(0)).normalize() + 0) for symbol in SYMBOLS}
