"""How an executor begins, or goes on after a restart: memory and exchange brought together."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from agent.executor import readings
from agent.executor import state as ledger
from agent.executor.account import Account
from agent.executor.intent import ReadState
from agent.executor.memory import Memory
from agent.executor.performance import Performance
from agent.executor.rules import ZERO, Limits
from agent.executor.snapshots import Reading, floats
from agent.executor.targets import Base
from perpfut_lib.artifacts import AgentFolder, Clocks, PerfSnapshot, Seen
from perpfut_lib.errors import PerpfutError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Moment:
    """When, by which clocks and limits."""

    now: int
    """Monotonic clock of the limits, ms."""
    clocks: Clocks
    """Of the agent's world."""
    limits: Limits


@dataclass(frozen=True)
class Start:
    """What the executor begins with."""

    account: Account
    read_state: ReadState
    base: Base
    seq: int
    note: dict[str, Any]
    """For the audit trail."""


def begun(
    reading: Reading,
    prices: Mapping[str, float],
    symbols: tuple[str, ...],
    report: PerfSnapshot | None,
    moment: Moment,
) -> Start:
    """Return a first start; all that is held of ``symbols`` is the executor's own.

    After a memory that was lost, the last report says what must not be forgotten: the peak, so that a drawdown is not
    forgiven, and the number of the last signal, so that none before it is followed again.
    """
    held = {symbol: reading.positions.get(symbol, ZERO) for symbol in symbols}
    equity = _finite(reading.equity)
    books, seen = Performance.begun(equity, floats(held), prices), Seen()
    if report is not None:
        books = Performance(equity, books.cash, max(equity, report.peak_equity))
        seen = Seen(report.signal_seq - 1, "", moment.clocks.monotonic)
        log.error("peak %s and signal %s are taken from the last report", report.peak_equity, report.signal_seq)
    account = Account(ledger.seeded(held, moment.now), books, dict(prices))
    return Start(account, ReadState(seen), Base(-1, 0.0), moment.clocks.wall, _note(account, resumed=False))


def resumed(
    reading: Reading, prices: Mapping[str, float], symbols: tuple[str, ...], memory: Memory, moment: Moment
) -> Start:
    """Return a start that goes on: orders in flight, bars, books and peak as they were remembered."""
    held = {symbol: reading.positions.get(symbol, ZERO) for symbol in {*symbols, *memory.state.positions}}
    before = Account(memory.state, memory.books, memory.marks).marked(prices)
    away = (memory.at.monotonic, moment.clocks.wall - memory.at.wall)
    state = readings.resumed(memory.state, held, moment.now, away, moment.limits)
    moved = {name: units for name, units in held.items() if units != memory.state.total(name)}
    books = before.books
    for symbol in state.positions:
        change = float(state.position(symbol) - memory.state.position(symbol))
        books = books.corrected(change, before.marks.get(symbol, 0.0))
    account = Account(state, books, before.marks, unsettled=bool(moved))
    if moved:
        log.warning("while nobody looked, these changed: %s; left alone: %s", _text(moved), list(state.left))
    if reading.equity is not None:
        account = _arrived(account, _finite(reading.equity), reading.marks)
    return Start(account, memory.read_state, memory.base, memory.seq, _note(account, resumed=True))


def last_report(folder: AgentFolder) -> PerfSnapshot | None:
    """Return the last snapshot for the governor; none where it cannot be read."""
    try:
        return folder.read(PerfSnapshot)
    except PerpfutError:
        return None


def _arrived(account: Account, equity: float, marks: Mapping[str, float]) -> Account:
    """Return the account with books that end where the exchange says it stands, at its marks."""
    settled, notes = account.settled(equity, marks, resting=True)
    if notes:
        return settled
    gap = equity - account.equity_at(marks)
    return Account(account.state, account.books.corrected(-gap, 1.0), account.marks)


def _note(account: Account, *, resumed: bool) -> dict[str, Any]:
    books, state = account.books, account.state
    sums = {name: getattr(books, name) for name in ("start_equity", "cash", "fees", "funding", "fills", "rejects")}
    held = {"positions": _text(state.positions), "foreign": _text(state.foreign), "left": list(state.left)}
    return (
        {"resumed": resumed, "equity": account.equity, "peak": books.peak, "marks": dict(account.marks)} | sums | held
    )


def _finite(equity: float | None) -> float:
    """Return an equity that can be written down; what is no number counts as none, which is flat."""
    if equity is None or not math.isfinite(equity):
        log.error("an equity of %s: nothing is opened", equity)
        return 0.0
    return equity


def _text(units: Mapping[str, Decimal]) -> dict[str, str]:
    return {symbol: str(quantity) for symbol, quantity in units.items()}
