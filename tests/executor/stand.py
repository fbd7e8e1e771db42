"""A simulated exchange with faults, and a driver that does what the trading script does: plan, send, listen, read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from agent.executor.balance import Market, groups_of
from agent.executor.planner import Situation, plan
from agent.executor.readings import read, reading_due
from agent.executor.rules import ZERO, Limits, TradingRule
from agent.executor.state import Order, filled, finished, seeded, sent

TICK_MS = 1_000
RULE = TradingRule(Decimal("0.01"), Decimal("0.01"), Decimal("0.01"), Decimal(5))
PAIRS = {("AAA", "BBB"): Decimal("0.8"), ("CCC", "DDD"): Decimal("1.6")}
"""Pairs with their hedge ratio in units: short so many of the second for one of the first."""
SYMBOLS = tuple(symbol for pair in PAIRS for symbol in pair)
LIMITS = Limits(max_order_notional=Decimal(2_000), cool_off_ms=30_000)
FATES = ("filled", "pieces", "partial", "rejected", "unheard", "failed_but_filled", "lost", "slow")


class Fate(NamedTuple):
    """What happens to one order."""

    kind: str = "filled"
    delay: int = 0
    """Ticks until the exchange trades it, and as many until it tells."""


@dataclass
class Stand:
    """Exchange and driver together; the truth is ``held``, the planner's belief ``state``."""

    limits: Limits = LIMITS
    held: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(SYMBOLS, ZERO))
    prices: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(SYMBOLS, Decimal(100)))
    targets: dict[str, Decimal] = field(default_factory=dict)
    fates: dict[str, list[Fate]] = field(default_factory=dict)
    """Coming fates by symbol; an order without one is filled at once."""
    lag: int = 0
    """Ticks by which readings of positions are old."""
    closed: frozenset[str] = frozenset()
    """Symbols in which nothing may be opened."""
    deaf: bool = False
    """Whether readings fail."""
    now: int = 1_000_000
    orders: list[Order] = field(default_factory=list)

    def __post_init__(self):
        self.state = seeded(self.held, self.now)
        self.history = [dict(self.held)]
        self.events = []  # (due, number, what), told and done in order
        self.asked = None  # (due, positions, asked_at)
        self.most = {symbol: abs(quantity) for symbol, quantity in self.held.items()}
        self.exposed = dict.fromkeys(PAIRS, 0)
        self.longest = 0
        self.number = 0

    def aim(self, units: Mapping[str, Decimal]):
        """Take over new targets: a position may from now on be as large as the target, or as it is on the way."""
        in_flight = {symbol: ZERO for symbol in SYMBOLS}
        for one in self.state.pending.values():
            in_flight[one.order.symbol] += abs(one.order.quantity - one.executed)
        for due in self.events:
            if due[2] == "trade":
                in_flight[due[3].symbol] += abs(due[3].quantity)
        self.targets = dict(units)
        for symbol in SYMBOLS:
            on_the_way = min(abs(self.held[symbol]) + in_flight[symbol], max(self.most[symbol], abs(self.held[symbol])))
            self.most[symbol] = max(abs(self.targets.get(symbol, ZERO)), on_the_way)

    def aim_pairs(self, units: Mapping[tuple[str, str], Decimal]):
        """Aim for so many units of each pair's first leg."""
        self.aim(
            {leg: size for pair, y in units.items() for leg, size in zip(pair, (y, -y * PAIRS[pair]), strict=True)}
        )

    def tick(self):
        """Let a second pass."""
        self.now += TICK_MS
        for due in sorted([event for event in self.events if event[0] <= self.now], key=lambda event: event[:2]):
            self.events.remove(due)
            getattr(self, f"_{due[2]}")(*due[3:])
        self._read()
        situation = self.situation()
        self.state, orders = plan(self.state, situation, self.limits)
        self._check_need(orders)
        for order in orders:
            self.number += 1
            self.state = sent(self.state, order, f"id{self.number}", self.now)
            self.orders.append(order)
            self._accept(order, f"id{self.number}")
        self.history.append(dict(self.held))
        self._check()

    def situation(self) -> Situation:
        """Return what the planner sees."""
        markets = {symbol: Market(RULE, self.prices[symbol]) for symbol in SYMBOLS}
        return Situation(self.now, self.targets, tuple(groups_of(PAIRS, SYMBOLS)), markets)

    def settled(self) -> bool:
        """Return whether the exchange holds the targets, within one lot."""
        return all(abs(self.held[symbol] - self.targets.get(symbol, ZERO)) <= RULE.lot for symbol in SYMBOLS)

    def _accept(self, order, order_id):
        waiting = self.fates.get(order.symbol)
        fate = waiting.pop(0) if waiting else Fate()
        self._later(fate.delay, "trade", order, order_id, fate)

    def _later(self, ticks, what, *arguments):
        self.number += 1
        self.events.append((self.now + ticks * TICK_MS, self.number, what, *arguments))
        if ticks == 0 and what == "trade":
            getattr(self, f"_{self.events.pop()[2]}")(*arguments)

    def _trade(self, order, order_id, fate):
        """Do at the exchange what the fate says, and let the news of it travel."""
        quantity = self._possible(order)
        shut = order.symbol in self.closed and not order.reduce_only
        kind = "rejected" if quantity == 0 or shut else fate.kind
        if kind == "rejected":
            self._later(fate.delay + 1, "end", order_id, True)
            return
        if kind == "lost":
            return
        if kind == "partial":
            quantity = RULE.inside(quantity / 3)
        told = [quantity] if kind != "pieces" else [RULE.inside(quantity / 4), quantity - RULE.inside(quantity / 4)]
        self.held[order.symbol] += quantity
        if kind == "unheard":
            return
        for number, piece in enumerate(told):
            if piece:
                self._later(fate.delay + number + (3 if kind == "failed_but_filled" else 0), "fill", order_id, piece)
        failed = kind == "failed_but_filled"
        self._later(0 if failed else fate.delay + len(told), "end", order_id, failed)

    def _possible(self, order):
        """Return what an exchange would trade of it: reduce-only orders are cut to the position."""
        if not order.reduce_only:
            return order.quantity
        held = self.held[order.symbol]
        if held * order.quantity >= 0:
            return ZERO
        return order.quantity if abs(order.quantity) <= abs(held) else -held

    def _fill(self, order_id, quantity):
        self.state = filled(self.state, order_id, quantity, self.now)

    def _end(self, order_id, failed):
        self.state = finished(self.state, order_id, self.now, self.limits, failed=failed)

    def _read(self):
        if self.asked is not None and self.asked[0] <= self.now:
            self.state = read(self.state, self.asked[1], self.asked[2], self.limits)
            self.asked = None
        if self.asked is None and not self.deaf and reading_due(self.state, self.now, self.limits):
            then = self.history[max(0, len(self.history) - 1 - self.lag)]
            self.asked = (self.now + TICK_MS, dict(then), self.now)

    def _check_need(self, orders):
        """Every order brings the ledger nearer to a target that a correct planner may have, and not beyond."""
        for order in orders:
            held, target = self.state.position(order.symbol), self.targets.get(order.symbol, ZERO)
            after = held + order.quantity
            between = min(ZERO, held, target) - RULE.lot <= after <= max(ZERO, held, target) + RULE.lot
            assert between, f"{order} from {held} for {target}"
            if order.reduce_only:
                assert abs(after) < abs(held), f"{order} from {held}"
            else:
                assert abs(after - target) < abs(held - target), f"{order} from {held} for {target}"

    def _check(self):
        for symbol, quantity in self.held.items():
            assert abs(quantity) <= self.most[symbol] + RULE.lot, f"{symbol} ran away to {quantity}"
        for pair, ratio in PAIRS.items():
            y, x = self.held[pair[0]], self.held[pair[1]]
            gap = abs(x + ratio * y) * self.prices[pair[1]]
            gross = sum(abs(self.targets.get(leg, ZERO)) * self.prices[leg] for leg in pair)
            free = max(self.limits.imbalance_share * gross, Decimal(20)) * 2
            self.exposed[pair] = self.exposed[pair] + TICK_MS if gap > free else 0
            self.longest = max(self.longest, self.exposed[pair])

    def moved(self, shares: Mapping[str, Decimal]):
        """Move prices by these shares."""
        self.prices = {symbol: price * (1 + shares.get(symbol, ZERO)) for symbol, price in self.prices.items()}


def calm(stand: Stand, ticks: int) -> Stand:
    """Take all faults away and let some time pass."""
    stand.fates, stand.lag, stand.deaf, stand.closed = {}, 0, False, frozenset()
    for _ in range(ticks):
        stand.tick()
    return stand
