"""The executor's ledger: positions by own fills, orders in flight, and doubts. Every change returns a new one.

Positions are seeded by a reading of the exchange and then moved by fills alone, because readings lag behind fills: a
planner that compared its targets with a lagging reading would send the same order again and again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from decimal import Decimal
from typing import Any, Final

from agent.executor.rules import ZERO, Limits
from agent.executor.trades import LISTED_LATE_MS

KEPT_TRADES: Final = 2_000
FIRST_LIST_MS: Final = 3_600_000
"""So far back the exchange's list is read the first time: longer than two clocks differ."""
RESTING_PATIENCE: Final = 10
"""So many times as long as for a market order the end of an order with a limit is waited for."""


@dataclass(frozen=True)
class Order:
    """An order to be sent."""

    symbol: str
    quantity: Decimal
    """Signed base units."""
    reduce_only: bool
    limit: Decimal | None = None
    """Worst price, quote currency; none is a market order."""


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
    """Signed base units by symbol that are the executor's own."""
    foreign: Mapping[str, Decimal] = field(default_factory=dict)
    """Signed base units by symbol that somebody else opened: left alone."""
    pending: Mapping[str, Pending] = field(default_factory=dict)
    """Orders in flight by id."""
    late: Mapping[str, str] = field(default_factory=dict)
    """Symbols of ended orders by id: their late fills count until a reading that must contain them."""
    resumed: Mapping[str, str] = field(default_factory=dict)
    """Symbols of orders from before a restart by id: whether the first reading holds their fills, nobody knows."""
    trades: tuple[str, ...] = ()
    """Symbols and ids of the latest trades and payments: news may come twice, and the exchange lists them, too."""
    listed: Mapping[str, int] = field(default_factory=dict)
    """Up to when the exchange's list has been read by symbol, ms UTC of its clock."""
    doubtful: Mapping[str, int] = field(default_factory=dict)
    """Symbols whose position may be another than the ledger's, and since when."""
    differs: Mapping[str, Decimal] = field(default_factory=dict)
    """Readings that contradicted the ledger once; the same reading again is believed."""
    surprising: tuple[str, ...] = ()
    """Symbols of these that no order of ours explains."""
    left: tuple[str, ...] = ()
    """Symbols in which somebody else closed our position: reduced only, until the operator's next order."""
    touched: Mapping[str, int] = field(default_factory=dict)
    """When something last happened to a symbol."""
    failures: Mapping[str, int] = field(default_factory=dict)
    """Failed orders in a row since the group was last barred."""
    refused: Mapping[str, int] = field(default_factory=dict)
    """Failed orders since the last fill."""
    retry_at: Mapping[str, int] = field(default_factory=dict)
    """Until when a symbol waits after a failed order."""
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
        return {one.name: _plain(getattr(self, one.name)) for one in fields(self)}

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> "State":
        """Return the state that :meth:`to_json` wrote."""
        pending = {
            name: Pending(_order(row["order"]), row["sent_at"], Decimal(row["executed"]))
            for name, row in tree["pending"].items()
        }
        units = ("positions", "foreign", "differs")
        decimals = {name: {key: Decimal(text) for key, text in tree[name].items()} for name in units}
        rows = {name: tuple(tree[name]) for name in ("sent", "trades", "surprising", "left")}
        return cls(**{**tree, **decimals, **rows, "pending": pending})

    def position(self, symbol: str) -> Decimal:
        """Return the signed position of a symbol that is the executor's own."""
        return self.positions.get(symbol, ZERO)

    def total(self, symbol: str) -> Decimal:
        """Return what the exchange should show: own and foreign units."""
        return self.position(symbol) + self.foreign.get(symbol, ZERO)

    def listed_since(self, symbol: str, wall: int) -> int:
        """Return from when on the exchange's list is to be read, ms UTC; ``wall`` is now."""
        return self.listed.get(symbol, wall - FIRST_LIST_MS) - LISTED_LATE_MS

    def symbol_of(self, order_id: str) -> str:
        """Return the symbol of an order that is known; empty for a stranger's."""
        if order_id in self.pending:
            return self.pending[order_id].order.symbol
        return self.late.get(order_id) or self.resumed.get(order_id, "")

    def busy(self, symbol: str) -> bool:
        """Return whether an order of a symbol is in flight."""
        return any(one.order.symbol == symbol for one in self.pending.values())

    def waits(self, symbol: str, now: int) -> bool:
        """Return whether no order of a symbol may be sent yet: one is in flight, or one was refused."""
        return self.busy(symbol) or self.retry_at.get(symbol, now) > now


