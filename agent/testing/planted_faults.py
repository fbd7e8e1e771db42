"""Executors with a fault of their own, to see that the simulation finds it: a check that cannot fail checks nothing."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, Final
from unittest.mock import patch

from agent.executor import planner, protection, readings, state, stops, trader
from agent.executor.account import Account
from agent.executor.balance import Market
from agent.executor.execution import Execution
from agent.executor.keeping import Aims
from agent.testing.simulated_executor import FragileFiles
from agent.testing.simulation import quietly
from perpfut_lib.types import JsonObject

SEARCH: Final = 120
"""Schedules within which a planted fault has to be found."""


@contextmanager
def _forgetful() -> Iterator[None]:
    kept = state.State.to_json

    def forgotten(self: state.State) -> JsonObject:
        return kept(self) | {"pending": {}, "late": {}, "resumed": {}}

    with patch.object(state.State, "to_json", forgotten):
        yield


@contextmanager
def _credulous() -> Iterator[None]:
    believed = readings.read

    def at_once(before: state.State, positions: Any, asked_at: int, limits: Any) -> state.State:
        return believed(replace(before, touched={}, differs=dict(positions)), positions, asked_at, limits)

    with patch.object(readings, "read", at_once):
        yield


@contextmanager
def _amnesic() -> Iterator[None]:
    with patch.object(FragileFiles, "load", lambda _self, _clocks: (None, False)):
        yield


@contextmanager
def _rash() -> Iterator[None]:
    with patch.object(stops, "_explained", lambda *_: False):
        yield


@contextmanager
def _rigid() -> Iterator[None]:
    planned = stops.plan_stop

    def once(symbol: str, book: stops.StopBook, *rest: Any) -> Any:
        return (None, ()) if book.of(symbol) else planned(symbol, book, *rest)

    with patch.object(protection, "plan_stop", once):
        yield


@contextmanager
def _trusting() -> Iterator[None]:
    with patch.object(Execution, "may_rest", lambda *_: False):
        yield


@contextmanager
def _eager() -> Iterator[None]:
    with patch.object(Aims, "kept", lambda aims, *_: (aims.units({}), frozenset())):
        yield


@contextmanager
def _defiant() -> Iterator[None]:
    planned = planner.plan

    def regardless(before: state.State, *rest: Any) -> Any:
        after, orders = planned(replace(before, left=()), *rest)
        return replace(after, left=before.left), orders

    with patch.object(trader, "plan", regardless):
        yield


@contextmanager
def _blind() -> Iterator[None]:
    near = Market.near
    with patch.object(Market, "near", lambda one, *rest: near(replace(one, bid=None, ask=None), *rest)):
        yield


@contextmanager
def _unlisted() -> Iterator[None]:
    with patch.object(Account, "listed", lambda account, *_: (account, [])):
        yield


@contextmanager
def _echoing() -> Iterator[None]:
    with patch.object(state, "knows", lambda *_: False):
        yield


PLANTED: Final[dict[str, Callable[[], AbstractContextManager[None]]]] = {
    "a restart forgets the orders in flight": _forgetful,
    "a restart forgets everything": _amnesic,
    "the first reading is believed, however old": _credulous,
    "every stop that is missing was carried out": _rash,
    "a stop does not grow with its position": _rigid,
    "an order that is called failed is taken for gone": _trusting,
    "a pair that is merely held is opened": _eager,
    "what the exchange closed is opened again at once": _defiant,
    "a gap in the book is not seen": _blind,
    "the exchange's list of trades is not read": _unlisted,
    "a trade counts as often as it is told": _echoing,
}
"""Each puts an executor with that fault in the place of ours."""


def planted(schedules: int = SEARCH) -> list[JsonObject]:
    """Return by how many of the first schedules each fault is found."""
    rows = []
    for fault, put in PLANTED.items():
        with put():
            found = [bool(quietly(seed).violations) for seed in range(schedules)]
        rows.append({"fault": fault, "found": sum(found), "schedules": schedules})
    return rows
