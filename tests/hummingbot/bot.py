"""A real Hummingbot on our local exchange, told what to do by signal files, looked at from the exchange's side."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from agent.executor.audit import audit
from agent.executor.trail import events
from agent.hummingbot.engine import Engine
from agent.state.sealed_file import read_sealed
from perpfut_lib.artifacts import AgentFolder, Control, Leg, PairReport, PerfSnapshot, Provenance, Signal
from perpfut_lib.errors import PerpfutError
from perpfut_lib.venue.accounts import Account
from perpfut_lib.venue.faults import AnyFault
from perpfut_lib.venue.server import RunningExchange

PATIENCE = 120.0  # real seconds until something that must happen is given up: machines in tests are slow
FAST = {
    "settle": 1.5,
    "quiet": 6.0,
    "confirm": 6.0,
    "backoff": 6.0,
    "hold": 4.0,
    "imbalance": 8.0,
    "cool_off": 6.0,
    "pending": 12.0,
    "report": 1.0,
    "stop": 45.0,
}
"""Settings that let minutes pass in seconds."""
CENT = 0.01
"""Largest difference of fees that is rounding: Hyperliquid tells six decimals of each."""
PAIRS = (("SIM01USDT", "SIM02USDT"), ("SIM03USDT", "SIM04USDT"))
SYMBOLS = tuple(symbol for pair in PAIRS for symbol in pair)
Weights = Mapping[tuple[str, str], tuple[float, float]]
PROVENANCE = Provenance(config="0" * 64, code="unknown", inputs={})


def until(met: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Wait until a condition holds; fail with ``what`` if it does not come."""
    end = time.monotonic() + patience
    while not met():
        assert time.monotonic() < end, f"not within {patience:g} s: {what}"
        time.sleep(0.1)


@dataclass
class Bot:
    """One connector, one engine, one account."""

    connector: str
    venue: RunningExchange
    engine: Engine
    folder: AgentFolder
    seq: int = 0
    targets: dict[str, Decimal] = field(default_factory=dict)
    """Units that the last signal asked for."""

    @property
    def account(self) -> Account:
        """Return the account at the exchange."""
        name = "binance" if self.connector.startswith("binance") else self.venue.exchange.config.wallet
        return self.venue.matching.account(name)

    def position(self, symbol: str) -> Decimal:
        """Return what the exchange holds."""
        return self.account.position(symbol).quantity

    def orders(self) -> int:
        """Return the number of orders that the exchange has accepted so far."""
        return len(self.account.orders)

    def start(self, **settings) -> None:
        """Start the engine and wait until it knows its positions."""
        self.engine.configure(
            connector=self.connector, folder=str(self.folder.path), symbols=list(SYMBOLS), **FAST | settings
        )
        before = self.said("seeded with")
        self.engine.start()
        until(lambda: self.said("seeded with") > before or not self.engine.running(), "the engine starts")
        assert self.engine.running(), self.engine.said()[-3000:]

    def said(self, text: str) -> int:
        """Return how often the engine's log holds a text."""
        return self.engine.said().count(text)

    def order_to(self, **orders) -> None:
        """Write the operator's file."""
        self.seq += 1
        head = {"schema_version": 1, "kind": "control", "seq": self.seq, "run_id": "operator", "created_at": now()}
        values = {"pause": False, "kill": False, "max_exposure": None, "allow": None, "deny": ()} | orders
        self.folder.write(Control(**head, **values))

    def signal(
        self, weights: Mapping[tuple[str, str], tuple[float, float]], seconds: float = 600.0, **changes
    ) -> Signal:
        """Write a signal for pairs with the weights of both legs, and remember its units."""
        self.seq += 1
        equity = Decimal(str(self.folder_equity()))
        legs, self.targets = [], {}
        for (y, x), pair_weights in weights.items():
            for symbol, weight in zip((y, x), pair_weights, strict=True):
                price = self.price(symbol)
                legs.append(Leg(pair=f"{y}~{x}", symbol=symbol, weight=weight, price=price))
                self.targets[symbol] = equity * Decimal(str(weight)) / Decimal(str(price))
        reports = tuple(PairReport(pair=f"{y}~{x}", action=0.5, status="active", reasons=()) for y, x in weights)
        head = {"schema_version": 1, "kind": "signal", "seq": self.seq, "run_id": "test", "created_at": now()}
        body = {"bar_close": now(), "expires_at": now() + int(1000 * seconds), "kill": False, "reasons": ()}
        values = head | body | {"legs": tuple(legs), "pairs": reports, "provenance": PROVENANCE} | changes
        signal = Signal(**values)
        if not signal.legs:
            self.targets = {}
        self.folder.write(signal)
        return signal

    def folder_equity(self) -> float:
        """Return the equity that the executor takes weights of: fixed when its first signal came."""
        try:
            equity = read_sealed(self.folder.path / "executor.json")["base"]["equity"]
        except PerpfutError:  # no memory yet
            equity = 0.0
        return equity or float(self.account.wallet)

    def price(self, symbol: str) -> float:
        """Return the middle of the book."""
        quote = self.venue.exchange.quote(symbol)
        return (quote.bid + quote.ask) / 2

    def at_target(self) -> bool:
        """Return whether the exchange holds the targets within one lot."""
        lots = {symbol: self.venue.exchange.series(symbol).instrument.lot for symbol in SYMBOLS}
        return all(abs(self.position(name) - self.targets.get(name, Decimal(0))) <= lots[name] for name in SYMBOLS)

    def settle(self, most: int) -> None:
        """Wait for the targets, and see that at most so many orders were sent and none follows."""
        before = self.orders()
        until(self.at_target, f"targets {self.targets}")
        self.rests()
        assert self.orders() - before <= most

    def rests(self, seconds: float = 3.0) -> None:
        """See that no order is sent for a while."""
        before, end = self.orders(), time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.orders() == before, "an order without need"
            time.sleep(0.2)

    def books_agree(self) -> bool:
        """Return whether the audit trail has every fill and every fee of the account, told or only listed."""
        found = audit(events(self.folder.trail))
        paid = sum((fill.fee for fill in self.account.fills), Decimal(0))
        return found.fills == len(self.account.fills) and abs(found.fees - float(paid)) < CENT

    def fault(self, fault: AnyFault) -> None:
        """Switch a fault of the exchange on."""
        self.venue.exchange.add_fault(fault)

    def snapshot(self) -> PerfSnapshot:
        """Return the executor's report."""
        return self.folder.read(PerfSnapshot)


def now() -> int:
    """Return the wall clock, ms UTC."""
    return time.time_ns() // 1_000_000


def agent_folder(path: Path) -> AgentFolder:
    """Return an agent's folder without a seal key."""
    path.mkdir(parents=True, exist_ok=True)
    return AgentFolder(path)
