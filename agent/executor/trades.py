"""Trades as they are heard of, and trades and payments as the exchange lists them: each is booked once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

LISTED_LATE_MS: Final = 600_000
"""So long after its time a row may be listed: funding is, by some seconds at least."""


@dataclass(frozen=True)
class Trade:
    """One trade of an order."""

    quantity: Decimal
    """Signed base units."""
    price: Decimal
    """Quote currency."""
    fees: Mapping[str, Decimal] = field(default_factory=dict)
    """Paid, by asset."""
    trade_id: str = ""
    """The exchange's number; news of one trade may come twice."""


@dataclass(frozen=True)
class ListedTrade:
    """A trade in the exchange's own list."""

    trade: Trade
    order_id: str
    """Our id of its order; of an order that the exchange or a person has placed it is no id of ours."""
    time: int
    """When, by the exchange's clock, ms UTC."""

    @property
    def number(self) -> str:
        """Return what tells it from all others of its symbol."""
        return self.trade.trade_id

    @property
    def finite(self) -> bool:
        """Return whether it has a size."""
        return self.trade.quantity.is_finite()


@dataclass(frozen=True)
class Payment:
    """A funding payment in the exchange's own list."""

    amount: Decimal
    """Quote currency, positive where it was received."""
    time: int
    """When, by the exchange's clock, ms UTC."""

    @property
    def number(self) -> str:
        """Return what tells it from all others of its symbol, which has one at a time."""
        return f"funding-{self.time}"

    @property
    def finite(self) -> bool:
        """Return whether it has a size."""
        return self.amount.is_finite()


@dataclass(frozen=True)
class History:
    """What the exchange lists of one symbol."""

    since: int
    """From when on, ms UTC."""
    rows: tuple[ListedTrade | Payment, ...] = ()
    """Oldest first."""

    @property
    def end(self) -> int:
        """Return up to when all that is listed late has been seen, ms UTC."""
        return max([self.since + LISTED_LATE_MS, *(row.time for row in self.rows)])
