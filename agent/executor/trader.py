"""One executor, put together: files, planner, ledger, books. Some trading framework lends it hands."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any, Final

from agent.clock import Clock
from agent.executor import state as ledger
from agent.executor.balance import Market, groups_of
from agent.executor.intent import Intent, Patience, ReadState, look
from agent.executor.performance import Fill, Performance
from agent.executor.planner import Situation, plan
from agent.executor.rules import ZERO, Limits, TradingRule
from agent.executor.state import Order, State
from agent.executor.targets import Base, pairs_of, prices_of, units_of
from agent.state.sealed_file import read_sealed, write_sealed
from perpfut_lib.artifacts import ActivePairs, AgentFolder, Clocks, Control, PerfSnapshot, Position, Signal
from perpfut_lib.artifacts.contract import SCHEMA_VERSION
from perpfut_lib.errors import ArtifactError, MissingInputError, PerpfutError

log = logging.getLogger(__name__)

MEMORY: Final = "executor.json"


@dataclass(frozen=True)
class TraderSettings:
    """What one executor is told."""

    symbols: tuple[str, ...]
    """Symbols that it may trade; all that is held of them is its own."""
    limits: Limits = field(default_factory=Limits)
    patience: Patience = field(default_factory=Patience)
    max_equity: Decimal | None = None
    """Largest equity that weights are taken of, quote currency; none: the account's."""
    run_id: str = "executor"
    """Its name in the snapshots."""


@dataclass(frozen=True)
class Quote:
    """What the exchange says of one symbol."""

    rule: TradingRule
    price: Decimal
    """Middle of the book, quote currency."""


