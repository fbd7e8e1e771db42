"""What must hold at every moment of the simulation and at its end, whatever goes wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from agent.executor.audit import Audit, against_ledger, against_positions, audit
from agent.executor.state import Order
from agent.executor.trail import events
from agent.testing.schedule_results import Outcome
from agent.testing.simulated_agent import PAIRS, SYMBOLS, SimulatedAgent
from agent.testing.simulated_executor import LIMITS, LONGEST_IMBALANCE_MS, SimulatedExecutor
from agent.testing.simulated_network import IN_A_ROW, TICK_MS
from agent.testing.simulated_venue import SimulatedVenue
from perpfut_lib.artifacts import Signal

BOUND_MS: Final = LONGEST_IMBALANCE_MS + (IN_A_ROW + 1) * (
    LIMITS.pending_ms + 2 * LIMITS.settle_ms + LIMITS.backoff_ms + 2 * (IN_A_ROW + 1) * 4 * TICK_MS
)
"""Longest time without a hedge: the time allowed, then an unwinding of which each try fails as slowly as it can."""

BARE_MS: Final = LIMITS.quiet_ms + (IN_A_ROW + 1) * (
    LIMITS.pending_ms + LIMITS.settle_ms + LIMITS.backoff_ms + 2 * (IN_A_ROW + 1) * 4 * TICK_MS
)
"""Longest time without a stop behind a position: each try fails as slowly as it can, and a reading finds it out."""
DEVIATION: Final = float(LIMITS.max_deviation) + 1e-9
CENT: Final = 1e-6
"""Largest difference of sums that is rounding, quote currency."""
NEAR: Final = 1e-6
"""Largest difference of an equity that is rounding, as a share of it."""
FREE: Final = 60.0
"""Notional that is too small to be ordered or hedged, with some room, quote currency."""


@dataclass
class Watch:
    """The invariants.

    No position beyond its cap; no unhedged leg, and no position without a stop, for longer than its bound while the
    executor is up; nothing opened on a signal that is over, older than one that was followed, or merely holds the pair,
    against a kill, beside what the exchange closed by itself, or across a gap; nothing of ours taken for others'.
    """

    agent: SimulatedAgent
    executor: SimulatedExecutor
    venue: SimulatedVenue
    outcome: Outcome
    newest: int = -1
    exposed: dict[tuple[str, str], int] = field(default_factory=dict)
    bare: dict[str, int] = field(default_factory=dict)

    def order(self, order: Order) -> None:
        """Check an order that leaves."""
        trader = self.executor.trader
        if order.reduce_only or trader is None:
            return
        signal = trader.intent.signal
        if signal is None or self.venue.now >= signal.expires_at:
            self._broken(f"{order} on a signal that is over")
        elif signal.seq < self.newest:
            self._broken(f"{order} on signal {signal.seq} after {self.newest}")
        elif self.agent.killed_for() > 1:
            self._broken(f"{order} against a kill")
        elif set(trader.state.left if trader.state else ()) & set(_partners(order.symbol)):
            self._broken(f"{order} beside what the exchange closed, {trader.state and trader.state.left}")
        elif not self._near(order, signal):
            self._broken(f"{order} far from the signal's price")
        elif any(one.status == "held" and order.symbol in one.pair.split("~") for one in signal.pairs):
            self._broken(f"{order} on signal {signal.seq}, which holds its pair")
        else:
            self.newest = signal.seq

    def tick(self) -> None:
        """Check positions and hedges."""
        for symbol in SYMBOLS:
            held, cap = self.venue.position(symbol), self.agent.caps.get(symbol, Decimal(0))
            if abs(held) > cap:
                self._broken(f"{symbol} ran away to {held}, beyond {cap}")
            self._stopped(symbol, held)
        trader = self.executor.trader
        if trader is not None and trader.state is not None:
            strange = {*trader.state.left, *trader.state.foreign} - self.venue.forced
            if strange:
                self._broken(f"taken for somebody else's: {trader.state.left} {dict(trader.state.foreign)}")
        for pair, ratio in PAIRS.items():
            self._hedge(pair, ratio)

    def _near(self, order: Order, signal: Signal) -> bool:
        """Return whether the best offer is as near to the signal's price as an opening asks for."""
        quote = self.venue.quotes()[order.symbol]
        offer = quote.ask if order.quantity > 0 else quote.bid
        prices = [leg.price for leg in signal.legs if leg.symbol == order.symbol]
        return offer is not None and all(abs(float(offer) / one - 1) <= DEVIATION for one in prices)

    def _hedge(self, pair: tuple[str, str], ratio: float) -> None:
        values = [float(self.venue.position(name)) * self.venue.price(name) for name in pair]
        gap = values[1] + ratio * values[0]
        larger = pair[0] if abs(values[0]) * ratio > abs(values[1]) else pair[1]
        able = self._up() and larger not in self.venue.unquoted
        free = max(0.3 * self.agent.gross(pair), FREE)
        self.exposed[pair] = self.exposed.get(pair, 0) + TICK_MS if able and abs(gap) > free else 0
        self.outcome.longest_ms = max(self.outcome.longest_ms, self.exposed[pair])
        if self.exposed[pair] > BOUND_MS:
            self._broken(f"{pair} unhedged by {gap:.0f} for {self.exposed[pair]} ms")

    def _stopped(self, symbol: str, held: Decimal) -> None:
        """Check that stops behind a position add up to it: a reduce-only order is cut to what is held."""
        stops = [one.quantity for one in self.venue.stops().values() if one.symbol == symbol] if held else []
        covered = abs(sum((one for one in stops if one * held < 0), Decimal(0)))
        able = self._up() and symbol not in self.venue.unquoted
        self.bare[symbol] = self.bare.get(symbol, 0) + TICK_MS if able and covered < abs(held) else 0
        self.outcome.bare_ms = max(self.outcome.bare_ms, self.bare[symbol])
        if self.bare[symbol] > BARE_MS:
            self._broken(f"{symbol}: no stop behind {held} for {self.bare[symbol]} ms")

    def _up(self) -> bool:
        """Return whether the executor has been up for long enough to have heard of everything."""
        since = self.executor.up_since()
        return since is not None and self.venue.now - since > LIMITS.pending_ms

    def resting(self) -> bool:
        """Return whether the executor has nothing under way, and holds the targets with a stop behind each.

        A funding payment is under way until the next reading.
        """
        account = self.executor.trader.account if self.executor.trader is not None else None
        if account is None or account.state.pending or account.state.doubtful:
            return False
        if abs(account.books.funding - income(self.venue, "FUNDING_FEE")) > CENT:
            return False
        return self._stops() == self._wanted_stops() and all(self._on_target(symbol) for symbol in SYMBOLS)

    def _stops(self) -> list[tuple[str, Decimal]]:
        return sorted((one.symbol, one.quantity) for one in self.venue.stops().values())

    def _wanted_stops(self) -> list[tuple[str, Decimal]]:
        return sorted((symbol, -held) for symbol in SYMBOLS if (held := self.venue.position(symbol)))

    def _on_target(self, symbol: str) -> bool:
        gap = float(self.venue.position(symbol)) - self.agent.targets.get(symbol, 0.0)
        return abs(gap) * self.venue.price(symbol) <= FREE

    def rest(self) -> None:
        """Check, after all faults are over, that targets, ledger, audit trail and exchange agree."""
        trader, targets = self.executor.trader, self.agent.targets
        if trader is None or trader.account is None:
            self._broken("not up at rest")
            return
        held = {name: self.venue.position(name) for name in SYMBOLS}
        own = {name: trader.account.state.position(name) for name in SYMBOLS}
        if held != own:
            self._broken(f"the ledger says {own}, the exchange {held}")
        resting = [one.number for one in self.venue.account.open_orders() if one.request.trigger is None]
        if resting:
            self._broken(f"orders {resting} rest although the targets are held")
        if self._stops() != self._wanted_stops():
            self._broken(f"stops {self._stops()} behind {held}")
        for symbol in SYMBOLS:
            if not self._on_target(symbol):
                self._broken(f"{symbol}: {held[symbol]} at rest for {targets.get(symbol, 0.0):.4f}")
        trader.report()
        found = audit(events(self.executor.folder.trail))
        wrong = [*found.faults, *against_positions(found, held), *against_ledger(found, self.executor.memory())]
        for text in [*wrong, *against_income(found, self.venue)]:
            self._broken(f"audit: {text}")
        gap = equity_at(self.venue, trader.account.marks) - trader.account.equity
        if abs(gap) > NEAR * self.venue.equity():
            self._broken(f"equity differs by {gap:.4f}")

    def _broken(self, text: str) -> None:
        if len(self.outcome.violations) < 5:
            self.outcome.violations.append(f"tick {self.outcome.ticks}: {text}")


