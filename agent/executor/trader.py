"""One executor, put together: files, planner, ledger, books, audit trail. Some trading framework lends it hands."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from agent.clock import Clock
from agent.executor import readings
from agent.executor import state as ledger
from agent.executor.account import Account
from agent.executor.balance import groups_of
from agent.executor.execution import Execution
from agent.executor.intent import Intent, ReadState, look
from agent.executor.journal import Journal
from agent.executor.keeping import Aims
from agent.executor.memory import Memory, MemoryFiles
from agent.executor.planner import Situation, plan
from agent.executor.protection import Protection, StopOrders
from agent.executor.settings import Quote, TraderSettings, middles
from agent.executor.snapshots import Head, Reading, snapshot, strangers
from agent.executor.start import Moment, all_lists, last_report, started
from agent.executor.state import Order, State
from agent.executor.stops import StopBook
from agent.executor.targets import Base, markets_of, pairs_of, prices_of, trading_window, usable
from agent.executor.trades import Trade
from agent.executor.trail import Trail
from perpfut_lib.artifacts import AgentFolder, Clocks, Control, PerfSnapshot, Signal
from perpfut_lib.errors import ArtifactError

log = logging.getLogger(__name__)


class Trader:
    """From files to orders, and from fills to the snapshot that the governor reads.

    Parameters
    ----------
    folder : AgentFolder
        Where signal, control and pairs are, and where snapshot, memory and audit trail go.
    settings : TraderSettings
        Symbols, limits, patience.
    clock : Clock
        Wall clock of the agent's world, and a monotonic clock of the same pace.
    journal : Journal, optional
        Its memory and its audit trail; by default those of the folder.
    """

    def __init__(
        self,
        folder: AgentFolder,
        settings: TraderSettings,
        clock: Clock,
        journal: Journal | None = None,
    ) -> None:
        patience = replace(settings.patience, symbols=frozenset(settings.symbols))
        self._folder, self._settings, self._clock = folder, replace(settings, patience=patience), clock
        self.account: Account | None = None
        """Ledger and books; none before they are seeded."""
        self.intent = Intent("wait", "starting")
        """What the last look came to."""
        self.stopping = False
        """Set it to go flat."""
        self.reading = Reading({})
        """The last reading of the exchange."""
        self._read_state, self._base, self._seq, self._now = ReadState(), Base(-1, 0.0), 0, 0
        self._aims, self.targets = Aims(), dict[str, Decimal]()
        """Signed base units that are aimed for, by symbol."""
        self.execution = Execution(settings.touch_ms)
        self._strangers: dict[str, str] = {}
        self._quotes: dict[str, Quote] = {}
        self._quoted: dict[str, tuple[float, int]] = {}
        self._journal = journal or Journal(MemoryFiles(folder.path), Trail(folder.trail))
        self.protection = Protection(settings.stops, settings.limits, self._note)

    @property
    def state(self) -> State | None:
        """Return the ledger; none before it is seeded."""
        return None if self.account is None else self.account.state

    def seed(self, reading: Reading, quotes: Mapping[str, Quote], now: int) -> None:
        """Begin, or go on after a restart, with what the exchange says.

        Parameters
        ----------
        reading : Reading
            Positions read twice with the same answer, and the account's equity.
        quotes : mapping
            As far as there are any.
        now : int
            Monotonic clock of the limits, ms.
        """
        self._now, clocks = now, self._clocks()
        memory, lost = self._journal.recall(clocks)
        report = last_report(self._folder) if lost else None
        start = started(reading, middles(quotes), memory or report, Moment(now, clocks, self._settings))
        self.account = start.account
        book = StopBook() if memory is None else memory.stops
        self._set(self.protection.begun(start.known, self.account.state, reading, book, now))
        self._read_state, self._base, self._seq = start.read_state, start.base, start.seq
        self.execution.before = frozenset(start.account.state.pending)
        self._take(reading)
        self._quotes |= quotes
        note = start.note | {"torn": self._journal.trail.torn, "memory_lost": lost}
        for kind, body in (*start.fills, ("start", note)):
            self._note(kind, body)
        self._journal.save(self._memory())

    def orders(self, quotes: Mapping[str, Quote], now: int) -> tuple[Order, ...]:
        """Look at the files and return what is to be sent now; none before the ledger is seeded.

        What cannot be remembered is not opened: a full disk leaves reductions alone.
        """
        if self.account is None:
            return ()
        self._now = now
        self._quotes |= quotes
        self.account = self.account.marked(middles(quotes))
        changed = self._look()
        if self.intent.mode == "wait":
            return ()
        state, orders = plan(self.account.state, self._situation(quotes, now), self._settings.limits)
        self._set(state)
        if changed or self._journal.forgetful:
            self._journal.save(self._memory())
        closed = self._journal.forgetful or self.execution.closed
        allowed = [order for order in orders if order.reduce_only or not closed]
        return self.execution.styled(allowed, quotes, self.intent, state, now)

    def protect(self, quotes: Mapping[str, Quote], now: int) -> StopOrders:
        """Return the stops to be placed and cancelled now: remembered before the network can have carried them out."""
        if self.account is None:
            return StopOrders()
        due = self.protection.due(self.account.state, quotes, now, self._clock.wall())
        if due != StopOrders():
            self._now = now
            self._journal.save(self._memory())
        return due

    def sent(self, order: Order, order_id: str, now: int) -> None:
        """Note an order that has left: remembered before the network can have carried it out."""
        account, self._now = self._seeded(), now
        self._set(ledger.sent(account.state, order, order_id, now))
        signal = self.intent.signal
        price = prices_of(self.intent.legs).get(order.symbol)
        if signal is not None and price is not None:
            self._quoted[order_id] = (float(price), signal.created_at)
        body = {"id": order_id, "symbol": order.symbol, "quantity": str(order.quantity), "reduce": order.reduce_only}
        self._note("order", body | self._why())
        self._journal.save(self._memory())

    def accepted(self, order_id: str, exchange_id: str) -> None:
        """Note that the exchange has taken an order, and its number there."""
        self._note("accepted", {"id": order_id, "exchange_id": exchange_id})

    def fill(self, order_id: str, trade: Trade, now: int) -> None:
        """Book a fill."""
        account, self._now = self._seeded(), now
        if not trade.quantity.is_finite():
            log.error("a fill of %s units of order %s: the position is read again", trade.quantity, order_id)
            self.end(order_id, now, failed=True)
            return
        quoted, written = self._quoted.get(order_id, (None, 0))
        latency = max(0.0, float(self._clock.wall() - written))
        self.account, body = account.traded(order_id, trade, now, None if quoted is None else (quoted, latency))
        self._note("fill", body)
        self._journal.save(self._memory())

    def end(self, order_id: str, now: int, *, failed: bool, why: str = "") -> None:
        """Note the last word on an order; one that may rest although it is called failed is to be cancelled first."""
        state, self._now = self._seeded().state, now
        if failed and self.execution.may_rest(order_id, state):
            self._note("unsure", {"id": order_id, "why": why[:300]})
            return
        failed = failed or self.execution.failed(order_id, state)
        self.execution.ended(order_id, state)
        self.account, body = self._seeded().ended(order_id, now, self._settings.limits, failed=failed)
        self._note("end", body | {"why": why[:300]})
        self._journal.save(self._memory())

    def reading_due(self, now: int) -> bool:
        """Return whether the exchange's positions are to be read."""
        if (state := self.state) is None:
            return False
        reached = self.protection.book.reached and now - state.read_at >= self._settings.limits.settle_ms
        return reached or readings.reading_due(state, now, self._settings.limits)

    def unlisted(self) -> dict[str, int]:
        """Return from when on the exchange's list is to be read with the next reading, ms UTC by symbol."""
        if self.account is not None:
            return readings.unlisted(self.account.state, self._clock.wall())
        return all_lists(self._journal.recall(self._clocks())[0], self._settings.symbols, self._clock.wall())

    def read(self, reading: Reading, asked_at: int) -> None:
        """Compare ledger, books and stops with a reading of the exchange.

        The fills that it lists come first: what they explain no stop has done.
        """
        limits = self._settings.limits
        self.account, fills = self._seeded().listed(reading.history, asked_at - limits.settle_ms)
        self._set(self.protection.read(self.account.state, reading, asked_at))
        self.account, more = self.account.read(reading, asked_at, limits)
        for kind, body in (notes := [*fills, *more]):
            self._note(kind, body)
        self._take(reading)
        if notes:
            self._journal.save(self._memory())

    def flat(self) -> bool:
        """Return whether nothing is held and nothing is under way."""
        state = self._seeded().state
        return not state.pending and not state.doubtful and not any(state.positions.values())

    def report(self) -> PerfSnapshot:
        """Write the snapshot for the governor, and what must survive a restart, twice."""
        self.account = account = self._seeded().peaked()
        self._seq += 1
        signal = self._read_state.good
        number = signal.seq if signal is not None else max(self._read_state.seen.seq, 0)
        head = Head(self._seq, self._settings.run_id, self._clock.wall(), number)
        written = snapshot(head, account.books, account.state, account.marks, self.targets, self.reading)
        self._journal.files.keep(self._memory())
        self._folder.write(written)
        return written

    def close(self) -> None:
        """Close the audit trail."""
        self._journal.trail.close()

    def _look(self) -> bool:
        """Look at the files; return whether something was heard that must survive a restart."""
        files = (self._folder.document(Signal), self._folder.document(Control))
        before, seen = self.intent, self._read_state
        patience = self._settings.patience
        self._read_state, self.intent = look(files, self._folder.key, seen, self._clocks(), patience)
        if self.stopping:
            self.intent = Intent("flat", "stopping")
        if self.intent.mode == "follow" and not usable(self._seeded().equity):
            self.intent = Intent("flat", "no_equity")
        ordered = self._read_state.control_seq > seen.control_seq and not self._read_state.killed
        if ordered and self._seeded().state.left:
            self._set(replace(self._seeded().state, left=()))
        if (self.intent.reason, self.intent.signal) != (before.reason, before.signal):
            self._aim()
        return self._read_state.to_json() != seen.to_json()

    def _aim(self) -> None:
        """Take over the targets of what has just been heard."""
        if self.intent.signal is not None:
            self._base = self._base.moved(trading_window(self._folder), self._seeded().equity)
        self._aims = Aims.of(self.intent, self._base, self._settings.max_equity)
        wanted = {symbol: f"{units:.6g}" for symbol, units in self._aims.units({}).items()}
        level = logging.ERROR if self.intent.reason == "no_equity" else logging.INFO
        log.log(level, "%s (%s): %s", self.intent.mode, self.intent.reason, wanted)
        body = self._why() | {"control": self._read_state.control_seq, "held": sorted(self._aims.held)}
        self._note("intent", body | {"targets": wanted, "equity": self._seeded().equity})

    def _why(self) -> dict[str, Any]:
        """Return why something is done: mode, reason, number of the signal."""
        number = self.intent.signal.seq if self.intent.signal is not None else None
        return {"mode": self.intent.mode, "reason": self.intent.reason, "signal": number}

    def _situation(self, quotes: Mapping[str, Quote], now: int) -> Situation:
        markets = markets_of(self._quotes, quotes, prices_of(self.intent.legs))
        self.targets, kept = self._aims.kept(self._seeded().state, markets)
        groups = groups_of(pairs_of(self.intent.legs), {*self._settings.symbols, *self.targets})
        return Situation(now, self.targets, tuple(groups), markets, kept)

    def _take(self, reading: Reading) -> None:
        """Remember a reading, and name what is held that is not ours."""
        names = {*reading.positions} - {*self._settings.symbols}
        if new := names - {*self.reading.positions}:
            held = {name: reading.positions[name] for name in sorted(new)}
            log.warning("held, but not ours, and left alone: %s", held)
        if (resting := strangers(self.reading, reading, self._seeded().state)) != self._strangers:
            self._strangers = resting
            log.warning("orders that rest, but are not ours, and are left alone: %s", resting or "none any more")
            self._note("strangers", {"orders": resting})
        self.reading = reading

    def _memory(self) -> Memory:
        account = self._seeded()
        at = Clocks(self._clock.wall(), self._now)
        books, stops = account.books, self.protection.book
        return Memory(self._read_state, self._base, books, account.state, account.marks, self._seq, stops, at)

    def _note(self, kind: str, body: Mapping[str, Any]) -> None:
        self._journal.note(self._clocks(), kind, body)

    def _set(self, state: State) -> None:
        self.account = replace(self._seeded(), state=state)

    def _clocks(self) -> Clocks:
        return Clocks(self._clock.wall(), self._clock.monotonic())

    def _seeded(self) -> Account:
        if self.account is None:
            raise ArtifactError("an executor without positions", "one that was seeded", "call seed first")
        return self.account
