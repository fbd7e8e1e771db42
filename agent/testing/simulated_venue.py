"""The local exchange's own matching engine in the simulation, behind the network."""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final, Self

import numpy as np

from agent.executor.protection import Protection
from agent.executor.rules import TradingRule
from agent.executor.settings import Quote
from agent.executor.snapshots import Reading
from agent.executor.state import Order
from agent.executor.stops import Stop
from agent.executor.trades import History, ListedTrade, Payment, Trade
from agent.testing.simulated_executor import SimulatedExecutor
from agent.testing.simulated_market import SHOCKS, WORDS, SteppedExchange
from agent.testing.simulated_network import TICK_MS, Network
from perpfut_lib.venue.accounts import ZERO, Account, Event, Fill, Refused, Request, Side
from perpfut_lib.venue.accounts import Order as BookOrder
from perpfut_lib.venue.faults import Deleverage, Fault, PartialFill, Reject
from perpfut_lib.venue.matching import Matching
from perpfut_lib.venue.protection import DELEVERAGED_ID
from perpfut_lib.venue.settings import VenueConfig
from perpfut_lib.venue.tape import Tape

NAME: Final = "simulation"
LOST_AT_RESTART: Final = 0.5
"""Share of news of orders from before a restart that nobody hears any more."""


@dataclass
class SimulatedVenue:
    """Exchange, account, and what of it is known outside."""

    matching: Matching
    rng: np.random.Generator
    listeners: list[Callable[[Order], None]] = field(default_factory=list)
    """Called with every order before it leaves."""
    unquoted: frozenset[str] = frozenset()
    """Symbols without a quote."""
    forced: set[str] = field(default_factory=set)
    """Symbols in which the exchange has traded by itself: a stop, a liquidation, deleveraging."""
    shocks: Counter[str] = field(default_factory=Counter)
    """How often it did so, and how often the market was shaken, by kind."""

    def __post_init__(self) -> None:
        self._past: deque[tuple[Reading, int, int]] = deque(maxlen=8)  # numbers of trades and of payments with it
        self._taken: set[str] = set()
        self._sent: set[str] = set()
        self._failures, self._list_lag = 0.0, 0
        self.matching.listeners.append(self._on_event)

    @classmethod
    def opened(cls, tape: Tape, rng: np.random.Generator) -> Self:
        """Return an exchange that stands somewhere on the tape's second day."""
        span = (tape.end - tape.start) // 2
        start = tape.start + span + int(rng.integers(0, span - 3_600_000)) // TICK_MS * TICK_MS
        return cls.opened_at(tape, start, rng)

    @classmethod
    def opened_at(cls, tape: Tape, start: int, rng: np.random.Generator) -> Self:
        """Return an exchange that stands at ``start``, ms UTC."""
        return cls(Matching(SteppedExchange.open(VenueConfig(clock="stepped", start=start), tape)), rng)

    def connect(self, network: Network, executor: SimulatedExecutor) -> None:
        """Put network and customer in their places."""
        self._network, self._executor = network, executor

    @property
    def now(self) -> int:
        """Return the time, ms UTC."""
        return self.matching.exchange.clock.now()

    @property
    def account(self) -> Account:
        """Return the customer's account."""
        return self.matching.account(NAME)

    def begin_phase(self) -> None:
        """Choose what goes wrong: refusals, partial fills, a symbol without a quote, failures that are none, shocks."""
        self.calm()
        faults, symbols = self.matching.exchange, sorted(self.matching.exchange.tape.series)
        for symbol in symbols:
            if self.rng.uniform() < 0.3:
                faults.add_fault(Reject(symbol=symbol, reason="busy", count=int(self.rng.integers(1, 4))))
            if self.rng.uniform() < 0.3:
                share = float(self.rng.uniform(0.2, 0.9))
                faults.add_fault(PartialFill(symbol=symbol, share=share, count=int(self.rng.integers(1, 3))))
        if self.rng.uniform() < 0.2:
            self.unquoted = frozenset([str(self.rng.choice(symbols))])
        self._failures, self._list_lag = float(self.rng.uniform(0, 0.2)), int(self.rng.integers(0, 3))
        self._shake(symbols)

    def _shake(self, symbols: list[str]) -> None:
        """Let the market do something to who holds a position."""
        shocks: list[Fault] = []
        for chance, make in SHOCKS:
            if self.rng.uniform() < chance:
                shocks.append(make(self.rng, str(self.rng.choice(symbols))))
        for shock in shocks:
            self.matching.exchange.add_fault(shock)
            if not isinstance(shock, Deleverage):  # counted when it happens
                self.shocks[WORDS[type(shock)]] += 1

    def calm(self) -> None:
        """Let nothing go wrong."""
        self.matching.exchange.clear_faults()
        self.unquoted, self._failures, self._list_lag = frozenset(), 0.0, 0

    def advance(self) -> None:
        """Let a tick pass."""
        self.matching.exchange.clock.advance(TICK_MS)
        positions = {symbol: one.quantity for symbol, one in self.account.held()}
        marks = {symbol: float(self.matching.mark(symbol)) for symbol in positions}
        reading = Reading(positions, self.equity(), marks=marks, stops=self.stops(), at=self.now)
        self._past.append((reading, len(self.account.fills), len(self.account.income)))

    def position(self, symbol: str) -> Decimal:
        """Return what is held."""
        return self.account.position(symbol).quantity

    def stops(self) -> dict[str, Stop]:
        """Return the stops that rest, by the customer's id."""
        orders = [one.request for one in self.account.open_orders() if one.request.trigger is not None]
        return {
            one.client_id: Stop(one.client_id, one.symbol, one.sign * one.quantity, one.trigger or ZERO)
            for one in orders
        }

    def price(self, symbol: str) -> float:
        """Return the middle of the book."""
        quote = self.matching.exchange.quote(symbol)
        return (quote.bid + quote.ask) / 2

    def equity(self) -> float:
        """Return wallet and unrealised profit."""
        account = self.account
        return float(account.wallet + self.matching.unrealised(account))

    def reading(self, lag: int, lists: Mapping[str, int]) -> Reading:
        """Return the account as it was ``lag`` ticks ago, and what is listed of these symbols since these times.

        The lists may be older than the positions.
        """
        _, fills, income = self._ago(lag + self._list_lag)
        rows: list[tuple[str, ListedTrade | Payment]] = []
        for fill in self.account.fills[:fills]:
            request = fill.order.request
            rows.append((request.symbol, ListedTrade(_trade(fill), request.client_id, fill.time)))
        for one in self.account.income[:income]:
            if one.kind == "FUNDING_FEE":
                rows.append((one.symbol, Payment(one.amount, one.time)))
        history = {
            symbol: History(since, tuple(row for name, row in rows if name == symbol and row.time >= since))
            for symbol, since in lists.items()
        }
        return replace(self._ago(lag)[0], history=history)

    def _ago(self, lag: int) -> tuple[Reading, int, int]:
        return self._past[max(0, len(self._past) - 1 - lag)]

    def quotes(self) -> Mapping[str, Quote]:
        """Return what is quoted now."""
        found = {}
        for symbol, series in self.matching.exchange.tape.series.items():
            rules = series.instrument
            rule = TradingRule(rules.lot, rules.tick, rules.lot, rules.min_notional * Decimal("1.02"))
            if symbol not in self.unquoted:
                book = self.matching.exchange.quote(symbol)
                bid, ask = (Decimal(rules.price_text(one)) for one in (book.bid, book.ask))
                found[symbol] = Quote(rule, Decimal(str(self.price(symbol))), bid, ask)
        return found

    def place(self, order: Order, order_id: str) -> None:
        """Send an order on its way; one that is lost is reported as failed, or never heard of again."""
        for listener in self.listeners:
            listener(order)
        if not self._network.post("order", lambda: self._accept(order, order_id)) and self.rng.uniform() < 0.5:
            self._tell_end(order_id, failed=True, after=2)

    def _accept(self, order: Order, order_id: str) -> None:
        if order_id in self._taken:  # the exchange takes a client's id once
            return
        self._taken.add(order_id)
        self._sent.add(order_id)
        side: Side = "BUY" if order.quantity > 0 else "SELL"
        size, reduce = abs(order.quantity), order.reduce_only
        request = Request(order.symbol, side, size, order.limit, reduce_only=reduce, client_id=order_id)
        try:
            placed = self.matching.place(NAME, request)
        except Refused:
            self._tell_end(order_id, failed=True)
            return
        if self.rng.uniform() < self._failures:  # the answer is lost: the client calls it failed
            self._tell_end(order_id, failed=True)
        if not placed.open:
            self._tell_end(order_id, failed=False, after=1)

    def cancel(self, order_id: str) -> None:
        """Ask for the end of an order that rests; of one that is not known the exchange says so."""

        def cancel() -> None:
            if order_id not in self._taken:
                self._network.post("news", self._for_this_life(lambda: self._executor.unknown(order_id)))
            elif self.matching.cancel(NAME, None, order_id) is None:
                self._tell_end(order_id, failed=False, after=1)

        self._network.post("order", cancel)

    def place_stop(self, stop: Stop) -> None:
        """Send a stop on its way; half of those that are lost are reported as failed."""
        if not self._network.post("stop", lambda: self._rest(stop)) and self.rng.uniform() < 0.5:
            self._tell_stop(lambda one, now: one.failed(stop.stop_id, now, "lost"), after=2)

    def cancel_stop(self, stop: Stop) -> None:
        """Ask for the end of a stop; one that rests no more has ended, too."""

        def cancel() -> None:
            self.matching.cancel(NAME, None, stop.stop_id)
            self._tell_stop(lambda one, _now: one.cancelled(stop.stop_id))

        self._network.post("stop", cancel)

    def _rest(self, stop: Stop) -> None:
        if stop.stop_id in self._taken:
            return
        self._taken.add(stop.stop_id)
        side: Side = "BUY" if stop.quantity > 0 else "SELL"
        size, trigger = abs(stop.quantity), stop.trigger
        request = Request(stop.symbol, side, size, reduce_only=True, client_id=stop.stop_id, trigger=trigger)
        try:
            self.matching.place(NAME, request)
        except Refused as error:
            why = str(error)
            self._tell_stop(lambda one, now: one.failed(stop.stop_id, now, why))
            return
        self._tell_stop(lambda one, _now: one.accepted(stop.stop_id))

    def _tell_stop(self, tell: Callable[[Protection, int], None], after: int = 0) -> None:
        executor = self._executor
        news = self._for_this_life(
            lambda: executor.protected(lambda one: tell(one.protection, executor.now()) if one.state else None)
        )
        self._network.post("news", news, after)

    def _tell_end(self, order_id: str, *, failed: bool, after: int = 0) -> None:
        tell = self._for_this_life(lambda: self._end(order_id, failed=failed))
        self._network.post("news", tell, after)

    def _end(self, order_id: str, *, failed: bool) -> None:
        executor = self._executor
        executor.protected(lambda one: one.end(order_id, executor.now(), failed=failed) if one.state else None)

    def _on_event(self, event: Event) -> None:
        """Send the news of a fill or of an order's end; of orders that the exchange placed nobody hears."""
        what, executor = event.what, self._executor
        if isinstance(what, Fill) and what.order.request.client_id not in self._sent:
            self.forced.add(what.order.request.symbol)
            self.shocks[_kind(what.order.request)] += 1
        elif isinstance(what, Fill):
            trade, order_id = _trade(what), what.order.request.client_id

            def fill() -> None:
                executor.protected(lambda one: one.fill(order_id, trade, executor.now()) if one.state else None)

            self._network.post("news", self._for_this_life(fill))
            if what.order.remaining == 0 and what.order.request.price is not None:
                self._tell_end(order_id, failed=False, after=1)
        elif isinstance(what, BookOrder) and not what.open and what.request.price is not None:
            self._tell_end(what.request.client_id, failed=False, after=1)

    def _for_this_life(self, tell: Callable[[], None]) -> Callable[[], None]:
        """Return news that a later life of the process may not hear."""
        life, kept = self._executor.life, self.rng.uniform() >= LOST_AT_RESTART

        def told() -> None:
            if kept or self._executor.life == life:
                tell()

        return told


def _trade(fill: Fill) -> Trade:
    """Return a trade as it is told and listed."""
    quantity = fill.order.request.sign * fill.quantity
    return Trade(quantity, fill.price, {"USDT": fill.fee}, str(fill.number))


def _kind(request: Request) -> str:
    """Return what an order of the exchange's own was."""
    if request.trigger is not None:
        return "stops carried out"
    return "deleveraged" if request.client_id.startswith(DELEVERAGED_ID) else "liquidated"
