"""Accounts of the exchange's customers: wallet, positions, orders, fills, income. Exact decimals throughout."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Literal

ZERO = Decimal(0)
Side = Literal["BUY", "SELL"]


class Refusal(StrEnum):
    """Why an order, or what else was asked for, is refused; each wire has its own words for it."""

    CLOSED = "closed"
    QUANTITY_GRID = "quantity_grid"
    QUANTITY_ZERO = "quantity_zero"
    QUANTITY_MAX = "quantity_max"
    PRICE_GRID = "price_grid"
    PRICE_RANGE = "price_range"
    NOTIONAL = "notional"
    REDUCE_ONLY = "reduce_only"
    POST_ONLY = "post_only"
    NOT_FILLED = "not_filled"
    MARGIN = "margin"
    DUPLICATE = "duplicate"
    LEVERAGE = "leverage"
    BUSY = "busy"
    TRIGGER = "trigger"


class Refused(Exception):
    """A request that the exchange's rules do not allow."""

    def __init__(self, reason: Refusal, symbol: str = "", bound: str = "") -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.symbol = symbol
        self.bound = bound
        """The limit that was broken, as text."""


@dataclass
class Position:
    """A signed quantity in base units and its average entry price."""

    quantity: Decimal = ZERO
    entry: Decimal = ZERO
    updated: int = 0

    def trade(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Change the position by a signed quantity and return the profit that this realises, USDT."""
        held = self.quantity
        if held * quantity >= 0:
            self.entry = (abs(held) * self.entry + abs(quantity) * price) / (abs(held) + abs(quantity))
            self.quantity = held + quantity
            return ZERO
        closed = min(abs(held), abs(quantity)) * (1 if held > 0 else -1)
        self.quantity = held + quantity
        profit = closed * (price - self.entry)
        if abs(quantity) > abs(held):
            self.entry = price
        elif self.quantity == 0:
            self.entry = ZERO
        return profit

    def profit(self, price: Decimal) -> Decimal:
        """Return the unrealised profit at a price, USDT."""
        return self.quantity * (price - self.entry)


@dataclass(frozen=True)
class Request:
    """An order as a customer sends it, in the words of no particular exchange."""

    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal | None = None
    """None asks for the market price."""
    time_in_force: Literal["GTC", "IOC", "FOK", "GTX"] = "GTC"
    """GTX is post-only."""
    reduce_only: bool = False
    client_id: str = ""
    trigger: Decimal | None = None
    """Price of a stop: when the market trades there, it becomes a market order."""

    @property
    def sign(self) -> int:
        """+1 for a buyer, -1 for a seller."""
        return 1 if self.side == "BUY" else -1


@dataclass
class Order:
    """An accepted order."""

    number: int
    request: Request
    created: int
    status: Literal["NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED"] = "NEW"
    quantity: Decimal = ZERO
    """What is to be traded: a reduce-only order is cut to the position."""
    executed: Decimal = ZERO
    turnover: Decimal = ZERO
    """Executed quantity times price, USDT."""
    updated: int = 0
    watched: int = 0
    """Time up to which the market has been compared with this order while it rests."""

    @property
    def remaining(self) -> Decimal:
        """Quantity that is still to be traded."""
        return self.quantity - self.executed

    @property
    def open(self) -> bool:
        """Whether the order still rests in the book."""
        return self.status in {"NEW", "PARTIALLY_FILLED"}

    @property
    def average(self) -> Decimal:
        """Average price of what was executed; zero before."""
        return self.turnover / self.executed if self.executed else ZERO


@dataclass(frozen=True)
class Fill:
    """One trade of an order."""

    number: int
    order: Order
    price: Decimal
    quantity: Decimal
    fee: Decimal
    profit: Decimal
    """Realised by this trade, before its fee, USDT."""
    maker: bool
    time: int
    held: Decimal
    """Signed position before this trade."""


@dataclass(frozen=True)
class Income:
    """One change of the wallet."""

    number: int
    kind: Literal["REALIZED_PNL", "COMMISSION", "FUNDING_FEE", "INSURANCE_CLEAR"]
    symbol: str
    amount: Decimal
    time: int
    rate: Decimal = ZERO
    """Funding rate, for funding."""
    size: Decimal = ZERO
    """Signed position that paid it, for funding."""


@dataclass(frozen=True)
class Event:
    """Something that the private stream reports."""

    account: str
    what: Order | Fill | Income
    time: int


@dataclass
class Account:
    """One customer."""

    name: str
    wallet: Decimal
    hourly: bool = False
    """Whether funding is settled every hour instead of at the contract's interval."""
    positions: dict[str, Position] = field(default_factory=dict)
    leverage: dict[str, int] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    income: list[Income] = field(default_factory=list)
    countdowns: dict[str, int] = field(default_factory=dict)
    """When a dead man's switch cancels orders, ms UTC, by symbol; see :mod:`perpfut_lib.venue.countdown`."""
    settled: int = 0
    """Time up to which funding has been paid and resting orders have been matched."""

    def position(self, symbol: str) -> Position:
        """Return the position in a symbol, flat at first."""
        return self.positions.setdefault(symbol, Position())

    def open_orders(self, symbol: str | None = None) -> list[Order]:
        """Return resting orders, oldest first."""
        return [one for one in self.orders.values() if one.open and symbol in (None, one.request.symbol)]

    def find(self, number: int | None, client_id: str = "") -> Order | None:
        """Return an order by number, else the latest one with this client's id."""
        if number is not None:
            return self.orders.get(number)
        named = (one for one in reversed(self.orders.values()) if client_id and one.request.client_id == client_id)
        return next(named, None)

    def held(self) -> Iterator[tuple[str, Position]]:
        """Yield the symbols and positions that are not flat."""
        yield from ((symbol, one) for symbol, one in self.positions.items() if one.quantity)
