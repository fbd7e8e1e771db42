"""The executor's ledger: positions by own fills, orders in flight, and doubts. Every change returns a new one.

Positions are seeded by a reading of the exchange and then moved by fills alone, because readings lag behind fills: a
planner that compared its targets with a lagging reading would send the same order again and again.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from typing import Any

from agent.executor.rules import ZERO, Limits


@dataclass(frozen=True)
class Order:
    """A market order to be sent."""

    symbol: str
    quantity: Decimal
    """Signed base units."""
    reduce_only: bool


@dataclass(frozen=True)
class Pending:
    """An order of which the end has not been heard."""

    order: Order
    sent_at: int
    executed: Decimal = ZERO
    """Signed base units that have been filled."""


@dataclass(frozen=True)
class State:
    """Everything that the planner remembers; times are monotonic ms."""

    positions: Mapping[str, Decimal] = field(default_factory=dict)
    """Signed base units by symbol."""
    pending: Mapping[str, Pending] = field(default_factory=dict)
    """Orders in flight by id."""
    late: Mapping[str, str] = field(default_factory=dict)
    """Symbols of ended orders by id: their late fills count until a reading that must contain them."""
    doubtful: Mapping[str, int] = field(default_factory=dict)
    """Symbols whose position may be another than the ledger's, and since when."""
    differs: Mapping[str, Decimal] = field(default_factory=dict)
    """Readings that contradicted the ledger once; the same reading again is believed."""
    touched: Mapping[str, int] = field(default_factory=dict)
    """When something last happened to a symbol."""
    failures: Mapping[str, int] = field(default_factory=dict)
    """Failed orders in a row."""
    exposed: Mapping[str, int] = field(default_factory=dict)
    """Since when a symbol's group is out of proportion."""
    barred: Mapping[str, int] = field(default_factory=dict)
    """Until when a symbol may only be reduced."""
    sent: tuple[int, ...] = ()
    """Times of the latest orders."""
    read_at: int = 0
    """When positions were last compared."""

    def to_json(self) -> dict[str, Any]:
        """Return the state as plain JSON; quantities are text."""
        tree: dict[str, Any] = _plain(asdict(self))
        return tree

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> "State":
        """Return the state that :meth:`to_json` wrote."""
        pending = {
            name: Pending(
                Order(row["order"]["symbol"], Decimal(row["order"]["quantity"]), row["order"]["reduce_only"]),
                row["sent_at"],
                Decimal(row["executed"]),
            )
            for name, row in tree["pending"].items()
        }
        decimals = {name: {key: Decimal(text) for key, text in tree[name].items()} for name in ("positions", "differs")}
        return cls(**{**tree, **decimals, "pending": pending, "sent": tuple(tree["sent"])})

    def position(self, symbol: str) -> Decimal:
        """Return the signed position of a symbol."""
        return self.positions.get(symbol, ZERO)

    def busy(self, symbol: str) -> bool:
        """Return whether an order of a symbol is in flight."""
        return any(one.order.symbol == symbol for one in self.pending.values())


def seeded(positions: Mapping[str, Decimal], now: int) -> State:
    """Return the state of an executor that starts with what the exchange says is held."""
    return State(positions=dict(positions), read_at=now)


def sent(state: State, order: Order, order_id: str, now: int) -> State:
    """Return the state after an order has left."""
    pending = {**state.pending, order_id: Pending(order, now)}
    return replace(state, pending=pending, sent=(*state.sent, now), touched={**state.touched, order.symbol: now})


def filled(state: State, order_id: str, quantity: Decimal, now: int) -> State:
    """Return the state after a fill of ``quantity`` signed base units.

    A fill of an order that was never ours, or that a reading already contains, changes nothing.
    """
    if order_id in state.pending:
        held = state.pending[order_id]
        symbol = held.order.symbol
        state = replace(state, pending={**state.pending, order_id: replace(held, executed=held.executed + quantity)})
    elif order_id in state.late:
        symbol = state.late[order_id]
    else:
        return state
    return replace(
        state,
        positions={**state.positions, symbol: state.position(symbol) + quantity},
        touched={**state.touched, symbol: now},
        failures=_without(state.failures, symbol),
    )


def finished(state: State, order_id: str, now: int, *, failed: bool) -> State:
    """Return the state after the last word on an order; anything but a complete fill leaves a doubt.

    An order that is reported as failed may have been carried out all the same.
    """
    if order_id not in state.pending:
        return state
    ended = state.pending[order_id]
    symbol, complete = ended.order.symbol, ended.executed == ended.order.quantity
    failures = {**state.failures, symbol: state.failures.get(symbol, 0) + 1} if failed else state.failures
    return replace(
        state,
        pending=_without(state.pending, order_id),
        late=state.late if complete else {**state.late, order_id: symbol},
        doubtful=state.doubtful if complete else {**state.doubtful, symbol: now},
        touched={**state.touched, symbol: now},
        failures=failures,
    )


def overdue(state: State, now: int, limits: Limits) -> State:
    """Return the state without orders that have been silent for too long; they count as failed."""
    for order_id, one in state.pending.items():
        if now - one.sent_at >= limits.pending_ms:
            state = finished(state, order_id, now, failed=True)
    return state


def reading_due(state: State, now: int, limits: Limits) -> bool:
    """Return whether the exchange is to be asked for its positions."""
    doubts = {symbol: since for symbol, since in state.doubtful.items() if not state.busy(symbol)}
    if any(now - since >= _wait(state, symbol, limits) for symbol, since in doubts.items()):
        return True
    latest = max([state.read_at, *state.touched.values()])
    return not state.pending and now - latest >= limits.quiet_ms


def _wait(state: State, symbol: str, limits: Limits) -> int:
    """Return how long to wait for the next reading; one that contradicts fills without a reason may just be old."""
    unexplained = symbol in state.differs and symbol not in state.late.values()
    return limits.quiet_ms if unexplained else limits.settle_ms


def read(state: State, positions: Mapping[str, Decimal], asked_at: int, limits: Limits) -> State:
    """Return the state after a reading of the exchange's positions.

    Parameters
    ----------
    state : State
        Now, after whatever happened while the question was under way.
    positions : mapping
        Signed base units by symbol; an absent symbol is flat.
    asked_at : int
        When the question was sent.
    limits : Limits
        Says how quiet a symbol must have been before.

    Returns
    -------
    State
        Symbols with orders in flight, or touched too recently, are unchanged. A reading that contradicts the ledger is
        believed the second time it comes.
    """
    for symbol in sorted({*positions, *state.positions, *state.doubtful}):
        recent = state.touched.get(symbol, asked_at - limits.settle_ms) > asked_at - limits.settle_ms
        if state.busy(symbol) or recent:
            continue
        value = positions.get(symbol, ZERO)
        if value != state.position(symbol) and state.differs.get(symbol) != value:
            differs = {**state.differs, symbol: value}
            state = replace(state, differs=differs, doubtful={**state.doubtful, symbol: asked_at})
            continue
        state = replace(
            state,
            positions={**state.positions, symbol: value},
            doubtful=_without(state.doubtful, symbol),
            differs=_without(state.differs, symbol),
            late={order_id: name for order_id, name in state.late.items() if name != symbol},
        )
    return replace(state, read_at=asked_at)


def _without(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple) else value
