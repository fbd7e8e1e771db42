"""Groups of legs that belong together, and how far they are from the proportion that hedges them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from agent.executor.rules import ZERO, Limits, TradingRule
from agent.executor.state import State


@dataclass(frozen=True)
class Market:
    """What is known of one symbol now."""

    rule: TradingRule
    """Grid and least sizes."""
    price: Decimal
    """Middle of the book, quote currency."""
    quoted: Decimal | None = None
    """Price that the signal named; none where it named none."""
    live: bool = True
    """Whether the price is of now; with an older one a leg is weighed but not traded."""
    bid: Decimal | None = None
    """Best price of buyers; none where it is not known."""
    ask: Decimal | None = None
    """Best price of sellers."""

    def opens(self, quantity: Decimal) -> bool:
        """Return whether an order of this size may open or add to a position."""
        return self.rule.opens(quantity, self.price)

    def near(self, quantity: Decimal, limits: Limits) -> bool:
        """Return whether what a market order would pay is near enough to the signal's price to open a position."""
        offered = self.ask if quantity > 0 else self.bid
        price = self.price if offered is None else offered
        return self.quoted is None or abs(price - self.quoted) <= limits.max_deviation * self.quoted


@dataclass(frozen=True)
class GroupLeg:
    """One symbol of a group."""

    symbol: str
    held: Decimal
    """Signed base units by the ledger."""
    target: Decimal
    """Signed base units, on the nearest lot."""
    market: Market | None
    """None where the symbol has never been quoted."""

    @property
    def live(self) -> Market | None:
        """Return the market if it can be traded now."""
        return self.market if self.market is not None and self.market.live else None

    @property
    def share(self) -> Decimal:
        """Return the part of the target that is held, at least 0; a position on the wrong side is none of it."""
        return max(self.held / self.target, ZERO)

    @property
    def smallest(self) -> Decimal:
        """Return the notional below which the exchange takes no order; zero where no price is known."""
        if self.market is None:
            return ZERO
        rule = self.market.rule
        return max(rule.min_notional, max(rule.min_quantity, rule.lot) * self.market.price)

    def worth(self, quantity: Decimal) -> Decimal:
        """Return the notional of a quantity; zero where no price is known."""
        return ZERO if self.market is None else abs(quantity) * self.market.price


def groups_of(pairs: Iterable[tuple[str, ...]], symbols: Iterable[str]) -> list[tuple[str, ...]]:
    """Return symbols that hang together through pairs; a symbol of no pair stands alone."""
    groups: list[set[str]] = [{symbol} for symbol in sorted(symbols)]
    for pair in pairs:
        joined = set(pair).union(*(group for group in groups if group & set(pair)))
        groups = [group for group in groups if not group & joined] + [joined]
    return sorted(tuple(sorted(group)) for group in groups)


def level(legs: Iterable[GroupLeg]) -> Decimal:
    """Return the part of the whole target, at most 1, that all legs hold."""
    return min((leg.share for leg in legs if leg.target), default=Decimal(1)).min(Decimal(1))


def reduced(leg: GroupLeg, at: Decimal) -> Decimal:
    """Return the target of a leg that may only be reduced: the balanced part of it, never more than is held."""
    if leg.held * leg.target <= 0:
        return ZERO
    if leg.market is None:
        return leg.held
    balanced = leg.market.rule.nearest(leg.target * at)
    return balanced if abs(balanced) < abs(leg.held) else leg.held


def out_of_proportion(legs: list[GroupLeg], limits: Limits) -> bool:
    """Return whether more is held of some leg than the other legs hedge; a group that shall be flat never is."""
    if not any(leg.target for leg in legs):
        return False
    at = level(legs)
    excess = sum((leg.worth(leg.held - leg.target * at) for leg in legs), ZERO)
    gross = sum((leg.worth(leg.target) for leg in legs), ZERO)
    return excess > max(limits.imbalance_share * gross, sum((leg.smallest for leg in legs), ZERO))


def watched(state: State, legs: list[GroupLeg], now: int, limits: Limits) -> State:
    """Return the state with the group's clock of imbalance; a group that ran out of time or of tries is barred."""
    symbols = [leg.symbol for leg in legs]
    if out_of_proportion(legs, limits):
        since = min([state.exposed.get(symbol, now) for symbol in symbols])
        exposed: Mapping[str, int] = {**state.exposed, **dict.fromkeys(symbols, since)}
    else:
        since = now
        exposed = {symbol: since for symbol, since in state.exposed.items() if symbol not in symbols}
    state = replace(state, exposed=exposed)
    exhausted = any(state.failures.get(symbol, 0) >= limits.max_failures for symbol in symbols)
    if now - since < limits.imbalance_ms and not exhausted:
        return state
    return replace(
        state,
        barred={**state.barred, **dict.fromkeys(symbols, now + limits.cool_off_ms)},
        exposed={symbol: start for symbol, start in state.exposed.items() if symbol not in symbols},
        failures={symbol: count for symbol, count in state.failures.items() if symbol not in symbols},
    )
