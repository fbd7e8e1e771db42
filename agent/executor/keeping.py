"""What a signal asks for: pairs that were decided on, and pairs that are merely held.

A pair is held while the agent's data are late: its legs repeat an older decision. Whoever has the position keeps or
reduces it. Nobody opens it or adds to it, since nothing was decided: it may have been closed meanwhile for a reason.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Self

from agent.executor.balance import Market
from agent.executor.intent import Intent
from agent.executor.rules import ZERO
from agent.executor.state import State
from agent.executor.targets import Base, units_of

ONE = Decimal(1)


@dataclass(frozen=True)
class Aims:
    """Targets by pair, signed base units by symbol."""

    pairs: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)
    held: frozenset[str] = frozenset()
    """Pairs that may be kept or reduced only."""

    @classmethod
    def of(cls, intent: Intent, base: Base, most: Decimal | None) -> Self:
        """Return what an intent comes to; arguments as for :func:`~agent.executor.targets.units_of`."""
        names = dict.fromkeys(leg.pair for leg in intent.legs)
        pairs = {name: units_of(tuple(leg for leg in intent.legs if leg.pair == name), base, most) for name in names}
        reports = () if intent.signal is None else intent.signal.pairs
        return cls(pairs, frozenset(one.pair for one in reports if one.status == "held" and one.pair in names))

    def units(self, shares: Mapping[str, Decimal]) -> dict[str, Decimal]:
        """Return the sums by symbol, of each pair the share that is named, otherwise all of it."""
        total: dict[str, Decimal] = {}
        for name, legs in self.pairs.items():
            for symbol, units in legs.items():
                total[symbol] = total.get(symbol, ZERO) + units * shares.get(name, ONE)
        return total

    def kept(self, state: State, markets: Mapping[str, Market]) -> tuple[dict[str, Decimal], frozenset[str]]:
        """Return the targets of now, and the symbols in which nothing may be opened.

        A held pair is wanted at the share of it that is there, by the legs that no other pair has. Where it has none,
        nothing tells its part of a position from the others': it counts as whole, and its symbols are not opened.
        """
        pairs_of = Counter(symbol for legs in self.pairs.values() for symbol in legs)
        own = {name: [symbol for symbol in self.pairs[name] if pairs_of[symbol] == 1] for name in self.held}

        def there(name: str, symbol: str) -> Decimal:
            return _share(self.pairs[name][symbol], state.position(symbol), markets.get(symbol))

        shares = {name: min((there(name, symbol) for symbol in own[name]), default=ONE) for name in self.held}
        decided = {symbol for name, legs in self.pairs.items() if name not in self.held for symbol in legs}
        held = {symbol for name in self.held for symbol in self.pairs[name] if symbol not in decided or not own[name]}
        return self.units(shares), frozenset(held)


def _share(target: Decimal, held: Decimal, market: Market | None) -> Decimal:
    """Return the part of a target that is there, from 0 to 1; what rounds to nothing is there.

    Without a rule to round by, any position on the target's side counts as all of it.
    """
    if market is None:
        return ONE if held * target > 0 else ZERO
    rounded = market.rule.nearest(target)
    return min(max(held / rounded, ZERO), ONE) if rounded else ONE
