"""Readings of the exchange's positions against the ledger: when to ask, what to believe, and what is not ours."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from agent.executor.rules import ZERO, Limits
from agent.executor.state import State, without

LONGEST_QUIET: Final = 3
"""So many times the quiet time after a reading the next pause between orders will do, and after twice that any moment.

An executor that trades at every bar would never be quiet, and would not see what others do to its positions.
"""


@dataclass(frozen=True)
class Away:
    """A time in which nobody looked."""

    since: int
    """Monotonic clock when the state was remembered, which may be of another boot, ms."""
    passed: int
    """ms that have passed since by the wall clock."""
    now: int
    """Monotonic clock, ms."""
    listed: frozenset[str] = frozenset()
    """Symbols of which all trades since are known: where they explain the position, nothing is in doubt."""

    @property
    def shift(self) -> int:
        """Return what is to be added to a time that was remembered."""
        return self.now - self.since - max(0, self.passed)


def reading_due(state: State, now: int, limits: Limits) -> bool:
    """Return whether the exchange is to be asked for its positions: in doubt, in quiet times, or when it is overdue."""
    doubts = {symbol: since for symbol, since in state.doubtful.items() if not state.busy(symbol)}
    if any(now - since >= _wait(state, symbol, limits) for symbol, since in doubts.items()):
        return True
    touched, since = max(state.touched.values(), default=state.read_at), now - state.read_at
    if since >= 2 * LONGEST_QUIET * limits.quiet_ms:
        return True
    quiet = limits.settle_ms if since >= LONGEST_QUIET * limits.quiet_ms else limits.quiet_ms
    return not state.pending and now - max(state.read_at, touched) >= quiet


def _wait(state: State, symbol: str, limits: Limits) -> int:
    """Return how long to wait for the next reading; one that contradicts fills without a reason may just be old."""
    return limits.confirm_ms if symbol in state.surprising else limits.settle_ms


def unlisted(state: State, wall: int) -> dict[str, int]:
    """Return from when on the exchange's list is to be read beside the next reading, ms UTC by symbol.

    Of what is held, for its funding; where something is under way or in doubt, or has happened since the last reading.
    """
    under_way = {one.order.symbol for one in state.pending.values()} | {*state.late.values(), *state.resumed.values()}
    held = {symbol for symbol in state.positions if state.total(symbol)}
    news = {symbol for symbol, at in state.touched.items() if at >= state.read_at}
    symbols = sorted({*held, *under_way, *state.doubtful, *news})
    return {symbol: state.listed_since(symbol, wall) for symbol in symbols}


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
        believed the second time it comes. A change that no order of ours explains is somebody else's, see
        :func:`by_others`.
    """
    for symbol in sorted({*positions, *state.positions, *state.foreign, *state.doubtful}):
        recent = state.touched.get(symbol, asked_at - limits.settle_ms) > asked_at - limits.settle_ms
        if state.busy(symbol) or recent:
            continue
        value = positions.get(symbol, ZERO)
        if value != state.total(symbol) and state.differs.get(symbol) != value:
            state = _contradicted(state, symbol, value, asked_at)
        else:
            state = _believed(state, symbol, value, limits)
    return replace(state, read_at=asked_at)


def _believed(state: State, symbol: str, value: Decimal, limits: Limits) -> State:
    """Return the state after a reading that is believed: what ended before it is over."""
    change = value - state.total(symbol)
    if change and symbol in state.surprising:
        state = by_others(state, symbol, change, limits)
    return replace(
        state,
        positions={**state.positions, symbol: value - state.foreign.get(symbol, ZERO)},
        doubtful=without(state.doubtful, symbol),
        differs=without(state.differs, symbol),
        surprising=tuple(name for name in state.surprising if name != symbol),
        late={order_id: name for order_id, name in state.late.items() if name != symbol},
        resumed={order_id: name for order_id, name in state.resumed.items() if name != symbol},
    )


def _contradicted(state: State, symbol: str, value: Decimal, asked_at: int) -> State:
    """Return the state after a reading that is not believed yet; the first one tells whether an order explains it."""
    explained = symbol in state.doubtful or symbol in state.late.values() or symbol in state.resumed.values()
    surprising = state.surprising
    if symbol not in state.differs and not explained:
        surprising = (*surprising, symbol)
    return replace(
        state,
        differs={**state.differs, symbol: value},
        doubtful={**state.doubtful, symbol: asked_at},
        surprising=surprising,
    )


def by_others(state: State, symbol: str, change: Decimal, limits: Limits) -> State:
    """Return the state after somebody else changed a position by ``change`` units.

    What takes from a position takes from the foreign part first and then from ours; then the symbol is left, which
    means reduced only, unless the limits let it be reopened. What is more than that was opened by hand, and is foreign.
    """
    foreign, own = state.foreign.get(symbol, ZERO), state.position(symbol)
    closed = _taken(foreign, change)
    ours = _taken(own, change - closed)
    opened = change - closed - ours
    left = state.left if limits.reopen or not ours or symbol in state.left else (*state.left, symbol)
    rest = foreign + closed + opened
    return replace(
        state,
        positions={**state.positions, symbol: own + ours},
        foreign={**state.foreign, symbol: rest} if rest else without(state.foreign, symbol),
        left=left,
    )


def resumed(before: State, positions: Mapping[str, Decimal], away: Away, limits: Limits) -> State:
    """Return the state after a restart.

    Orders that were in flight still are, until they are heard of or overdue; bars and refusals go on; a position that
    differs from the ledger without an order of ours that explains it was changed by somebody else.

    Parameters
    ----------
    before : State
        As it was remembered, with the fills that the exchange has listed since.
    positions : mapping
        What the exchange holds, signed base units.
    away : Away
        When it was remembered, and when it goes on.
    limits : Limits
        As for :func:`read`.
    """
    state = _later(before, away)
    sure = {name for name in away.listed if before.total(name) == positions.get(name, ZERO)}
    known = {**before.resumed, **before.late}
    flying = {order_id: one.order.symbol for order_id, one in before.pending.items()}
    explained = {*flying.values(), *before.late.values(), *before.doubtful}
    state = replace(
        state,
        late={order_id: name for order_id, name in known.items() if name in sure},
        resumed={order_id: name for order_id, name in (known | flying).items() if name not in sure},
    )
    for symbol in sorted({*positions, *before.positions, *before.foreign}):
        value = positions.get(symbol, ZERO)
        change = value - state.total(symbol)
        if change and symbol not in explained:
            state = by_others(state, symbol, change, limits)
        own = value - state.foreign.get(symbol, ZERO)
        state = replace(state, positions={**state.positions, symbol: own})
    return state


def _later(before: State, away: Away) -> State:
    """Return the state at another monotonic clock, with nothing seen yet but what is in flight."""
    flying = {order_id: replace(one, sent_at=away.now) for order_id, one in before.pending.items()}
    return replace(
        before,
        pending=flying,
        doubtful={one.order.symbol: away.now for one in flying.values()},
        differs={},
        surprising=(),
        touched={},
        retry_at={symbol: until + away.shift for symbol, until in before.retry_at.items()},
        exposed={symbol: min(away.now, since + away.shift) for symbol, since in before.exposed.items()},
        barred={symbol: until + away.shift for symbol, until in before.barred.items()},
        sent=tuple(time + away.shift for time in before.sent),
        read_at=away.now,
    )


def _taken(held: Decimal, change: Decimal) -> Decimal:
    """Return the part of a change that goes against what is held, and not beyond zero."""
    return ZERO if held * change >= 0 else min(abs(held), abs(change)).copy_sign(change)
