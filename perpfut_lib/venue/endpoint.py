"""How an endpoint is described: its address, what it weighs, who may call it and the function that answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from perpfut_lib.types import Json, JsonObject
from perpfut_lib.venue.exchange import Exchange
from perpfut_lib.venue.parameters import Parameters

Answer = bytes | JsonObject | list[Json]
Weight = int | Callable[[Parameters], int]


@dataclass(frozen=True)
class Endpoint:
    """One REST endpoint of Binance USD-M futures."""

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    answer: Callable[[Exchange, Parameters], Answer]
    weight: Weight = 1
    security: Literal["none", "key", "signed"] = "none"
    """``key`` asks for the API key header, ``signed`` for a valid HMAC signature and time stamp too."""
    places_order: bool = False
    """Whether it counts against the account's limit of new orders."""
    funding_limit: bool = False
    """Whether it counts requests per five minutes instead of weight."""

    def weigh(self, parameters: Parameters) -> int:
        """Return the weight of one request."""
        return self.weight(parameters) if callable(self.weight) else self.weight
