"""The market of the simulation: prices that stand for some ticks, and what it may do to who holds a position."""

from collections.abc import Callable
from typing import Final

import numpy as np

from agent.testing.simulated_network import TICK_MS
from perpfut_lib.venue.exchange import Exchange
from perpfut_lib.venue.faults import BookGap, Deleverage, Fault, FundingShock, Jump
from perpfut_lib.venue.view import Quote as BookQuote

PRICE_MS: Final = 5 * TICK_MS
SHOCKS: Final[tuple[tuple[float, Callable[[np.random.Generator, str], Fault]], ...]] = (
    (0.25, lambda rng, symbol: Deleverage(symbol=symbol, share=float(rng.uniform(0.2, 1.0)))),
    (0.25, lambda rng, symbol: FundingShock(symbol=symbol, rate=float(rng.uniform(-0.005, 0.005)))),
    (0.2, lambda rng, symbol: BookGap(symbol=symbol, share=float(rng.uniform(0.002, 0.08)))),
    (0.3, lambda rng, symbol: Jump(symbol=symbol, factor=float(rng.uniform(0.78, 1.25)), bars=int(rng.integers(0, 3)))),
)
"""How likely each is in a phase."""
WORDS: Final = {FundingShock: "funding shocks", BookGap: "gaps in the book", Jump: "price jumps"}


class SteppedExchange(Exchange):
    """An exchange whose prices stand for some ticks: most of a schedule's time would go into working them out."""

    def quote(self, symbol: str) -> BookQuote:
        """Return a symbol's prices as of the exchange's time."""
        known: dict[str, tuple[int, BookQuote]] = self.__dict__.setdefault("_known", {})
        now = self.clock.now() // PRICE_MS
        if known.get(symbol, (-1,))[0] != now:
            known[symbol] = (now, super().quote(symbol))
        return known[symbol][1]
