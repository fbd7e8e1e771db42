"""Trading rules of one perpetual future: price and lot grids, minimum order, funding interval."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np

from perpfut_lib.types import Float1D, JsonObject

MAX_DECIMALS: Final = 8  # the most that either exchange publishes


@dataclass(frozen=True)
class Instrument:
    """What an exchange publishes about a contract; the tick is ``10 ** -price_decimals``, lots alike."""

    symbol: str
    """Name on Binance, such as ``ETHUSDT``."""
    price_decimals: int
    lot_decimals: int
    funding_hours: int = 8
    """Hours between funding settlements at the start."""
    min_notional: Decimal = Decimal(5)
    """Least notional of an order that is not reduce-only, USDT."""
    max_leverage: int = 20
    quote: str = "USDT"

    @property
    def base(self) -> str:
        """The base asset."""
        return self.symbol.removesuffix(self.quote)

    @property
    def coin(self) -> str:
        """The name on Hyperliquid, where a thousand units are written with a small k: ``1000PEPE`` is ``kPEPE``."""
        return "k" + self.base.removeprefix("1000") if self.base.startswith("1000") else self.base

    @property
    def tick(self) -> Decimal:
        """Smallest price step, USDT."""
        return Decimal(1).scaleb(-self.price_decimals)

    @property
    def lot(self) -> Decimal:
        """Smallest quantity step, base units."""
        return Decimal(1).scaleb(-self.lot_decimals)

    def price_text(self, price: float | Decimal) -> str:
        """Return a price as the exchange writes it."""
        return f"{price:.{self.price_decimals}f}"

    def quantity_text(self, quantity: float | Decimal) -> str:
        """Return a quantity as the exchange writes it."""
        return f"{quantity:.{self.lot_decimals}f}"


def instrument_of(contract: JsonObject) -> Instrument:
    """Return the rules of a contract of the simulated market's truth."""
    names = ("symbol", "price_decimals", "lot_decimals", "funding_hours")
    return Instrument(**{name: contract[name] for name in names})


def decimals_of(values: Float1D) -> int:
    """Return the fewest decimals, at most eight, whose text carries every value exactly; eight if none does."""
    for decimals in range(MAX_DECIMALS):
        scale = 10.0**decimals
        if np.array_equal(np.rint(values * scale) / scale, values):
            return decimals
    return MAX_DECIMALS
