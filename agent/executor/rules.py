"""What an exchange allows of an order, and what the executor allows itself. Quantities are exact decimals."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Final

ZERO: Final = Decimal(0)


@dataclass(frozen=True)
class TradingRule:
    """Grid and least size of one contract's orders."""

    lot: Decimal
    """Smallest quantity step, base units."""
    tick: Decimal
    """Smallest price step, quote currency."""
    min_quantity: Decimal
    """Least quantity of an order, base units."""
    min_notional: Decimal
    """Least notional of an order that opens, quote currency."""
    reduce_notional: Decimal = ZERO
    """Least notional of a reduce-only order, quote currency."""
    figures: int | None = None
    """Most significant figures of a price that is no whole number; none where the exchange does not count them."""

    def nearest(self, quantity: Decimal) -> Decimal:
        """Return a signed quantity on the nearest lot."""
        return (quantity / self.lot).to_integral_value(ROUND_HALF_EVEN) * self.lot

    def inside(self, quantity: Decimal) -> Decimal:
        """Return a signed quantity on the lot towards zero."""
        return (quantity / self.lot).to_integral_value(ROUND_DOWN) * self.lot

    def on_tick(self, price: Decimal) -> Decimal:
        """Return a price on the nearest tick, with no more figures than the exchange takes."""
        step = self.tick
        if self.figures is not None and price > 0:
            step = max(step, min(Decimal(1), Decimal(1).scaleb(price.adjusted() + 1 - self.figures)))
        return (price / step).to_integral_value(ROUND_HALF_EVEN) * step

    def opens(self, quantity: Decimal, price: Decimal) -> bool:
        """Return whether an order of this size may open or add to a position."""
        return abs(quantity) >= self.min_quantity and abs(quantity) * price >= self.min_notional

    def reduces(self, quantity: Decimal, price: Decimal) -> bool:
        """Return whether an order of this size may take from a position."""
        return abs(quantity) >= self.min_quantity and abs(quantity) * price >= self.reduce_notional


@dataclass(frozen=True)
class Limits:
    """What the executor allows itself; times are milliseconds of the monotonic clock."""

    max_order_notional: Decimal = Decimal(50_000)
    """Largest notional of one order, quote currency; larger changes are cut into equal slices."""
    slice_notional: Decimal | None = None
    """Notional of one slice of an opening, quote currency; none: ``max_order_notional``."""
    slice_ms: int = 0
    """Shortest time between two slices of an opening; what reduces a position does not wait."""
    max_orders: int = 30
    """Most orders within ``rate_ms``; an opening leaves room for closing what it opens."""
    rate_ms: int = 60_000
    """Length of that window."""
    max_failures: int = 3
    """Failed orders of a symbol in a row after which its group may only be reduced."""
    settle_ms: int = 5_000
    """Quiet time of a symbol after which a reading of its position is believed; also the pause after a failure."""
    blind_ms: int = 15_000
    """Time after a failure from which a leg that must be flat is closed without waiting for a reading."""
    quiet_ms: int = 60_000
    """Quiet time after which positions are compared with the exchange."""
    confirm_ms: int = 30_000
    """Time after which a reading that contradicts the fills without a reason is asked for again; it may be old."""
    backoff_ms: int = 60_000
    """Longest pause between two tries of an order that is refused; the first is ``settle_ms`` and each next doubles."""
    reopen: bool = False
    """Whether a position that somebody else closed is opened again without the operator's next order."""
    pending_ms: int = 30_000
    """Time after which an order without a word is given up, and its position read."""
    imbalance_ms: int = 20_000
    """Longest time for which the legs of a group may be out of proportion before the filled one is unwound."""
    imbalance_share: Decimal = Decimal("0.1")
    """Disproportion that is left alone, as a share of the group's gross target."""
    cool_off_ms: int = 300_000
    """Time for which a group that was unwound is not opened again."""
    max_deviation: Decimal = Decimal("0.05")
    """Largest distance of the market from the signal's price at which a position is opened, as a fraction."""

    def pause_ms(self, refusals: int) -> int:
        """Return how long to wait after so many refusals in a row, one or more: each pause is twice the last."""
        return min(self.settle_ms * 2 ** min(refusals - 1, 20), self.backoff_ms)
