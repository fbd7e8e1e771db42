"""From weights to units: what a signal asks for, in the exchange's symbols."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Self

from agent.executor.balance import Market
from agent.executor.rules import ZERO
from agent.executor.settings import Quote
from perpfut_lib.artifacts import ActivePairs, AgentFolder
from perpfut_lib.artifacts.contract import Leg
from perpfut_lib.errors import PerpfutError


@dataclass(frozen=True)
class Base:
    """The equity that weights are shares of: the account's at the start of the trading window."""

    window: int
    """Start of the trading window, ms UTC; -1 while none is known."""
    equity: float
    """Quote currency."""

    def moved(self, window: int | None, equity: float) -> Self:
        """Return the base for a window: a new window starts from the equity now, an unknown one changes nothing.

        A base that nothing can be taken of is replaced at once.
        """
        if window is None:
            return self if usable(self.equity) else replace(self, equity=equity)
        same = window == self.window and usable(self.equity)
        return self if same else type(self)(window, equity)


def usable(equity: float) -> bool:
    """Return whether weights can be taken of an equity: anything but a positive number turns positions round."""
    return math.isfinite(equity) and equity > 0.0


def units_of(legs: tuple[Leg, ...], base: Base, most: Decimal | None = None) -> dict[str, Decimal]:
    """Return target units by symbol: equity times the sum of weight over price; none without equity.

    Parameters
    ----------
    legs : tuple of Leg
        Of a signal; a symbol may occur in several pairs.
    base : Base
        What the weights are shares of.
    most : Decimal, optional
        Largest equity that is put to work, quote currency.
    """
    if not usable(base.equity):
        return {}
    equity = Decimal(str(base.equity)) if most is None else min(Decimal(str(base.equity)), most)
    units: dict[str, Decimal] = {}
    for leg in legs:
        share = Decimal(str(leg.weight)) / Decimal(str(leg.price))
        units[leg.symbol] = units.get(leg.symbol, ZERO) + equity * share
    return units


def prices_of(legs: tuple[Leg, ...]) -> Mapping[str, Decimal]:
    """Return the price that the signal names, by symbol."""
    return {leg.symbol: Decimal(str(leg.price)) for leg in legs}


def markets_of(
    known: Mapping[str, Quote], live: Mapping[str, Quote], prices: Mapping[str, Decimal]
) -> dict[str, Market]:
    """Return the markets by symbol: those with a quote of now, and those whose last quote is older."""
    return {
        name: Market(one.rule, one.price, prices.get(name), live=name in live, bid=one.bid, ask=one.ask)
        for name, one in known.items()
    }


def pairs_of(legs: tuple[Leg, ...]) -> tuple[tuple[str, ...], ...]:
    """Return the symbols of each pair."""
    names = sorted({leg.pair for leg in legs})
    return tuple(tuple(leg.symbol for leg in legs if leg.pair == name) for name in names)


def trading_window(folder: AgentFolder) -> int | None:
    """Return the start of the trading window, ms UTC; none where the pairs cannot be read."""
    try:
        return folder.read(ActivePairs).valid_from
    except PerpfutError:
        return None
