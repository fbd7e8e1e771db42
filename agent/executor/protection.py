"""The executor's stops in operation: what is to be placed and cancelled now, and what the exchange has said."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from agent.executor.rules import Limits
from agent.executor.settings import Quote
from agent.executor.snapshots import Reading
from agent.executor.state import State
from agent.executor.stops import PREFIX, Sight, Stop, StopBook, StopRules, carried_out, plan_stop

log = logging.getLogger(__name__)

Note = Callable[[str, Mapping[str, Any]], None]
_DIGITS: Final = 24


@dataclass(frozen=True)
class StopOrders:
    """What is to be done at the exchange now."""

    place: tuple[Stop, ...] = ()
    cancel: tuple[Stop, ...] = ()


class Protection:
    """Keeps a stop at the exchange behind every position; every step is noted in the audit trail.

    Parameters
    ----------
    rules : StopRules
        Where stops lie; a distance of zero cancels those of before and places none.
    limits : Limits
        Patience with answers and refusals.
    note : callable
        Writes kind and body of an event into the audit trail.
    """

    def __init__(self, rules: StopRules, limits: Limits, note: Note) -> None:
        self.rules, self.book = rules, StopBook()
        self._limits, self._note = limits, note
        self._number = 0

    def due(self, state: State, quotes: Mapping[str, Quote], now: int, wall: int) -> StopOrders:
        """Return what is to be placed and cancelled now; both count as sent."""
        prices = {symbol: quote.price for symbol, quote in quotes.items()}
        self.book = self.book.overdue(now, self._limits).seen(prices)
        symbols = {*state.positions, *(one.stop.symbol for one in self.book.rests.values())}
        place, cancel = list[Stop](), list[Stop]()
        for symbol in sorted(symbols):
            quote = quotes.get(symbol)
            sight = None if quote is None else Sight(quote.rule, quote.price)
            lacking, surplus = plan_stop(symbol, self.book, state, sight, now, self.rules)
            if lacking is not None:
                quantity, trigger, anchored_at = lacking
                stop = Stop(self._next_id(wall), symbol, quantity, trigger)
                self.book = self.book.sent(stop, anchored_at, now)
                self._tell("placed", stop)
                place.append(stop)
            for stop in surplus:
                self.book = self.book.leaving(stop.stop_id, now)
                self._tell("cancel", stop)
                cancel.append(stop)
        return StopOrders(tuple(place), tuple(cancel))

    def accepted(self, stop_id: str) -> None:
        """Note that the exchange lets a stop rest."""
        self.book = self.book.accepted(stop_id)

    def failed(self, stop_id: str, now: int, why: str) -> None:
        """Note that the exchange refused a stop."""
        if stop_id in self.book.rests:
            stop = self.book.rests[stop_id].stop
            log.error("%s has no stop: %s", stop.symbol, why)
            self._tell("refused", stop, why=why[:300])
        self.book = self.book.failed(stop_id, now, self._limits)

    def cancelled(self, stop_id: str) -> None:
        """Note that a stop rests no more, as was asked for."""
        self.book = self.book.gone(stop_id)

    def read(self, state: State, reading: Reading, asked_at: int) -> State:
        """Return the ledger after a reading of the open stops.

        A position that a stop has closed is read again soon, and is not opened again before the operator's next order.
        """
        symbols = self._missing(state, reading, asked_at)
        left = tuple(dict.fromkeys([*state.left, *symbols]))
        return replace(state, left=left, doubtful=dict.fromkeys(symbols, asked_at) | dict(state.doubtful))

    def begun(self, before: State, after: State, reading: Reading, book: StopBook, now: int) -> State:
        """Return the ledger after a start: what a stop has closed while nobody was alive stays closed."""
        self.book = book.resumed(now)
        # Its times are of another clock, and whatever happened then lies behind this reading.
        symbols = self._missing(replace(before, touched={}), reading, now + self._limits.settle_ms)
        return replace(after, left=tuple(dict.fromkeys([*after.left, *symbols])))

    def bare(self, state: State) -> dict[str, Decimal]:
        """Return the positions that no stop covers as far as is known, signed base units."""
        covered = {one.stop.symbol for one in self.book.rests.values() if one.sure and one.leaving_at is None}
        return {symbol: held for symbol, held in state.positions.items() if held and symbol not in covered}

    def _missing(self, state: State, reading: Reading, asked_at: int) -> tuple[str, ...]:
        """Return the symbols that a stop has closed; a stop that is gone for another reason is placed again.

        One of which the answer was never heard, or never remembered, may have been carried out all the same.
        """
        if reading.stops is None:
            return ()
        self.book, lost = self.book.compared(reading.stops, asked_at, self._limits)
        symbols = carried_out(lost, state, reading.positions, asked_at - self._limits.settle_ms)
        for stop in (one.stop for one in lost if one.sure or one.stop.symbol in symbols):
            action = "carried out" if stop.symbol in symbols else "lost"
            log.error("the stop of %s at %s rests no more: %s", stop.symbol, stop.trigger, action)
            self._tell(action, stop)
        return symbols

    def _tell(self, action: str, stop: Stop, **more: str) -> None:
        self._note("stop", {"action": action} | stop.to_json() | more)

    def _next_id(self, wall: int) -> str:
        """Return an id that is not used twice: time and number, in the 128 bits that Hyperliquid takes."""
        self._number += 1
        return f"{PREFIX}{wall:0{_DIGITS // 2}x}{self._number:0{_DIGITS // 2}x}"
