"""How an executor begins, or goes on after a restart: memory and exchange brought together."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from agent.executor import readings
from agent.executor import state as ledger
from agent.executor.account import Account, Note
from agent.executor.intent import ReadState
from agent.executor.memory import Memory
from agent.executor.performance import Performance
from agent.executor.rules import ZERO
from agent.executor.settings import TraderSettings
from agent.executor.snapshots import Reading, floats
from agent.executor.targets import Base
from perpfut_lib.artifacts import AgentFolder, Clocks, PerfSnapshot, Seen
from perpfut_lib.errors import PerpfutError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Moment:
    """When, by which clocks, and on which terms."""

    now: int
    """Monotonic clock of the limits, ms."""
    clocks: Clocks
    """Of the agent's world."""
    settings: TraderSettings


@dataclass(frozen=True)
class Start:
    """What the executor begins with."""

    account: Account
    known: ledger.State
    """The ledger with all fills that are known, before the exchange's positions are taken over."""
    read_state: ReadState
    base: Base
    seq: int
    note: dict[str, Any]
    """For the audit trail."""
    fills: list[Note] = field(default_factory=list)
    """Of fills that nobody was there to hear of, for the audit trail."""


def all_lists(memory: Memory | None, symbols: tuple[str, ...], wall: int) -> dict[str, int]:
    """Return from when on the exchange's lists are to be read before a start, ms UTC by symbol."""
    state = ledger.State() if memory is None else memory.state
    return {symbol: state.listed_since(symbol, wall) for symbol in sorted({*symbols, *state.positions})}


def started(
    reading: Reading, prices: Mapping[str, float], before: Memory | PerfSnapshot | None, moment: Moment
) -> Start:
    """Return a start after what is known of the time before: a memory, the last report where that was lost, nothing."""
    if isinstance(before, Memory):
        return resumed(reading, prices, before, moment)
    return begun(reading, prices, before, moment)


def begun(reading: Reading, prices: Mapping[str, float], report: PerfSnapshot | None, moment: Moment) -> Start:
    """Return a first start; all that is held of our symbols is the executor's own.

    After a memory that was lost, the last report says what must not be forgotten: the peak, so that a drawdown is not
    forgiven, and the number of the last signal, so that none before it is followed again.
    """
    held = {symbol: reading.positions.get(symbol, ZERO) for symbol in moment.settings.symbols}
    equity = _finite(reading.equity)
    books, seen = Performance.begun(equity, floats(held), prices), Seen()
    if report is not None:
        books = Performance(equity, books.cash, max(equity, report.peak_equity))
        seen = Seen(report.signal_seq - 1, "", moment.clocks.monotonic)
        log.error("peak %s and signal %s are taken from the last report", report.peak_equity, report.signal_seq)
    state = ledger.seeded(held, moment.now)
    account = Account(state, books, dict(prices), moment.settings.quote, taken_at=reading.at)
    account, _ = account.listed(reading.history, moment.now)
    note = _note(account, resumed=False)
    return Start(account, account.state, ReadState(seen), Base(-1, 0.0), moment.clocks.wall, note)


def resumed(reading: Reading, prices: Mapping[str, float], memory: Memory, moment: Moment) -> Start:
    """Return a start that goes on: orders in flight, bars, books and peak as they were remembered.

    What the exchange's lists have since is booked first, as fills that nobody was there to hear of.
    """
    names = {*moment.settings.symbols, *memory.state.positions}
    held = {symbol: reading.positions.get(symbol, ZERO) for symbol in names}
    remembered = Account(memory.state, memory.books, memory.marks, moment.settings.quote).marked(prices)
    before, fills = remembered.listed(reading.history, moment.now)
    listed = frozenset(reading.history) & frozenset(memory.state.listed)
    away = readings.Away(memory.at.monotonic, moment.clocks.wall - memory.at.wall, moment.now, listed)
    state = readings.resumed(before.state, held, away, moment.settings.limits)
    moved = {name: units for name, units in held.items() if units != before.state.total(name)}
    books = before.books
    for symbol in state.positions:
        change = float(state.position(symbol) - before.state.position(symbol))
        books = books.corrected(change, before.marks.get(symbol, 0.0))
    account = replace(before, state=state, books=books, unsettled=bool(moved))
    if moved:
        log.warning("while nobody looked, these changed: %s; left alone: %s", _text(moved), list(state.left))
    if reading.equity is not None:
        account = replace(_arrived(account, _finite(reading.equity), reading.marks), taken_at=reading.at)
    return Start(account, before.state, memory.read_state, memory.base, memory.seq, _note(account, resumed=True), fills)


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
    return replace(account, books=account.books.corrected(-gap, 1.0), unsettled=False)


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
