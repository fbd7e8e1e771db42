"""Catastrophe stops: reduce-only orders that rest at the exchange and close a position when nothing of ours is alive.

While the executor lives, each stop follows its position in size and, slowly, the price. When it dies they stay.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from typing import Final, Self

from agent.executor.rules import ZERO, Limits, TradingRule
from agent.executor.state import State, without
from perpfut_lib.types import Json, JsonObject

PREFIX: Final = "0x73746f70"
"""Our stops' ids begin so: *stop* in hexadecimal, since Hyperliquid takes 128-bit numbers only."""


@dataclass(frozen=True)
class StopRules:
    """Where stops lie, and when they move."""

    distance: Decimal = ZERO
    """Distance of the trigger from the price, as a fraction of it; zero: no stops."""
    drift: Decimal = Decimal("0.25")
    """Change of that distance, as a share of it, from which a stop follows the price."""
    rest_ms: int = 600_000
    """Shortest time for which a trigger stays where it is: a crash that is faster than that meets it."""


@dataclass(frozen=True)
class Stop:
    """A reduce-only market order that waits for its trigger."""

    stop_id: str
    symbol: str
    quantity: Decimal
    """Signed base units: negative sells, which protects a long position."""
    trigger: Decimal

    def beyond(self, price: Decimal) -> bool:
        """Return whether a price has reached the trigger."""
        return (price - self.trigger) * self.quantity >= 0

    def to_json(self) -> JsonObject:
        """Return it as plain JSON; numbers are text."""
        return {one.name: str(getattr(self, one.name)) for one in fields(self)}

    @classmethod
    def from_json(cls, tree: Mapping[str, Json]) -> Self:
        """Return what :meth:`to_json` wrote."""
        return cls(tree["stop_id"], tree["symbol"], Decimal(tree["quantity"]), Decimal(tree["trigger"]))


@dataclass(frozen=True)
class Resting:
    """A stop that was sent, and what is known of it; times are monotonic ms."""

    stop: Stop
    sent_at: int
    anchored_at: int
    """When its trigger was taken from the price."""
    sure: bool = False
    """Whether the exchange has said that it rests."""
    leaving_at: int | None = None
    """When its cancellation was asked for."""
    reached: bool = False
    """Whether the price was seen at its trigger."""


@dataclass(frozen=True)
class StopBook:
    """All stops that may rest; every change returns a new one."""

    rests: Mapping[str, Resting] = field(default_factory=dict)
    """By id."""
    refused: Mapping[str, int] = field(default_factory=dict)
    """Refusals in a row by symbol."""
    wait_until: Mapping[str, int] = field(default_factory=dict)
    """Until when no stop of a symbol is sent, monotonic ms."""

    def of(self, symbol: str) -> list[Resting]:
        """Return the stops of a symbol that are not being cancelled, the latest last."""
        ours = [one for one in self.rests.values() if one.stop.symbol == symbol and one.leaving_at is None]
        return sorted(ours, key=lambda one: one.sent_at)

    def seen(self, prices: Mapping[str, Decimal]) -> "StopBook":
        """Return the book after a look at the prices: some may have reached a trigger."""
        near = {
            name: replace(one, reached=True)
            for name, one in self.rests.items()
            if one.stop.symbol in prices and not one.reached and one.stop.beyond(prices[one.stop.symbol])
        }
        return replace(self, rests={**self.rests, **near}) if near else self

    @property
    def reached(self) -> bool:
        """Return whether some price was seen at the trigger of a stop: it may have been carried out."""
        return any(one.reached for one in self.rests.values())

    def sent(self, stop: Stop, anchored_at: int, now: int) -> "StopBook":
        """Return the book after a stop has left."""
        return replace(self, rests={**self.rests, stop.stop_id: Resting(stop, now, anchored_at)})

    def accepted(self, stop_id: str) -> "StopBook":
        """Return the book after the exchange has said that a stop rests."""
        if stop_id not in self.rests:
            return self
        one = replace(self.rests[stop_id], sure=True)
        return replace(self, rests={**self.rests, stop_id: one}, refused=without(self.refused, one.stop.symbol))

    def failed(self, stop_id: str, now: int, limits: Limits) -> "StopBook":
        """Return the book after a stop was refused: each time in a row the next try waits twice as long."""
        if stop_id not in self.rests:
            return self
        symbol = self.rests[stop_id].stop.symbol
        number = self.refused.get(symbol, 0) + 1
        pause = limits.pause_ms(number)
        return replace(
            self,
            rests=without(self.rests, stop_id),
            refused={**self.refused, symbol: number},
            wait_until={**self.wait_until, symbol: now + pause},
        )

    def leaving(self, stop_id: str, now: int) -> "StopBook":
        """Return the book after a cancellation was asked for."""
        return replace(self, rests={**self.rests, stop_id: replace(self.rests[stop_id], leaving_at=now)})

    def gone(self, stop_id: str) -> "StopBook":
        """Return the book after the exchange has said that a stop rests no more."""
        return replace(self, rests=without(self.rests, stop_id))

    def overdue(self, now: int, limits: Limits) -> "StopBook":
        """Return the book in which cancellations that were never answered are asked for again."""
        rests = {
            name: replace(one, leaving_at=None)
            if one.leaving_at is not None and now - one.leaving_at >= limits.pending_ms
            else one
            for name, one in self.rests.items()
        }
        return replace(self, rests=rests)

    def compared(
        self, told: Mapping[str, Stop], asked_at: int, limits: Limits
    ) -> tuple["StopBook", tuple[Resting, ...]]:
        """Return the book after a reading of the exchange's open stops, and those that are not or no longer there.

        Stops with our ids that the book lacks are taken over; those sent too recently for the reading are left alone.
        """
        old = {name: one for name, one in self.rests.items() if one.sent_at <= asked_at - limits.settle_ms}
        missing = {name: one for name, one in old.items() if name not in told}
        rests = {name: one for name, one in self.rests.items() if name not in missing}
        for name, stop in told.items():
            known = rests.get(name, Resting(stop, asked_at, asked_at))
            rests[name] = replace(known, stop=stop, sure=True)
        lost = tuple(one for one in missing.values() if one.leaving_at is None)
        return replace(self, rests=rests), lost

    def to_json(self) -> list[JsonObject]:
        """Return the stops as plain JSON, without times."""
        return [one.stop.to_json() | {"sure": one.sure} for one in self.rests.values()]

    @classmethod
    def from_json(cls, tree: Iterable[Mapping[str, Json]]) -> Self:
        """Return what :meth:`to_json` wrote, for :meth:`resumed`."""
        return cls({row["stop_id"]: Resting(Stop.from_json(row), 0, 0, sure=row["sure"]) for row in tree})

    def resumed(self, now: int) -> "StopBook":
        """Return the book after a restart: times start anew."""
        return StopBook({name: Resting(one.stop, now, now, sure=one.sure) for name, one in self.rests.items()})


