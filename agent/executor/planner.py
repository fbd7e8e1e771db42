"""From target positions to the orders of this moment.

Target minus position, per group of legs that hedge one another: what reduces comes before what opens, nothing opens
unless every leg of its group can, and a group that stays out of proportion is taken back to what is hedged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal

from agent.executor.balance import GroupLeg, Market, level, reduced, watched
from agent.executor.rules import ZERO, Limits
from agent.executor.state import Order, State, overdue


@dataclass(frozen=True)
class Situation:
    """What the planner looks at besides its own state."""

    now: int
    """Monotonic clock, ms."""
    targets: Mapping[str, Decimal]
    """Signed base units, exact; an absent symbol shall be flat."""
    groups: tuple[tuple[str, ...], ...]
    """Symbols that hedge one another; every symbol that is held or wanted is in one."""
    markets: Mapping[str, Market]
    """By symbol. A leg is reduced by its own market alone; a group opens only with all of its markets."""
    kept: frozenset[str] = frozenset()
    """Symbols that are held without a decision: reduced, not opened."""


def plan(state: State, situation: Situation, limits: Limits) -> tuple[State, tuple[Order, ...]]:
    """Return the orders to send now.

    Parameters
    ----------
    state : State
        Ledger and memory; :func:`~agent.executor.state.sent` notes each order that really leaves.
    situation : Situation
        Targets and markets.
    limits : Limits
        What the executor allows itself.

    Returns
    -------
    state : State
        With overdue orders given up and the groups' clocks moved.
    orders : tuple of Order
        Reductions first; never more than one of a symbol, none where one is in flight, and never one that would carry
        a position beyond its target.
    """
    state = overdue(state, situation.now, limits)
    state = replace(state, sent=tuple(time for time in state.sent if situation.now - time < limits.rate_ms))
    closing: list[Order] = []
    opening: list[list[Order]] = []
    for group in situation.groups:
        legs = _legs(state, situation, group)
        state = watched(state, legs, situation.now, limits)
        barred = any(state.barred.get(name, 0) > situation.now or name in state.left for name in group)
        wanted = _wanted(legs, barred=barred)
        reductions = _reductions(state, legs, wanted, situation.now, limits)
        closing += reductions
        if not barred and not reductions:
            opening.append(_openings(state, legs, wanted, situation, limits))
    return state, _within_rate(state, closing, opening, limits)


def _legs(state: State, situation: Situation, group: tuple[str, ...]) -> list[GroupLeg]:
    legs = []
    for symbol in group:
        market, exact = situation.markets.get(symbol), situation.targets.get(symbol, ZERO)
        target = exact if market is None else market.rule.nearest(exact)
        legs.append(GroupLeg(symbol, state.position(symbol), target, market))
    return legs


def _wanted(legs: list[GroupLeg], *, barred: bool) -> dict[str, Decimal]:
    """Return the position of each leg that is aimed for now."""
    at = level(legs)
    return {leg.symbol: reduced(leg, at) if barred else leg.target for leg in legs}


def _reductions(
    state: State, legs: list[GroupLeg], wanted: Mapping[str, Decimal], now: int, limits: Limits
) -> list[Order]:
    """Return reduce-only orders; a leg waits for its own orders and doubts alone."""
    orders = []
    for leg in legs:
        change, market = wanted[leg.symbol] - leg.held, leg.live
        if market is None or change * leg.held >= 0 or state.waits(leg.symbol, now):
            continue
        since = state.doubtful.get(leg.symbol)
        blind = since is not None and wanted[leg.symbol] == 0 and now - since >= limits.blind_ms
        if since is not None and not blind:
            continue
        quantity = min(abs(change), abs(leg.held))
        if market.rule.reduces(quantity, market.price):
            parts = _parts(quantity, market, limits.max_order_notional)
            sliced = _part(quantity, market, parts)
            orders.append(Order(leg.symbol, sliced.copy_sign(change), reduce_only=True))
    return orders


def _openings(
    state: State, legs: list[GroupLeg], wanted: Mapping[str, Decimal], situation: Situation, limits: Limits
) -> list[Order]:
    """Return opening orders of a group that has nothing left to reduce, or none if a leg cannot follow."""
    now, kept = situation.now, situation.kept
    markets = {leg.symbol: leg.live for leg in legs}
    live = {symbol: market for symbol, market in markets.items() if market is not None}
    if len(live) < len(legs) or any(state.waits(leg.symbol, now) or leg.symbol in state.doubtful for leg in legs):
        return []
    if any(now - state.touched.get(leg.symbol, now - limits.slice_ms) < limits.slice_ms for leg in legs):
        return []
    changes = {leg.symbol: wanted[leg.symbol] - leg.held for leg in legs}
    backward = [leg for leg in legs if changes[leg.symbol] * leg.held < 0]
    dust = [leg for leg in backward if _dust(leg, changes[leg.symbol], live[leg.symbol])]
    if len(dust) < len(backward):
        return []
    crossing = [leg for leg in dust if abs(changes[leg.symbol]) > abs(leg.held)]
    moving = [leg for leg in legs if changes[leg.symbol] and leg not in backward] + crossing
    sendable = [leg for leg in moving if live[leg.symbol].opens(changes[leg.symbol])]
    unable = any((leg.share == 0 and leg not in sendable) or leg.symbol in kept for leg in moving)
    if unable or not all(live[leg.symbol].near(changes[leg.symbol], limits) for leg in moving):
        return []
    quantities = {leg.symbol: changes[leg.symbol] for leg in sendable}
    return [Order(name, size, reduce_only=False) for name, size in _slices(quantities, live, limits).items()]


def _dust(leg: GroupLeg, change: Decimal, market: Market) -> bool:
    """Return whether what this change takes from the position is less than the exchange takes an order for."""
    return not market.rule.reduces(min(abs(change), abs(leg.held)), market.price)


def _slices(changes: Mapping[str, Decimal], markets: Mapping[str, Market], limits: Limits) -> Mapping[str, Decimal]:
    """Return one slice of each leg: all legs are cut into as many parts, so that they stay in proportion meanwhile.

    A leg that would fall below the least order by that is cut into fewer.
    """
    most = min(limits.max_order_notional, limits.slice_notional or limits.max_order_notional)
    common = max((_parts(abs(change), markets[name], most) for name, change in changes.items()), default=1)
    slices = {}
    for name, change in changes.items():
        quantity, market = abs(change), markets[name]
        least = max(market.rule.min_notional, market.rule.min_quantity * market.price)
        feasible = int(quantity * market.price / least) if least else common
        parts = max(_parts(quantity, market, limits.max_order_notional), min(common, feasible))
        slices[name] = _part(quantity, market, parts).copy_sign(change)
    return slices


def _parts(quantity: Decimal, market: Market, most: Decimal) -> int:
    """Return into how many equal parts a quantity is cut so that none exceeds a notional."""
    return max(1, int((quantity * market.price / most).to_integral_value(ROUND_CEILING)))


def _part(quantity: Decimal, market: Market, parts: int) -> Decimal:
    """Return one of so many parts of a quantity, on the lot."""
    rule = market.rule
    return quantity if parts == 1 else max(rule.inside(quantity / parts), min(rule.min_quantity, quantity))


def _within_rate(state: State, closing: list[Order], opening: list[list[Order]], limits: Limits) -> tuple[Order, ...]:
    """Return the orders that the rate allows: reductions first, then whole groups with room to close them again."""
    room = limits.max_orders - len(state.sent)
    orders = closing[: max(room, 0)]
    for group in opening:
        if group and len(orders) + 2 * len(group) <= room:
            orders = [*orders, *group]
    return tuple(orders)
