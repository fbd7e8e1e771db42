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
from agent.executor.trades import History, ListedTrade, Payment, Trade

log = logging.getLogger(__name__)

TRANSFER_SHARE: Final = 0.005
"""While positions do not change, equity moves by funding and fees alone: a gap above this share is a transfer."""

Note = tuple[str, dict[str, Any]]
"""Kind and body of an event for the audit trail."""


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
    taken_at: int = 0
    """When the exchange was asked for the equity that was taken over last, ms UTC: payments until then are in it."""

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

    def traded(
        self, order_id: str, trade: Trade, now: int, quoted: tuple[float, float] | None = None
    ) -> tuple["Account", dict[str, Any]]:
        """Return the account after a fill, and what the trail says of it.

        Parameters
        ----------
        order_id : str
            Our id.
        trade : Trade
            A price that is no number is replaced by the mark.
        now : int
            Monotonic clock, ms.
        quoted : tuple of float, optional
            The signal's price, and the time since it was written, ms.
        """
        symbol = self.state.symbol_of(order_id)
        after = ledger.filled(self.state, order_id, trade.quantity, now, trade.trade_id)
        counted, new = after.positions is not self.state.positions, after is not self.state
        price, latency = quoted or (None, None)
        fill = Fill(float(trade.quantity), self._price(trade, symbol), self.fee(trade.fees), price, latency)
        books = self.books.booked(fill) if counted else self.books.restated(fill.fee) if new else self.books
        said = {"id": order_id, "symbol": symbol, "counted": counted, "restated": new and not counted}
        return replace(self, state=after, books=books)._paid(trade, fill, said, new=new)

    def listed(self, lists: Mapping[str, History], at: int) -> tuple["Account", list[Note]]:
        """Return the account after a look at what the exchange lists, and a note of all that nobody had told of.

        A trade of one of our orders is booked as if it had been heard of at ``at``. Of another's (a stop, a
        liquidation, a close by hand) readings show the units and the account's equity the price, so that the fee alone
        is booked. Where a list is read for the first time, counting begins at its end.
        """
        found, notes = self, list[Note]()
        for symbol, history in lists.items():
            for row in history.rows:
                if ledger.knows(found.state, symbol, row.number):
                    continue
                if symbol in self.state.listed and row.finite:
                    found, note = found._entered(symbol, row, at)
                    notes.append(note)
                elif not row.finite:
                    log.error("%s of %s is not booked", row, symbol)
                found = replace(found, state=ledger.noted(found.state, symbol, row.number))
            found = replace(found, state=replace(found.state, listed={**found.state.listed, symbol: history.end}))
        return found, notes

    def _entered(self, symbol: str, row: ListedTrade | Payment, at: int) -> tuple["Account", Note]:
        """Return the account after a row of the exchange's list, and its note."""
        if isinstance(row, Payment):
            return self._received(symbol, row)
        if self.state.symbol_of(row.order_id) == symbol:
            found, body = self.traded(row.order_id, row.trade, at)
        else:
            found, body = self._restated(symbol, row)
        return found, ("fill", body | {"listed": True})

    def _received(self, symbol: str, row: Payment) -> tuple["Account", Note]:
        """Return the account after a payment; one that is in the equity already only gets its name."""
        amount = float(row.amount)
        books, told = self.books.paid(amount), {"symbol": symbol, "time": row.time, "funding": amount}
        if row.time <= self.taken_at:
            books, told = books.corrected(amount, 1.0), told | {"cash": -amount}
        return replace(self, books=books), ("books", told)

    def _restated(self, symbol: str, row: ListedTrade) -> tuple["Account", dict[str, Any]]:
        """Return the account after a trade of which only the fee is booked."""
        trade, fee = row.trade, self.fee(row.trade.fees)
        fill = Fill(float(trade.quantity), self._price(trade, symbol), fee, None, None)
        said = {"id": row.order_id, "symbol": symbol, "counted": False, "restated": True}
        return replace(self, books=self.books.restated(fee))._paid(trade, fill, said, new=True)

    def _paid(self, trade: Trade, fill: Fill, said: dict[str, Any], *, new: bool) -> tuple["Account", dict[str, Any]]:
        """Return the account after fees in assets without a price, which are reported apart, and the whole note."""
        body = said | {"trade": trade.trade_id, "quantity": str(trade.quantity), "price": fill.price, "fee": fill.fee}
        other = {asset: float(fee) for asset, fee in trade.fees.items() if not self._worth(asset, fee)[1]}
        if not new or not other:
            return self, body
        books = self.books
        for asset, fee in other.items():
            log.error("a fee of %s %s has no price: it is reported apart", fee, asset)
            books = books.paid_in(asset, fee)
        return replace(self, books=books), body | {"other_fees": other}

    def _price(self, trade: Trade, symbol: str) -> float:
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
        after, notes = readings.read(self.state, ours, asked_at, limits), list[Note]()
        found = self._corrected(after, notes)
        changed = {name: str(after.position(name)) for name in after.positions if _differs(self.state, after, name)}
        if changed or after.left != self.state.left:
            told = {"changed": changed, "foreign": _text(after.foreign), "left": list(after.left)}
            log.warning("reading: %s", told)
            notes.append(("reading", told))
        latest = max(found.state.touched.values(), default=asked_at - limits.settle_ms)
        if reading.equity is not None and latest <= asked_at - limits.settle_ms:  # or it may be of before a fill
            found, more = found.settled(reading.equity, reading.marks)
            found = replace(found, taken_at=reading.at) if more else found
            notes += more
        return found, notes

    def _corrected(self, after: State, notes: list[Note]) -> "Account":
        """Return the account with another ledger; units that no fill explains are booked at the mark, and noted."""
        books = self.books
        for symbol in after.positions:
            if change := after.position(symbol) - self.state.position(symbol):
                mark = self.marks.get(symbol, 0.0)
                log.warning("%s: the exchange holds %s more than the fills say", symbol, change)
                books = books.corrected(float(change), mark)
                notes.append(("books", {"symbol": symbol, "cash": -float(change) * mark}))
        return replace(self, state=after, books=books, unsettled=self.unsettled or books is not self.books)

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