def against_income(found: Audit, venue: SimulatedVenue) -> list[str]:
    """Return how the trail's fills, fees and funding differ from the exchange's; none where they agree."""
    pairs = {
        "fills": (found.fills, len(venue.account.fills)),
        "fees": (found.fees, -income(venue, "COMMISSION")),
        "funding": (found.funding, income(venue, "FUNDING_FEE")),
    }
    return [
        f"{name}: {ours} by the trail, {theirs} by the exchange"
        for name, (ours, theirs) in pairs.items()
        if abs(ours - theirs) > CENT * max(1.0, abs(theirs))
    ]


def equity_at(venue: SimulatedVenue, marks: Mapping[str, float]) -> float:
    """Return the exchange's account at other marks, quote currency: its own differ from the market while that jumps."""
    profit = sum(float(one.profit(Decimal(str(marks[symbol])))) for symbol, one in venue.account.held())
    return float(venue.account.wallet) + profit


def income(venue: SimulatedVenue, kind: str) -> float:
    """Return the sum of one kind of income on the exchange's account, quote currency."""
    return float(sum((one.amount for one in venue.account.income if one.kind == kind), Decimal(0)))


def _partners(symbol: str) -> tuple[str, str]:
    """Return the pair of a symbol."""
    return next(pair for pair in PAIRS if symbol in pair)
