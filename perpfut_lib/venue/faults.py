"""Faults on demand: what can go wrong at an exchange, switched on by a test and counted down by its use."""

import threading
from typing import Annotated, Literal, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from perpfut_lib.config import Section
from perpfut_lib.errors import ConfigError


class Fault(Section):
    """A fault that lasts for ``count`` uses, or until it is cleared."""

    path: str = ""
    """Requests whose path begins so are concerned; all by default."""
    symbol: str | None = None
    """The symbol that is concerned; all by default."""
    count: int | None = Field(None, ge=1)
    """Number of uses after which the fault is over; without it, it stays."""
    every: int = Field(1, ge=1)
    """Only every n-th matching use is hit, the n-th first."""


class Latency(Fault):
    """Answers come late."""

    kind: Literal["latency"] = "latency"
    milliseconds: int = Field(1000, ge=0)


class Drop(Fault):
    """The connection closes without an answer."""

    kind: Literal["drop"] = "drop"
    after: bool = False
    """Whether the request has been carried out before: then an order exists of which the client knows nothing."""


class Status(Fault):
    """The answer is an HTTP error of the gateway, without JSON."""

    kind: Literal["status"] = "status"
    status: int = Field(503, ge=400, le=599)


class Gap(Fault):
    """A page of bars lacks some rows in its middle."""

    kind: Literal["gap"] = "gap"
    rows: int = Field(3, ge=1)


class Late(Fault):
    """Bars are published late: a bar that is over is still shown as it was before its end."""

    kind: Literal["late"] = "late"
    milliseconds: int = Field(5000, ge=0)


class Revise(Fault):
    """The latest closed bar is wrong at first and corrected after ``milliseconds``."""

    kind: Literal["revise"] = "revise"
    milliseconds: int = Field(5000, ge=0)


class Skew(Fault):
    """The exchange's clock is wrong by ``milliseconds``."""

    kind: Literal["skew"] = "skew"
    milliseconds: int = 5000


class Delist(Fault):
    """Trading of a symbol ends now: no new bars, no orders."""

    kind: Literal["delist"] = "delist"
    symbol: str


class Reject(Fault):
    """Orders are refused."""

    kind: Literal["reject"] = "reject"
    reason: Literal["margin", "busy", "reduce_only"] = "margin"


class PartialFill(Fault):
    """Orders that take liquidity fill only in part; the rest expires."""

    kind: Literal["partial"] = "partial"
    share: float = Field(0.5, ge=0, lt=1)


class Lag(Fault):
    """Positions are shown as they were ``milliseconds`` ago, while fills are told at once."""

    kind: Literal["lag"] = "lag"
    milliseconds: int = Field(5000, ge=0)


class Jump(Fault):
    """From the next bar on prices are ``factor`` times what they would be: at once, or after sliding for some bars.

    It is no state that is cleared: what the market has done stays.
    """

    kind: Literal["jump"] = "jump"
    factor: float = Field(0.8, gt=0)
    bars: int = Field(0, ge=0)
    """Bars within which prices slide there; zero is a gap, which goes through stops."""


class FundingShock(Fault):
    """The next bar opens with a settlement of funding out of turn, at this rate; it is not cleared either."""

    kind: Literal["funding"] = "funding"
    rate: float = Field(0.01, gt=-1, lt=1)


class Deleverage(Fault):
    """The exchange reduces a position by itself, against somebody who is bankrupt; once unless told otherwise."""

    kind: Literal["deleverage"] = "deleverage"
    share: float = Field(0.5, gt=0, le=1)
    count: int | None = Field(1, ge=1)


class BookGap(Fault):
    """The book is empty around the last price: the best prices lie this share of it away."""

    kind: Literal["book_gap"] = "book_gap"
    share: float = Field(0.01, ge=0, lt=1)


class Disconnect(Fault):
    """Websockets whose path begins with ``path`` are closed, once."""

    kind: Literal["disconnect"] = "disconnect"


AnyFault = Annotated[
    Latency
    | Drop
    | Status
    | Gap
    | Late
    | Revise
    | Skew
    | Delist
    | Reject
    | PartialFill
    | Lag
    | Jump
    | FundingShock
    | Deleverage
    | BookGap
    | Disconnect,
    Field(discriminator="kind"),
]
_ADAPTER: TypeAdapter[AnyFault] = TypeAdapter(AnyFault)
F = TypeVar("F", bound=Fault)


def read_fault(text: str | bytes) -> AnyFault:
    """Read a fault from JSON.

    Raises
    ------
    ConfigError
        The kind or a setting is unknown or out of range.
    """
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise ConfigError(f"fault {found}", "a kind and settings of perpfut_lib/venue/faults.py", "mend it") from error


class FaultBoard:
    """The faults that are switched on. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: list[tuple[Fault, int]] = []  # with the number of matching uses so far

    def add(self, fault: Fault) -> None:
        """Switch a fault on."""
        with self._lock:
            self._active.append((fault, 0))

    def clear(self) -> None:
        """Switch all faults off."""
        with self._lock:
            self._active.clear()

    def active(self) -> list[Fault]:
        """Return the faults that are on."""
        with self._lock:
            return [fault for fault, _ in self._active]

    def lasting(self, kind: type[F], symbol: str | None = None) -> F | None:
        """Return a fault of a kind that concerns ``symbol``, without using it up."""
        matching = (fault for fault in self.active() if isinstance(fault, kind) and _concerns(fault, "", symbol))
        return next(matching, None)

    def take(self, kind: type[F]) -> F | None:
        """Return a fault of a kind and switch it off."""
        with self._lock:
            for k, (fault, _) in enumerate(self._active):
                if isinstance(fault, kind):
                    del self._active[k]
                    return fault
        return None

    def use(self, kind: type[F], path: str = "", symbol: str | None = None) -> F | None:
        """Return a fault of a kind that hits this use, and count the use; None if none does."""
        with self._lock:
            for k, (fault, uses) in enumerate(self._active):
                if isinstance(fault, kind) and _concerns(fault, path, symbol):
                    self._active[k] = (fault, uses + 1)
                    if (uses + 1) % fault.every:
                        continue
                    if (uses + 1) // fault.every == fault.count:
                        del self._active[k]
                    return fault
        return None


def _concerns(fault: Fault, path: str, symbol: str | None) -> bool:
    return path.startswith(fault.path) and (fault.symbol is None or fault.symbol == symbol)
