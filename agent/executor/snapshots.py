"""What the exchange says of the account, and the report that the governor reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from agent.executor.intent import Intent
from agent.executor.performance import Performance
from agent.executor.rules import ZERO
from agent.executor.state import Order, State
from agent.executor.stops import Stop, StopBook
from agent.executor.trades import History
from perpfut_lib.artifacts import PerfSnapshot, Position
from perpfut_lib.artifacts.contract import SCHEMA_VERSION


@dataclass(frozen=True)
class Reading:
    """The account as the exchange tells it."""

    positions: Mapping[str, Decimal]
    """Signed base units by symbol, those of other symbols than ours included."""
    equity: float | None = None
    """Quote currency, unrealised profit included; none where it was not asked for."""
    liquidation: Mapping[str, float] = field(default_factory=dict)
    """Price at which a position is liquidated, by symbol."""
    marks: Mapping[str, float] = field(default_factory=dict)
    """Mark prices of what is held: equity is counted with them."""
    stops: Mapping[str, Stop] | None = None
    """Our stops that rest, by id; none where they were not asked for."""
    history: Mapping[str, History] = field(default_factory=dict)
    """What the exchange lists of trades and payments in the symbols that were asked for."""
    orders: Mapping[str, Order] = field(default_factory=dict)
    """Orders that rest in our symbols, stops apart, by their customer's id."""
    at: int = 0
    """When the exchange was asked for the equity, ms UTC; 0 where nobody knows."""


@dataclass(frozen=True)
class Head:
    """Who reports, when, on which signal."""

    seq: int
    run_id: str
    created_at: int
    signal_seq: int


def snapshot(
    head: Head,
    books: Performance,
    state: State,
    marks: Mapping[str, float],
    targets: Mapping[str, Decimal],
    account: Reading,
) -> PerfSnapshot:
    """Return the report: own books, and everything that the account holds, ours or not.

    The target of what is not ours is what is held: it is counted in gross exposure and is no tracking error.
    """
    units = floats(state.positions)
    return PerfSnapshot(
        schema_version=SCHEMA_VERSION,
        kind="perf_snapshot",
        seq=head.seq,
        run_id=head.run_id,
        created_at=head.created_at,
        signal_seq=head.signal_seq,
        equity=books.equity(units, marks),
        peak_equity=max(books.peak, 0.0),
        price_pnl=books.price_pnl(units, marks),
        funding=books.funding,
        fees=max(books.fees, 0.0),
        slippage_bps=books.slippage_bps,
        fills=books.fills,
        rejects=books.rejects,
        fill_latency_ms=books.latency_ms,
        positions=_positions(state, marks, targets, account),
    )


def _positions(
    state: State, marks: Mapping[str, float], targets: Mapping[str, Decimal], account: Reading
) -> tuple[Position, ...]:
    """Return everything that has a price: what is ours, and what others hold beside it or in other symbols."""
    prices = {**account.marks, **marks}
    others = {name: held for name, held in account.positions.items() if name not in state.positions}
    foreign = {**state.foreign, **others}
    return tuple(
        Position(
            symbol=name,
            quantity=float(state.position(name) + foreign.get(name, ZERO)),
            mark=prices[name],
            target=float(targets.get(name, ZERO) + foreign.get(name, ZERO)),
            liquidation_price=account.liquidation.get(name),
        )
        for name in [*state.positions, *others]
        if name in prices
    )


def strangers(before: Reading, now: Reading, state: State) -> dict[str, str]:
    """Return the orders that rest and are none of ours, by id: seen twice, since a reading may lag behind an end."""
    unknown = {name: one for name, one in now.orders.items() if name in before.orders and not state.symbol_of(name)}
    return {name: f"{one.symbol} {one.quantity} at {one.limit}" for name, one in sorted(unknown.items())}


def floats(units: Mapping[str, Decimal]) -> dict[str, float]:
    """Return quantities as floats."""
    return {symbol: float(quantity) for symbol, quantity in units.items()}


def status_text(intent: Intent, targets: Mapping[str, Decimal], state: State, now: int) -> str:
    """Return what people are shown: aim and reason, then target, position and state of every symbol."""
    lines = [f"{intent.mode} ({intent.reason}); in flight {len(state.pending)}"]
    for symbol in sorted({*state.positions, *targets}):
        marks = {
            "in flight": state.busy(symbol),
            "in doubt": symbol in state.doubtful,
            "closed by others": symbol in state.left,
            "only reduced": state.barred.get(symbol, now) > now,
            "refused": state.retry_at.get(symbol, now) > now,
            f"foreign {state.foreign.get(symbol)}": symbol in state.foreign,
        }
        said = ", ".join(text for text, shown in marks.items() if shown) or "ok"
        target = targets.get(symbol, ZERO)
        lines.append(f"{symbol}: target {target:.6g}, holds {state.position(symbol)}, {said}")
    return "\n".join(lines)


def stops_text(book: StopBook) -> str:
    """Return what people are shown of the stops: position that is protected, trigger, and what is not sure."""
    stops = [
        f"{one.stop.symbol} {one.stop.quantity} at {one.stop.trigger}{'' if one.sure else ' (not confirmed)'}"
        for one in book.rests.values()
    ]
    return f"stops: {', '.join(sorted(stops)) or 'none'}"
