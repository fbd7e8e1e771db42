"""How an order is carried out: at the market, or at the touch for a time and then at the market.

What is urgent is always a market order: going flat, unwinding a leg without its hedge, and the rest of an order that
was not filled in time. Dead man's switches let the exchange cancel what rests when nobody is alive.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from agent.executor.balance import groups_of
from agent.executor.intent import Intent
from agent.executor.settings import Quote
from agent.executor.state import Order, State
from agent.executor.targets import pairs_of

HURRY_MS: Final = 3_600_000
"""A pair that was unwound is opened by market orders for so long: the touch may be what it failed at."""


class Execution:
    """Chooses limit prices, and watches over orders that rest.

    Parameters
    ----------
    touch_ms : int
        How long an order may rest at the touch; zero: all orders are market orders.
    """

    def __init__(self, touch_ms: int) -> None:
        self._touch_ms = touch_ms
        self.closed = ""
        """Why nothing may be opened; empty while it may."""
        self.before: frozenset[str] = frozenset()
        """Orders of a life before this one, which may still be on their way."""
        self._asked: dict[str, int] = {}
        self._hurried: set[str] = set()
        self._failed: set[str] = set()

    def styled(
        self, orders: Iterable[Order], quotes: Mapping[str, Quote], intent: Intent, state: State, now: int
    ) -> tuple[Order, ...]:
        """Return the orders with their limit prices."""
        if not self._touch_ms or intent.mode != "follow":
            return tuple(orders)
        groups = groups_of(pairs_of(intent.legs), self._hurried)
        hurried = {name for group in groups if self._hurried & {*group} for name in group}
        return tuple(order if order.symbol in hurried else _styled(order, quotes, state, now) for order in orders)

    def overdue(self, state: State, intent: Intent, now: int, again_ms: int) -> tuple[str, ...]:
        """Return the orders that are to be cancelled now: they have rested for long enough, or all shall be flat.

        A cancellation that is not answered is asked for again after ``again_ms``. An order that was called failed, or
        is of a life before this one, is asked for only when it cannot be on its way to the exchange any more.
        """
        patience = self._touch_ms if intent.mode == "follow" else 0
        strange = {*self._failed, *self.before}
        resting = {name: one for name, one in state.pending.items() if one.order.limit is not None}
        self._asked = {name: asked for name, asked in self._asked.items() if name in resting}
        late = tuple(
            name
            for name, one in resting.items()
            if now - one.sent_at >= max(patience, 2 * again_ms if name in strange else 0)
            and now - self._asked.get(name, now - again_ms) >= again_ms
        )
        self._asked |= dict.fromkeys(late, now)
        return late

    def may_rest(self, order_id: str, state: State) -> bool:
        """Return whether an order that is called failed may rest in the book all the same; then it is cancelled first.

        The answer may have been lost, not the order.
        """
        one = state.pending.get(order_id)
        if one is None or one.order.limit is None:
            return False
        self._failed.add(order_id)
        return True

    def failed(self, order_id: str, state: State) -> bool:
        """Return whether an order that has ended now was called failed before, and was not filled after all."""
        one = state.pending.get(order_id)
        return order_id in self._failed and one is not None and one.executed != one.order.quantity

    def ended(self, order_id: str, before: State) -> None:
        """Note the end of an order: what the touch did not fill is sent to the market next, and so are its hedges.

        Otherwise one leg after the other would miss the touch, and the pair be unwound again and again.
        """
        one = before.pending.get(order_id)
        self._failed.discard(order_id)
        if one is None:
            return
        if one.order.limit is not None and one.executed != one.order.quantity:
            self._hurried.add(one.order.symbol)
        else:
            self._hurried.discard(one.order.symbol)


def _styled(order: Order, quotes: Mapping[str, Quote], state: State, now: int) -> Order:
    symbol, quote = order.symbol, quotes.get(order.symbol)
    touch = None if quote is None else quote.touch(order.quantity)
    unwound = symbol in state.barred and now < state.barred[symbol] + HURRY_MS
    urgent = symbol in state.exposed or unwound
    return order if touch is None or urgent else replace(order, limit=touch)


def resting(state: State) -> frozenset[str]:
    """Return the symbols in which an order of ours may rest in the book."""
    return frozenset(one.order.symbol for one in state.pending.values() if one.order.limit is not None)


@dataclass
class DeadManSwitch:
    """When to tell the exchange that we are alive: it cancels what rests if it does not hear so in time."""

    countdown_ms: int
    """Time after which the exchange cancels; zero: there is no switch."""
    _told: dict[str, int] = field(default_factory=dict)

    def due(self, symbols: frozenset[str], now: int) -> dict[str, int]:
        """Return the countdowns to be sent now by symbol, ms: renewed after a third of their time, zero to disarm."""
        if not self.countdown_ms:
            return {}
        renewed = {
            name for name in symbols if now - self._told.get(name, now - self.countdown_ms) >= self.countdown_ms // 3
        }
        ended = {name for name in self._told if name not in symbols}
        self._told = {name: now if name in renewed else self._told[name] for name in symbols}
        return dict.fromkeys(sorted(renewed), self.countdown_ms) | dict.fromkeys(sorted(ended), 0)
