"""The executor's books and ledger together: every change is booked, noted in the audit trail and remembered."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from agent.executor import readings
from agent.executor import state as ledger
from agent.executor.performance import Fill, Performance
from agent.executor.rules import ZERO, Limits
from agent.executor.snapshots import Reading, floats
from agent.executor.state import State

log = logging.getLogger(__name__)

TRANSFER_SHARE: Final = 0.005
"""While positions do not change, equity moves by funding and fees alone: a gap above this share is a transfer."""

Note = tuple[str, dict[str, Any]]
"""Kind and body of an event for the audit trail."""


@dataclass(frozen=True)
class Trade:
    """A fill as it is heard of."""

    quantity: Decimal
    """Signed base units."""
    price: Decimal
    """Quote currency."""
    fees: Mapping[str, Decimal] = field(default_factory=dict)
    """Paid, by asset."""
    trade_id: str = ""
    """The exchange's number; news of one trade may come twice."""


@dataclass(frozen=True)
class Account:
    """Ledger, books and marks at one moment; every method returns the next one and what the trail is to say of it."""

    state: State
    books: Performance
    marks: Mapping[str, float] = field(default_factory=dict)
    quote: str = "USDT"
    """Asset that everything is counted in."""
    unsettled: bool = False
    """Whether the account's next equity is to be taken over as it is: a position changed without a fill."""

    @property
    def equity(self) -> float:
        """Return the equity by the books, quote currency."""
        return self.books.equity(floats(self.state.positions), self.marks)

    def equity_at(self, marks: Mapping[str, float]) -> float:
        """Return the equity by the books at the exchange's own marks, as far as it told them."""
        return self.books.equity(floats(self.state.positions), {**self.marks, **marks})

    def marked(self, prices: Mapping[str, float]) -> "Account":
        """Return the account at other marks; a position's first mark changes no equity."""
        books = self.books
        for symbol in prices:
            held = float(self.state.position(symbol))
            if symbol not in self.marks and held:
                books = books.corrected(held, prices[symbol])
        return replace(self, books=books, marks={**self.marks, **prices})

    def peaked(self) -> "Account":
        """Return the account with the books' peak brought up to the marks."""
        return replace(self, books=self.books.marked(floats(self.state.positions), self.marks))

    def traded(self, order_id: str, trade: Trade, now: int, fill: Fill) -> tuple["Account", dict[str, Any]]:
        """Return the account after a fill, and what the trail says of it.

        A price that is no number is replaced by the mark; a quantity that is none raises a doubt.
        """
        after = ledger.filled(self.state, order_id, trade.quantity, now, trade.trade_id)
        counted = after.positions is not self.state.positions
        body = {"id": order_id, "trade": trade.trade_id, "quantity": str(trade.quantity), "price": fill.price}
        body |= {"fee": fill.fee, "counted": counted}
        other = {asset: float(fee) for asset, fee in trade.fees.items() if not self._worth(asset, fee)[1]}
        if not counted:
            return replace(self, state=after), body
        books = self.books.booked(fill)
        for asset, fee in other.items():
            log.error("a fee of %s %s has no price: it is reported apart", fee, asset)
            books = books.paid_in(asset, fee)
        return replace(self, state=after, books=books), body | ({"other_fees": other} if other else {})

    def price_of(self, trade: Trade, symbol: str) -> float:
        """Return the price of a fill; the mark where it is no positive number."""
        price = float(trade.price)
        if not trade.price.is_finite() or price <= 0:
            price = self.marks.get(symbol, 0.0)
            log.error("trade %s of %s at %s: booked at the mark %s", trade.trade_id, symbol, trade.price, price)
        return price

    def fee(self, fees: Mapping[str, Decimal]) -> float:
        """Return fees in quote currency, as far as the price of their asset is known."""
        return sum(self._worth(asset, fee)[0] for asset, fee in fees.items())

    def _worth(self, asset: str, fee: Decimal) -> tuple[float, bool]:
        """Return a fee in quote currency, and whether its asset has a price."""
        if not fee.is_finite():
            return 0.0, True
        price = 1.0 if asset in (self.quote, "") else self.marks.get(f"{asset}{self.quote}")
        return (0.0, False) if price is None else (float(fee) * price, True)

    def ended(self, order_id: str, now: int, limits: Limits, *, failed: bool) -> tuple["Account", dict[str, Any]]:
        """Return the account after the last word on an order."""
        rejected = failed and order_id in self.state.pending
        after = ledger.finished(self.state, order_id, now, limits, failed=failed)
        books = self.books.rejected() if rejected else self.books
        return replace(self, state=after, books=books), {"id": order_id, "failed": failed, "rejected": int(rejected)}

    def read(self, reading: Reading, asked_at: int, limits: Limits) -> tuple["Account", list[Note]]:
        """Return the account after a reading of the exchange; units without a fill are booked at the mark."""
        ours = {name: units for name, units in reading.positions.items() if name in self.state.positions}
        after = readings.read(self.state, ours, asked_at, limits)
        found, notes = replace(self, state=after), list[Note]()
        for symbol in after.positions:
            change = after.position(symbol) - self.state.position(symbol)
            if change:
                mark = self.marks.get(symbol, 0.0)
                log.warning("%s: the exchange holds %s more than the fills say", symbol, change)
                books = found.books.corrected(float(change), mark)
                found = replace(found, books=books, unsettled=True)
                notes.append(("books", {"symbol": symbol, "cash": -float(change) * mark}))
        changed = {name: str(after.position(name)) for name in after.positions if _differs(self.state, after, name)}
        if changed or after.left != self.state.left:
            told = {"changed": changed, "foreign": _text(after.foreign), "left": list(after.left)}
            log.warning("reading: %s", told)
            notes.append(("reading", told))
        if reading.equity is not None:
            found, more = found.settled(reading.equity, reading.marks)
            notes += more
        return found, notes

    def settled(
        self, equity: float, marks: Mapping[str, float], *, resting: bool = False
    ) -> tuple["Account", list[Note]]:
        """Return the books after the account's equity was read, and the marks it counts with, with nothing under way.

        After a change that no fill explains (a liquidation, a close by hand) the books end where the account stands.
        Otherwise a large gap is a deposit or a withdrawal: it moves start and peak alike.
        """
        quiet = resting or not (self.state.pending or self.state.doubtful)
        if not quiet or not math.isfinite(equity):
            return self, []
        booked = self.equity_at(marks)
        gap = equity - booked
        if self.unsettled or self.state.foreign:
            log.warning("the account's equity is %s, %s more than booked: taken over as P&L", equity, gap)
            return replace(self, books=self.books.corrected(-gap, 1.0), unsettled=False), [("books", {"cash": gap})]
        if abs(gap) <= TRANSFER_SHARE * max(abs(equity), abs(booked)):
            return self, []
        log.warning("equity %s instead of %s with no trade: booked as a transfer", equity, booked)
        return replace(self, books=self.books.transferred(gap)), [("books", {"transfer": gap})]


def _differs(before: State, after: State, symbol: str) -> bool:
    return before.total(symbol) != after.total(symbol) or before.position(symbol) != after.position(symbol)


def _text(units: Mapping[str, Decimal]) -> dict[str, str]:
    return {name: str(value) for name, value in units.items() if value != ZERO}
