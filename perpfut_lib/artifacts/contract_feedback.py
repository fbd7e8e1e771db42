"""What comes back from the execution side, and what the governor answers."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from perpfut_lib.artifacts.contract import Count, Document, Name, Part, Price, Provenance, Reason, Time

Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0)]


class Position(Part):
    """What the exchange says is held of one symbol."""

    symbol: Name
    """Symbol."""
    quantity: float
    """Signed base units."""
    mark: Price
    """Mark price, quote currency."""
    target: float
    """Signed base units that the executor aims for."""
    liquidation_price: Price | None
    """Price at which the exchange liquidates; none where it names none."""


class PerfSnapshot(Document):
    """Realised performance, written by the execution side (``perf_snapshot.json``)."""

    kind: Literal["perf_snapshot"]
    signal_seq: Count
    """Sequence number of the last signal that was acted on."""
    equity: float
    """Account equity, quote currency."""
    peak_equity: Amount
    """Highest equity since the executor's start."""
    price_pnl: float
    """Price P&L since the start; likewise the next four. Their sum is the change of equity."""
    funding: float
    """Funding received (negative: paid)."""
    fees: Amount
    """Fees paid."""
    slippage_bps: float
    """Mean signed difference of fills from the signals' prices, basis points, positive is worse."""
    fills: Count
    """Number of fills since the start."""
    rejects: Count
    """Orders that the exchange rejected since the start."""
    fill_latency_ms: Amount
    """Median time from signal to fill."""
    positions: tuple[Position, ...]
    """What is held."""

    @model_validator(mode="after")
    def _unique_symbols(self) -> Self:
        symbols = [position.symbol for position in self.positions]
        if len(set(symbols)) != len(symbols):
            raise ValueError("positions repeat a symbol")
        return self

    def gross(self) -> float:
        """Return the gross notional of all positions, quote currency."""
        return sum(abs(position.quantity) * position.mark for position in self.positions)

    def drawdown(self) -> float:
        """Return the fall from the peak as a fraction, 1 where nothing is left."""
        if self.peak_equity <= 0.0:
            return 1.0
        return min(1.0, max(0.0, 1.0 - self.equity / self.peak_equity))


class Metrics(Part):
    """The governor's roll-up of recent snapshots."""

    snapshots: Count
    """Number of snapshots in the window."""
    drawdown: Share
    """Fall from the peak, fraction."""
    window_return: float
    """Return over the window, fraction."""
    cost_share: Amount
    """Fees and funding paid over the window, as a share of equity."""
    slippage_bps: float
    """Latest mean slippage, basis points."""
    reject_rate: Amount
    """Rejected orders per fill over the window."""
    tracking_error: Amount
    """Largest gap between position and target, as a share of equity."""
    lost_pairs: Share
    """Share of active pairs that no longer test as cointegrated."""


class GovernorOrder(Document):
    """The governor's standing decision (``governor.json``); unreadable means pause."""

    kind: Literal["governor"]
    mode: Literal["run", "pause"]
    """``pause``: hold nothing until ``until``."""
    until: Time
    """End of a pause, ms UTC; zero in mode ``run``."""
    alarms: tuple[Name, ...]
    """Rules that are raised."""
    reselect_seq: Count
    """Counts the requests to select pairs anew."""
    metrics: Metrics | None
    """What it was decided on; none before the first snapshot."""
    reasons: tuple[Reason, ...]
    """Codes of failures that it saw."""
    note: Annotated[str, Field(max_length=2000)] = ""
    """Annotation for people; nothing reads it."""
    provenance: Provenance


class RetrainRequest(Document):
    """A request to people to train anew (``retrain_request.json``); the agent never trains."""

    kind: Literal["retrain_request"]
    alarms: tuple[Name, ...]
    """Rules that asked for it."""
    metrics: Metrics
    """What they saw."""
    provenance: Provenance
