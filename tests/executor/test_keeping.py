"""A held pair is kept or reduced, and never opened: the agent's data were late, so nothing has been decided."""

from decimal import Decimal

import pytest

from agent.executor.intent import Intent
from agent.executor.keeping import Aims
from agent.executor.settings import Quote
from agent.executor.snapshots import Reading
from agent.executor.state import seeded
from agent.executor.targets import Base, markets_of
from agent.executor.trail import events
from perpfut_lib.artifacts import Leg, PairReport, Reason
from tests.agent.documents import MINUTE, NOW, active_pairs, signal
from tests.executor.by_hand import QUOTES, RULE, D, fill, trade, trader

BOTH = {"AAA": D(10), "BBB": D(-40)}
HELD = (PairReport(pair="AAA~BBB", action=None, status="held", reasons=(Reason.HELD,)),)
THREE = QUOTES | {"CCC": Quote(RULE, D(50))}


def held_signal(**changes):
    return signal(**{"seq": 8, "pairs": HELD} | changes)


def test_a_held_pair_that_is_not_there_is_not_opened(folder):
    """Null: after a restart with a lost memory and closed positions, the late signal opens them."""
    folder.write(held_signal())
    one = trader(folder)
    assert [trade(one, now=now) for now in (1_000, 60_000, 120_000)] == [{}, {}, {}]
    assert one.intent.reason == "ok"
    assert {held.target for held in one.report().positions} == {0.0}
    assert [event.body["held"] for event in events(folder.trail) if event.kind == "intent"] == [["AAA~BBB"]]


def test_the_next_decision_opens_it(folder):
    folder.write(held_signal())
    one = trader(folder)
    trade(one)
    folder.write(signal(seq=9))
    assert trade(one, now=2_000) == BOTH


def test_what_is_there_is_kept_and_closed_with_the_signal(folder):
    """Neither more nor less while it is held, whatever the price; flat when the signal is over."""
    one = trader(folder, BOTH)
    folder.write(held_signal())
    dear = {"AAA": Quote(RULE, D(103)), "BBB": QUOTES["BBB"]}
    assert trade(one) == trade(one, dear, now=2_000) == {}
    one.stopping = True
    assert trade(one, now=3_000) == {"AAA": D(-10), "BBB": D(40)}


def test_a_new_base_adds_nothing_to_a_held_pair(folder):
    """In the next trading window the same weights are more units: they stay as they are; fewer are reduced to."""
    one = trader(folder, BOTH, equity=20_000.0)
    folder.write(held_signal())
    assert trade(one) == {}
    folder.write(active_pairs(seq=9, valid_from=NOW + MINUTE))
    less = trader(folder, BOTH, equity=5_000.0)
    assert trade(less) == {"AAA": D(-5), "BBB": D(20)}


@pytest.mark.parametrize(
    ("there", "closed"), [({"AAA": D(5), "BBB": D(-40)}, {"BBB": D(20)}), ({"AAA": D(10)}, {"AAA": D(-10)})]
)
def test_what_is_left_of_a_held_pair_is_taken_back_to_what_is_hedged(folder, there, closed):
    """One leg is gone, or half of it: the other follows it down, and it does not come back."""
    one = trader(folder, there)
    folder.write(held_signal())
    assert trade(one) == closed
    assert trade(one, now=2_000) == {}


def test_an_opening_under_way_is_not_completed_by_a_held_signal(folder):
    """Half of each leg was filled when the data became late: half is kept."""
    one = trader(folder)
    for order in one.orders(QUOTES, 1_000):
        one.sent(order, order.symbol, 1_000)
        fill(one, order.symbol, order.quantity / 2, QUOTES[order.symbol].price, 1_000)
        one.end(order.symbol, 1_000, failed=False)
    folder.write(held_signal())
    one.read(Reading({"AAA": D(5), "BBB": D(-20)}), 20_000)
    assert [trade(one, now=now) for now in (20_000, 40_000, 60_000)] == [{}, {}, {}]
    folder.write(signal(seq=9))
    assert trade(one, now=61_000) == {"AAA": D(5), "BBB": D(-20)}


def aims(*pairs: tuple[str, tuple[float, float], str]) -> Aims:
    """Return aims for pairs, each with its weights of 10,000 at a price of 100, and its status."""
    legs = tuple(
        Leg(pair=name, symbol=symbol, weight=weight, price=100.0)
        for name, weights, _ in pairs
        for symbol, weight in zip(name.split("~"), weights, strict=True)
    )
    reports = tuple(PairReport(pair=name, action=None, status=status, reasons=()) for name, _, status in pairs)
    return Aims.of(Intent("follow", "ok", signal(legs=legs, pairs=reports), legs), Base(0, 10_000.0), None)


def kept(made: Aims, **held: int):
    markets = markets_of(THREE, THREE, {})
    targets, closed = made.kept(seeded({name: D(units) for name, units in held.items()}, 0), markets)
    return {name: round(float(units), 6) for name, units in targets.items()}, closed


@pytest.mark.parametrize(("there", "wanted"), [(10, -14.0), (5, -9.0), (0, -4.0), (-3, -4.0)])
def test_a_symbol_that_two_pairs_share_is_held_as_far_as_the_other_leg_is_there(there, wanted):
    """BBB is -10 for AAA, which is held, and -4 for CCC, which was decided: CCC may open whatever is left of AAA."""
    made = aims(("AAA~BBB", (0.1, -0.1), "held"), ("CCC~BBB", (0.04, -0.04), "active"))
    targets, closed = kept(made, AAA=there, BBB=-max(there, 0))
    assert targets == {"AAA": max(there, 0), "BBB": wanted, "CCC": 4.0}
    assert closed == {"AAA"}


def test_pairs_without_a_leg_of_their_own_are_not_opened_at_all():
    """AAA~BBB is held and shares both legs: nothing tells whose part of a position is there."""
    made = aims(
        ("AAA~BBB", (0.1, -0.1), "held"), ("CCC~BBB", (0.04, -0.04), "active"), ("AAA~CCC", (0.02, -0.02), "active")
    )
    assert kept(made, AAA=12, BBB=-10)[1] == {"AAA", "BBB"}


def test_rounding_is_no_share():
    """The nearest lot of a target is all of it: no order follows from 0.004 units that no order can hold."""
    made = Aims({"AAA~BBB": {"AAA": Decimal("1.004"), "BBB": Decimal("-2.336")}}, frozenset({"AAA~BBB"}))
    targets, _ = made.kept(seeded({"AAA": D("1.00"), "BBB": D("-2.34")}, 0), markets_of(QUOTES, QUOTES, {}))
    assert targets == {"AAA": Decimal("1.004"), "BBB": Decimal("-2.336")}
