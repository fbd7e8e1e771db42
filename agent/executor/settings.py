"""What one executor is told, and what the exchange says of a symbol."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from agent.executor.intent import Patience
from agent.executor.rules import Limits, TradingRule
from agent.executor.stops import StopRules


@dataclass(frozen=True)
class TraderSettings:
    """What one executor is told."""

    symbols: tuple[str, ...]
    """Symbols that it may trade; what is held of them at its very first start is its own."""
    limits: Limits = field(default_factory=Limits)
    patience: Patience = field(default_factory=Patience)
    max_equity: Decimal | None = None
    """Largest equity that weights are taken of, quote currency; none: the account's."""
    run_id: str = "executor"
    """Its name in the snapshots."""
    touch_ms: int = 0
    """How long an order that follows a signal rests at the touch before a market order takes its place; zero: never."""
    stops: StopRules = field(default_factory=StopRules)
    """Catastrophe stops; none by default."""
    quote: str = "USDT"
    """Asset that the account is counted in."""


@dataclass(frozen=True)
class Quote:
    """What the exchange says of one symbol."""

    rule: TradingRule
    price: Decimal
    """Middle of the book, quote currency."""
    bid: Decimal | None = None
    """Best price of buyers; none where it is not known."""
    ask: Decimal | None = None
    """Best price of sellers."""

    def touch(self, quantity: Decimal) -> Decimal | None:
        """Return the best price on the own side of the book for a signed quantity."""
        return self.bid if quantity > 0 else self.ask


def middles(quotes: Mapping[str, Quote]) -> dict[str, float]:
    """Return the middle prices by symbol."""
    return {symbol: float(quote.price) for symbol, quote in quotes.items()}