def seeded(positions: Mapping[str, Decimal], now: int) -> State:
    """Return the state of an executor that starts with what the exchange says is held."""
    return State(positions=dict(positions), read_at=now)


def sent(state: State, order: Order, order_id: str, now: int) -> State:
    """Return the state after an order has left."""
    pending = {**state.pending, order_id: Pending(order, now)}
    return replace(state, pending=pending, sent=(*state.sent, now), touched={**state.touched, order.symbol: now})


def knows(state: State, symbol: str, trade_id: str) -> bool:
    """Return whether a trade was told before; one without an id never was."""
    return bool(trade_id) and f"{symbol}/{trade_id}" in state.trades


def noted(state: State, symbol: str, trade_id: str) -> State:
    """Return the state that knows a trade."""
    if not trade_id or knows(state, symbol, trade_id):
        return state
    return replace(state, trades=(*state.trades, f"{symbol}/{trade_id}")[-KEPT_TRADES:])


def filled(state: State, order_id: str, quantity: Decimal, now: int, trade_id: str = "") -> State:
    """Return the state after a fill of ``quantity`` signed base units.

    A fill that was told before, or of an order that was never ours, or that a reading already contains, changes
    nothing. One of an order from before a restart raises a doubt, since the first reading may hold it.
    """
    symbol = state.symbol_of(order_id)
    if not symbol or knows(state, symbol, trade_id):
        return state
    state = noted(state, symbol, trade_id)
    if order_id in state.resumed:
        return replace(_doubted(state, symbol, now), refused=without(state.refused, symbol))
    if order_id in state.pending:
        held = state.pending[order_id]
        state = replace(state, pending={**state.pending, order_id: replace(held, executed=held.executed + quantity)})
    return replace(
        state,
        positions={**state.positions, symbol: state.position(symbol) + quantity},
        touched={**state.touched, symbol: max(now, state.touched.get(symbol, now))},
        failures=without(state.failures, symbol),
        refused=without(state.refused, symbol),
    )


def finished(state: State, order_id: str, now: int, limits: Limits, *, failed: bool) -> State:
    """Return the state after the last word on an order; anything but a complete fill leaves a doubt.

    An order that is reported as failed may have been carried out all the same. Each failure in a row doubles the time
    until the next try.
    """
    if order_id not in state.pending:
        return state
    ended = state.pending[order_id]
    symbol, complete = ended.order.symbol, ended.executed == ended.order.quantity
    state = replace(state, pending=without(state.pending, order_id), touched={**state.touched, symbol: now})
    if failed:
        number = state.refused.get(symbol, 0) + 1
        pause = limits.pause_ms(number)
        state = replace(
            state,
            failures={**state.failures, symbol: state.failures.get(symbol, 0) + 1},
            refused={**state.refused, symbol: number},
            retry_at={**state.retry_at, symbol: now + pause},
        )
    if complete:
        return state
    if order_id not in state.resumed:
        state = replace(state, late={**state.late, order_id: symbol})
    return _doubted(state, symbol, now)


def overdue(state: State, now: int, limits: Limits) -> State:
    """Return the state without orders that have been silent for too long; they count as failed.

    One that may rest in the book is cancelled first: given up too early, it would be filled when nobody expects it.
    """
    for order_id, one in state.pending.items():
        if now - one.sent_at >= limits.pending_ms * (1 if one.order.limit is None else RESTING_PATIENCE):
            state = finished(state, order_id, now, limits, failed=True)
    return state


def without(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a mapping without one of its keys."""
    return {key: value for key, value in values.items() if key != name}


def _doubted(state: State, symbol: str, now: int) -> State:
    """Return the state with a doubt that an order of ours explains."""
    surprising = tuple(name for name in state.surprising if name != symbol)
    doubtful, touched = {**state.doubtful, symbol: now}, {**state.touched, symbol: now}
    return replace(state, doubtful=doubtful, touched=touched, surprising=surprising)


def _order(row: Mapping[str, Any]) -> Order:
    limit = row.get("limit")
    quantity = Decimal(row["quantity"])
    return Order(row["symbol"], quantity, row["reduce_only"], None if limit is None else Decimal(limit))


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    return list(value) if isinstance(value, tuple) else value