class Trader:
    """From files to orders, and from fills to the snapshot that the governor reads.

    Parameters
    ----------
    folder : AgentFolder
        Where signal, control and pairs are, and where the snapshot goes.
    settings : TraderSettings
        Symbols, limits, patience.
    clock : Clock
        Wall clock of the agent's world, and a monotonic clock of the same pace.
    """

    def __init__(self, folder: AgentFolder, settings: TraderSettings, clock: Clock) -> None:
        self._folder, self._settings, self._clock = folder, settings, clock
        self.state: State | None = None
        """The ledger; none before it is seeded."""
        self.intent = Intent("wait", "starting")
        """What the last look came to."""
        self.stopping = False
        """Set it to go flat."""
        self._read_state, self._base, self._books = ReadState(), Base(-1, 0.0), Performance(0.0, 0.0, 0.0)
        self._marks: dict[str, float] = {}
        self._targets: dict[str, Decimal] = {}
        self._quoted: dict[str, tuple[float, int]] = {}
        self._seq = 0

    def seed(self, positions: Mapping[str, Decimal], equity: float, quotes: Mapping[str, Quote], now: int) -> None:
        """Begin, or go on after a restart, with what the exchange says.

        Parameters
        ----------
        positions : mapping
            Signed base units by symbol, read twice with the same answer.
        equity : float
            Of the account, quote currency, unrealised profit included.
        quotes : mapping
            Of every symbol that is held.
        now : int
            Monotonic clock of the limits, ms.
        """
        held = {symbol: positions.get(symbol, ZERO) for symbol in self._settings.symbols}
        self.state = ledger.seeded(held, now)
        self._mark(quotes)
        tree = self._remembered()
        units = _floats(held)
        if tree is None:
            self._books = Performance.begun(equity, units, self._marks)
            self._seq = self._clock.wall()
            return
        self._read_state = ReadState.from_json(tree["heard"], self._clock.monotonic())
        self._base, self._seq = Base(**tree["base"]), int(tree["seq"])
        books = Performance.from_json(tree["books"])
        # What happened while nobody looked is price P&L: the books must end where the account stands.
        self._books = books.corrected(books.equity(units, self._marks) - equity, 1.0)

    def orders(self, quotes: Mapping[str, Quote], now: int) -> tuple[Order, ...]:
        """Look at the files and return what is to be sent now; none before the ledger is seeded."""
        if self.state is None:
            return ()
        self._mark(quotes)
        clocks = Clocks(self._clock.wall(), self._clock.monotonic())
        files = (self._folder.document(Signal), self._folder.document(Control))
        before = self.intent
        self._read_state, self.intent = look(files, self._folder.key, self._read_state, clocks, self._settings.patience)
        if self.stopping:
            self.intent = Intent("flat", "stopping")
        if (self.intent.reason, self.intent.signal) != (before.reason, before.signal):
            self._hear()
        if self.intent.mode == "wait":
            return ()
        self.state, orders = plan(self.state, self._situation(quotes, now), self._settings.limits)
        return orders

    def sent(self, order: Order, order_id: str, now: int) -> None:
        """Note an order that has left."""
        self.state = ledger.sent(self._seeded(), order, order_id, now)
        signal = self.intent.signal
        price = prices_of(self.intent.legs).get(order.symbol)
        if signal is not None and price is not None:
            self._quoted[order_id] = (float(price), signal.created_at)

    def fill(self, order_id: str, quantity: Decimal, price: Decimal, fee: Decimal, now: int) -> None:
        """PairLedger a fill of signed base units."""
        before = self._seeded()
        self.state = ledger.filled(before, order_id, quantity, now)
        if self.state is before:
            return
        quoted, written = self._quoted.get(order_id, (None, None))
        latency = None if written is None else max(0.0, float(self._clock.wall() - written))
        self._books = self._books.booked(Fill(float(quantity), float(price), float(fee), quoted, latency))

    def end(self, order_id: str, now: int, *, failed: bool) -> None:
        """Note the last word on an order."""
        if failed and order_id in self._seeded().pending:
            self._books = self._books.rejected()
        self.state = ledger.finished(self._seeded(), order_id, now, failed=failed)

    def reading_due(self, now: int) -> bool:
        """Return whether the exchange's positions are to be read."""
        return self.state is not None and ledger.reading_due(self.state, now, self._settings.limits)

    def read(self, positions: Mapping[str, Decimal], asked_at: int) -> None:
        """Compare the ledger with a reading of the exchange."""
        before = self._seeded()
        ours = {symbol: positions.get(symbol, ZERO) for symbol in self._settings.symbols}
        self.state = ledger.read(before, ours, asked_at, self._settings.limits)
        for symbol in self._settings.symbols:
            change = self.state.position(symbol) - before.position(symbol)
            if change:
                log.warning("%s: the exchange holds %s more than the fills say", symbol, change)
                self._books = self._books.corrected(float(change), self._marks[symbol])

    def funding(self, amount: Decimal) -> None:
        """PairLedger a funding payment, positive where it was received."""
        self._books = self._books.paid(float(amount))

    def flat(self) -> bool:
        """Return whether nothing is held and nothing is under way."""
        state = self._seeded()
        return not state.pending and not state.doubtful and not any(state.positions.values())

    def report(self) -> PerfSnapshot:
        """Write the snapshot for the governor, and what must survive a restart."""
        units = _floats(self._seeded().positions)
        self._books = self._books.marked(units, self._marks)
        self._seq += 1
        snapshot = self._snapshot(units)
        tree = {
            "heard": self._read_state.to_json(),
            "base": asdict(self._base),
            "books": self._books.to_json(),
            "seq": self._seq,
            "state": self._seeded().to_json(),
        }
        write_sealed(self._folder.path / MEMORY, tree)
        self._folder.write(snapshot)
        return snapshot

    def _hear(self) -> None:
        """Take over the targets of what has just been heard."""
        signal, equity = self.intent.signal, self._books.equity(_floats(self._seeded().positions), self._marks)
        if signal is not None:
            self._base = self._base.moved(self._window(), equity)
            if self._base.window < 0 and self._base.equity <= 0.0:
                self._base = Base(-1, equity)
        self._targets = units_of(self.intent.legs, self._base, self._settings.max_equity)
        wanted = {symbol: f"{units:.6g}" for symbol, units in self._targets.items()}
        log.info("%s (%s): %s", self.intent.mode, self.intent.reason, wanted)

    def _window(self) -> int | None:
        """Return the start of the trading window; none where the pairs cannot be read."""
        try:
            return self._folder.read(ActivePairs).valid_from
        except PerpfutError:
            return None

    def _situation(self, quotes: Mapping[str, Quote], now: int) -> Situation:
        prices = prices_of(self.intent.legs)
        markets = {name: Market(quote.rule, quote.price, prices.get(name)) for name, quote in quotes.items()}
        groups = groups_of(pairs_of(self.intent.legs), {*self._settings.symbols, *self._targets})
        return Situation(now, self._targets, tuple(groups), markets)

    def _snapshot(self, units: Mapping[str, float]) -> PerfSnapshot:
        signal = self._read_state.good
        books, marks = self._books, self._marks
        shown = [name for name in self._settings.symbols if name in marks]
        return PerfSnapshot(
            schema_version=SCHEMA_VERSION,
            kind="perf_snapshot",
            seq=self._seq,
            run_id=self._settings.run_id,
            created_at=self._clock.wall(),
            signal_seq=signal.seq if signal is not None else max(self._read_state.seen.seq, 0),
            equity=books.equity(units, marks),
            peak_equity=max(books.peak, 0.0),
            price_pnl=books.price_pnl(units, marks),
            funding=books.funding,
            fees=books.fees,
            slippage_bps=books.slippage_bps,
            fills=books.fills,
            rejects=books.rejects,
            fill_latency_ms=books.latency_ms,
            positions=tuple(self._position(name, units.get(name, 0.0)) for name in shown),
        )

    def _position(self, symbol: str, quantity: float) -> Position:
        target = float(self._targets.get(symbol, ZERO))
        mark = self._marks[symbol]
        return Position(symbol=symbol, quantity=quantity, mark=mark, target=target, liquidation_price=None)

    def _mark(self, quotes: Mapping[str, Quote]) -> None:
        self._marks |= {symbol: float(quote.price) for symbol, quote in quotes.items()}

    def _remembered(self) -> dict[str, Any] | None:
        try:
            tree: dict[str, Any] = read_sealed(self._folder.path / MEMORY)
        except MissingInputError:
            return None
        except ArtifactError as error:
            log.error("the executor's memory is lost: %s", error)
            return None
        return tree

    def _seeded(self) -> State:
        if self.state is None:
            raise ArtifactError("an executor without positions", "one that was seeded", "call seed first")
        return self.state


def _floats(units: Mapping[str, Decimal]) -> dict[str, float]:
    return {symbol: float(quantity) for symbol, quantity in units.items()}