@dataclass(frozen=True)
class Sight:
    """Rule and price of one symbol now."""

    rule: TradingRule
    price: Decimal


def plan_stop(
    symbol: str, book: StopBook, state: State, sight: Sight | None, now: int, rules: StopRules
) -> tuple[tuple[Decimal, Decimal, int] | None, tuple[Stop, ...]]:
    """Return the stop that a symbol lacks, as quantity, trigger and time of the trigger, and those that are too many.

    A new stop is sent before the old one is cancelled, so that a position is never bare in between: both are
    reduce-only, and the second one to be carried out finds nothing left.
    """
    rests, wanted = book.of(symbol), -state.position(symbol)
    if wanted == 0 or not rules.distance:
        return None, tuple(one.stop for one in rests)
    fitting = [one for one in rests if one.stop.quantity == wanted and not _drifted(one, sight, now, rules)]
    if fitting:
        surplus = [one.stop for one in rests if one is not fitting[-1]]
        return None, tuple(surplus) if fitting[-1].sure else ()
    if sight is None or book.wait_until.get(symbol, now) > now or not sight.rule.reduces(wanted, sight.price):
        return None, ()
    kept = [one for one in rests if one.stop.quantity * wanted > 0 and not one.stop.beyond(sight.price)]
    if kept and now - kept[-1].anchored_at < rules.rest_ms:
        return (wanted, kept[-1].stop.trigger, kept[-1].anchored_at), ()
    away = 1 - rules.distance if wanted < 0 else 1 + rules.distance
    return (wanted, sight.rule.on_tick(sight.price * away), now), ()


def carried_out(lost: Iterable[Resting], state: State, reading: Mapping[str, Decimal], since: int) -> tuple[str, ...]:
    """Return the symbols in which a stop that rests no more has closed something.

    The position has changed as the stop would have changed it, and either the price was seen at its trigger or no order
    of ours explains the change: none is in flight, in doubt or late, and nothing has happened since ``since``.
    """
    return tuple(
        sorted(
            {
                one.stop.symbol
                for one in lost
                if (reading.get(one.stop.symbol, ZERO) - state.total(one.stop.symbol)) * one.stop.quantity > 0
                and (one.reached or not _explained(state, one.stop.symbol, since))
            }
        )
    )


def _explained(state: State, symbol: str, since: int) -> bool:
    """Return whether orders of ours may have changed a position since it was last known."""
    doubted = symbol in state.doubtful and symbol not in state.surprising
    late = symbol in (*state.late.values(), *state.resumed.values())
    return state.busy(symbol) or doubted or late or state.touched.get(symbol, since) > since


def _drifted(one: Resting, sight: Sight | None, now: int, rules: StopRules) -> bool:
    """Return whether the price has moved so far that the stop follows it."""
    if sight is None or now - one.anchored_at < rules.rest_ms or one.stop.beyond(sight.price):
        return False
    distance = abs(one.stop.trigger / sight.price - 1)
    return abs(distance - rules.distance) > rules.drift * rules.distance
