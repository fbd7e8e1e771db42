"""Realised performance by the executor's own books: price P&L, fees, funding, slippage, latency."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, Self

KEPT_LATENCIES: Final = 500
BPS: Final = 1e4


@dataclass(frozen=True)
class Fill:
    """One fill as the exchange reported it."""

    quantity: float
    """Signed base units."""
    price: float
    """Quote currency."""
    fee: float
    """Quote currency, positive is paid."""
    quoted: float | None
    """Price that the signal named; none where the fill followed no signal."""
    latency_ms: float | None
    """Time since the signal was written."""


@dataclass(frozen=True)
class Performance:
    """Sums since the start of the books; equity is what it was then plus everything earned since."""

    start_equity: float
    """Account equity at the start, quote currency."""
    cash: float
    """Quote currency received for fills less what the positions at the start were worth."""
    peak: float
    """Highest equity so far."""
    fees: float = 0.0
    funding: float = 0.0
    fills: int = 0
    rejects: int = 0
    slipped: float = 0.0
    """Sum of (fill price - signal price) x signed quantity, quote currency."""
    compared: float = 0.0
    """Sum of signal price x |quantity|, quote currency."""
    latencies: tuple[float, ...] = ()
    """Of the latest fills, ms."""
    other_fees: Mapping[str, float] = field(default_factory=dict)
    """Fees paid in assets whose price is not known, by asset: in no other sum here."""

    @classmethod
    def begun(cls, equity: float, positions: Mapping[str, float], marks: Mapping[str, float]) -> Self:
        """Open the books with the account as it is."""
        return cls(start_equity=equity, cash=-_worth(positions, marks), peak=equity)

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Self:
        """Return the books that :meth:`to_json` wrote."""
        return cls(**{**tree, "latencies": tuple(tree["latencies"])})

    def to_json(self) -> dict[str, Any]:
        """Return the books as plain JSON."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def booked(self, fill: Fill) -> Self:
        """Return the books after a fill."""
        compared = fill.quoted is not None
        quoted = fill.quoted if fill.quoted is not None else fill.price
        latencies = self.latencies if fill.latency_ms is None else (*self.latencies, fill.latency_ms)
        return replace(
            self,
            cash=self.cash - fill.quantity * fill.price,
            fees=self.fees + fill.fee,
            fills=self.fills + 1,
            slipped=self.slipped + (fill.price - quoted) * fill.quantity,
            compared=self.compared + (quoted * abs(fill.quantity) if compared else 0.0),
            latencies=latencies[-KEPT_LATENCIES:],
        )

    def corrected(self, change: float, mark: float) -> Self:
        """Return the books after a reading showed ``change`` more units than the fills did: booked at the mark."""
        return replace(self, cash=self.cash - change * mark)

    def restated(self, fee: float) -> Self:
        """Return the books after the fee is known of a fill that readings have shown: equity was less by it before."""
        return replace(self, cash=self.cash + fee, fees=self.fees + fee, fills=self.fills + 1)

    def paid(self, funding: float) -> Self:
        """Return the books after a funding payment (positive: received)."""
        return replace(self, funding=self.funding + funding)

    def paid_in(self, asset: str, fee: float) -> Self:
        """Return the books after a fee in an asset whose price is not known."""
        return replace(self, other_fees={**self.other_fees, asset: self.other_fees.get(asset, 0.0) + fee})

    def transferred(self, amount: float) -> Self:
        """Return the books after a deposit (or, negative, a withdrawal): neither profit nor drawdown."""
        return replace(self, start_equity=self.start_equity + amount, peak=self.peak + amount)

    def rejected(self) -> Self:
        """Return the books after an order that the exchange refused."""
        return replace(self, rejects=self.rejects + 1)

    def marked(self, positions: Mapping[str, float], marks: Mapping[str, float]) -> Self:
        """Return the books with their peak brought up to the marks."""
        return replace(self, peak=max(self.peak, self.equity(positions, marks)))

    def price_pnl(self, positions: Mapping[str, float], marks: Mapping[str, float]) -> float:
        """Return the price P&L since the start, quote currency."""
        return self.cash + _worth(positions, marks)

    def equity(self, positions: Mapping[str, float], marks: Mapping[str, float]) -> float:
        """Return start equity plus price P&L plus funding less fees, quote currency."""
        return self.start_equity + self.price_pnl(positions, marks) + self.funding - self.fees

    @property
    def slippage_bps(self) -> float:
        """Mean difference of fills from the signals' prices, weighted by notional, basis points; positive is worse."""
        return BPS * self.slipped / self.compared if self.compared else 0.0

    @property
    def latency_ms(self) -> float:
        """Median time from signal to fill, ms; zero before the first."""
        return statistics.median(self.latencies) if self.latencies else 0.0


def _worth(positions: Mapping[str, float], marks: Mapping[str, float]) -> float:
    """Return the value of what has a mark; what never had one is worth nothing until it gets its first."""
    return sum(quantity * marks[symbol] for symbol, quantity in positions.items() if quantity and symbol in marks)
