"""From weights to units: what a signal asks for, in the exchange's symbols."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from agent.executor.rules import ZERO
from perpfut_lib.artifacts.contract import Leg


@dataclass(frozen=True)
class Base:
    """The equity that weights are shares of: the account's at the start of the trading window."""

    window: int
    """Start of the trading window, ms UTC; -1 while none is known."""
    equity: float
    """Quote currency."""

    def moved(self, window: int | None, equity: float) -> Self:
        """Return the base for a window: a new window starts from the equity now, an unknown one changes nothing."""
        return self if window is None or window == self.window else type(self)(window, equity)


def units_of(legs: tuple[Leg, ...], base: Base, most: Decimal | None = None) -> dict[str, Decimal]:
    """Return target units by symbol: equity times the sum of weight over price.

    Parameters
    ----------
    legs : tuple of Leg
        Of a signal; a symbol may occur in several pairs.
    base : Base
        What the weights are shares of.
    most : Decimal, optional
        Largest equity that is put to work, quote currency.
    """
    equity = Decimal(str(base.equity)) if most is None else min(Decimal(str(base.equity)), most)
    units: dict[str, Decimal] = {}
    for leg in legs:
        share = Decimal(str(leg.weight)) / Decimal(str(leg.price))
        units[leg.symbol] = units.get(leg.symbol, ZERO) + equity * share
    return units


def prices_of(legs: tuple[Leg, ...]) -> Mapping[str, Decimal]:
    """Return the price that the signal names, by symbol."""
    return {leg.symbol: Decimal(str(leg.price)) for leg in legs}


def pairs_of(legs: tuple[Leg, ...]) -> tuple[tuple[str, ...], ...]:
    """Return the symbols of each pair."""
    names = sorted({leg.pair for leg in legs})
    return tuple(tuple(leg.symbol for leg in legs if leg.pair == name) for name in names)
