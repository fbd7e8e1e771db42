"""Catastrophe stops: behind every position, moved and cancelled with it, and believed once they are carried out."""

from dataclasses import replace
from decimal import Decimal

import pytest

from agent.clock import ReplayClock
from agent.executor.protection import StopOrders
from agent.executor.rules import Limits, TradingRule
from agent.executor.settings import Quote, TraderSettings
from agent.executor.snapshots import Reading
from agent.executor.state import State
from agent.executor.stops import PREFIX, Sight, Stop, StopBook, StopRules, plan_stop
from agent.executor.trader import Trader
from agent.executor.trail import events
from tests.agent.documents import NOW, control
from tests.executor.by_hand import QUOTES, RULE, fill, trade

D = Decimal
RULES = StopRules(D("0.2"), D("0.25"), 60_000)
LIMITS = Limits()


def planned(held, rests, price=100, now=0, rules=RULES):
    """Return what a symbol lacks and what is too many."""
    sight = None if price is None else Sight(RULE, D(price))
    return plan_stop("AAA", rests, State(positions={"AAA": D(held)}), sight, now, rules)


def resting(*stops, sure=True, at=0) -> StopBook:
    """Return a book of stops that rest since ``at``."""
    book = StopBook()
    for number, (quantity, trigger) in enumerate(stops):
        stop = Stop(f"{PREFIX}{number}", "AAA", D(quantity), D(trigger))
        book = book.sent(stop, at, at + number)
        book = book.accepted(stop.stop_id) if sure else book
    return book


@pytest.mark.parametrize(("held", "quantity", "trigger"), [(5, -5, 80), (-5, 5, 120)])
def test_a_position_gets_a_stop_against_it(held, quantity, trigger):
    lacking, surplus = planned(held, StopBook())
    assert lacking[:2] == (D(quantity), D(trigger))
    assert surplus == ()


def test_no_stop_without_a_distance_and_the_old_ones_go():
    lacking, surplus = planned(5, resting((-5, 80)), rules=StopRules())
    assert lacking is None
    assert len(surplus) == 1


def test_a_flat_symbol_keeps_no_stop():
    assert planned(0, resting((-5, 80)))[1][0].trigger == 80


def test_a_larger_position_gets_a_new_stop_before_the_old_one_goes():
    """Null: there is a moment without a stop. The trigger stays where it was: a falling market is not followed."""
    lacking, surplus = planned(8, resting((-5, 80)), price=90, now=30_000)
    assert lacking == (D(-8), D(80), 0)
    assert surplus == ()
    assert planned(8, resting((-5, 80), (-8, 80), sure=False))[1] == ()
    assert [stop.quantity for stop in planned(8, resting((-5, 80), (-8, 80)))[1]] == [-5]


def test_a_stop_follows_the_price_after_its_rest_only():
    book = resting((-5, 80))
    assert planned(5, book, price=120, now=59_000) == (None, ())
    assert planned(5, book, price=104, now=61_000) == (None, ())
    assert planned(5, book, price=120, now=61_000)[0][:2] == (D(-5), D(96))
    assert planned(5, book, price=90, now=61_000)[0][:2] == (D(-5), D(72))


def test_a_stop_that_the_price_has_reached_is_left_to_the_exchange():
    assert planned(5, resting((-5, 80)), price=79, now=61_000) == (None, ())


def test_without_a_quote_nothing_is_placed():
    assert planned(5, StopBook(), price=None) == (None, ())


@pytest.mark.parametrize(
    ("price", "figures", "stop"),
    [("67890.5", 5, "54312"), ("1234.5", 5, "987.6"), ("123456.7", 5, "98765"), ("0.123456", 5, "0.098765")],
)
def test_triggers_keep_the_figures_that_hyperliquid_takes(price, figures, stop):
    """Five significant figures, and whole numbers of any length."""
    rule = TradingRule(D("0.001"), D("0.000001"), D("0.001"), D(10), D(10), figures)
    _, trigger, _ = plan_stop("AAA", StopBook(), State(positions={"AAA": D(500)}), Sight(rule, D(price)), 0, RULES)[0]
    assert trigger == D(stop)


def test_refusals_double_the_pause():
    book, pauses = StopBook(), []
    for number in range(5):
        book = book.sent(Stop(str(number), "AAA", D(-5), D(80)), 0, 0).failed(str(number), 0, LIMITS)
        pauses.append(book.wait_until["AAA"])
        assert planned(5, book, now=pauses[-1] - 1) == (None, ())
    assert pauses == [5_000, 10_000, 20_000, 40_000, 60_000]


def test_a_cancellation_that_is_never_answered_is_asked_for_again():
    book = resting((-5, 80)).leaving(f"{PREFIX}0", 1_000)
    assert planned(0, book.overdue(30_999, LIMITS)) == (None, ())
    assert len(planned(0, book.overdue(31_000, LIMITS))[1]) == 1


def protected(folder, positions=None, stops=None, at=NOW + 1_000, now=0, **limits) -> Trader:
    """Return an executor that keeps stops at 20 %."""
    made = Trader(folder, TraderSettings(("AAA", "BBB"), Limits(**limits), stops=RULES), ReplayClock(at))
    made.seed(Reading(positions or {}, 10_000.0, stops=stops or {}), QUOTES, now)
    return made


def opened(folder, **limits) -> tuple[Trader, dict[str, Stop]]:
    """Return an executor with a pair and its stops."""
    one = protected(folder, **limits)
    trade(one)
    due = one.protect(QUOTES, 2_000)
    for stop in due.place:
        one.protection.accepted(stop.stop_id)
    return one, {stop.symbol: stop for stop in due.place}


def told(one: Trader, *without: str) -> Reading:
    """Return a reading of the account in which the stops of some symbols have been carried out."""
    held = {name: units for name, units in one.state.positions.items() if name not in without}
    rests = {name: row.stop for name, row in one.protection.book.rests.items() if row.stop.symbol not in without}
    return Reading(held, 10_000.0, stops=rests)


def test_both_legs_have_a_stop_and_lose_it_with_the_position(folder):
    one, stops = opened(folder)
    for symbol, held in one.state.positions.items():
        assert stops[symbol].quantity == -held != 0
        assert stops[symbol].trigger == QUOTES[symbol].price * (D("0.8") if held > 0 else D("1.2"))
    assert one.protection.bare(one.state) == {}
    folder.write(control(seq=9, kill=True))
    trade(one, now=3_000)
    due = one.protect(QUOTES, 4_000)
    assert due.place == ()
    assert {stop.stop_id for stop in due.cancel} == {stop.stop_id for stop in stops.values()}


def test_a_stop_that_was_carried_out_takes_the_other_leg_with_it_and_bars_both(folder):
    """Null: the leg is bought back, or the other one stays; whatever ``reopen`` says, the operator comes first."""
    one, _ = opened(folder, reopen=True)
    quotes = QUOTES | {"AAA": Quote(RULE, D(79))}
    one.orders(quotes, 8_000)
    assert one.protect(quotes, 8_000) == StopOrders()
    assert one.reading_due(8_000)
    one.read(told(one, "AAA"), 8_000)
    assert one.state.left == ("AAA",)
    assert one.reading_due(13_000)
    one.read(told(one, "AAA"), 13_000)
    assert one.state.positions["AAA"] == 0
    assert set(trade(one, quotes, 14_000)) == {"BBB"}
    assert one.state.positions["BBB"] == 0
    assert one.orders(QUOTES, 400_000) == ()


def test_a_stop_that_somebody_cancelled_is_placed_again(folder):
    one, stops = opened(folder)
    reading = told(one)
    one.read(replace(reading, stops={stops["BBB"].stop_id: stops["BBB"]}), 20_000)
    assert one.state.left == ()
    assert [stop.symbol for stop in one.protect(QUOTES, 20_000).place] == ["AAA"]


def test_a_stop_that_is_younger_than_the_reading_is_not_missed(folder):
    one, _ = opened(folder)
    one.read(Reading(dict(one.state.positions), 10_000.0, stops={}), 2_500)
    assert one.protect(QUOTES, 2_600).place == ()


def test_a_restart_knows_its_stops_and_what_they_have_done(folder):
    """They rest while the process is away: none is doubled; one that was carried out is not undone."""
    one, stops = opened(folder, reopen=True)
    rests = {stop.stop_id: stop for stop in stops.values()}
    again = protected(folder, dict(one.state.positions), rests, NOW + 9_000, 9_000, reopen=True)
    due = again.protect(QUOTES, 9_000)
    assert (due.place, due.cancel) == ((), ())
    held = {"BBB": one.state.positions["BBB"]}
    fired = protected(folder, held, {stops["BBB"].stop_id: stops["BBB"]}, NOW + 9_000, 9_000, reopen=True)
    assert fired.state.left == ("AAA",)
    assert all(order.reduce_only for order in fired.orders(QUOTES, 9_000))


@pytest.mark.parametrize("heard", [False, True])
def test_a_stop_that_fired_is_named_although_its_answer_was_never_remembered(folder, heard):
    """Killed before the exchange's word on a stop was written down, or long after on another clock: told either way."""
    one = protected(folder, now=500_000)
    for order in one.orders(QUOTES, 501_000):
        one.sent(order, order.symbol, 501_000)
        fill(one, order.symbol, order.quantity, QUOTES[order.symbol].price, 501_000)
        one.end(order.symbol, 501_000, failed=False)
    stops = {stop.symbol: stop for stop in one.protect(QUOTES, 502_000).place}
    if heard:
        one.protection.accepted(stops["AAA"].stop_id)
        one.report()
    held = {"BBB": one.state.positions["BBB"]}
    again = protected(folder, held, {stops["BBB"].stop_id: stops["BBB"]}, NOW + 90_000, 1_000)
    told = [event.body for event in events(folder.trail) if event.kind == "stop"]
    assert [body["symbol"] for body in told if body["action"] == "carried out"] == ["AAA"]
    assert again.state.left == ("AAA",)


def test_a_stop_that_never_rested_is_not_called_lost(folder):
    """Killed before it was heard of, and the exchange never took it: the position is there, and it is placed again."""
    one, stops = opened(folder)
    one.protection.book = resting()
    one.protection.book = one.protection.book.sent(stops["AAA"], 2_000, 2_000)
    one.report()
    again = protected(folder, dict(one.state.positions), {}, NOW + 9_000, 9_000)
    actions = [event.body["action"] for event in events(folder.trail) if event.kind == "stop"]
    assert ("lost" in actions, "carried out" in actions, again.state.left) == (False, False, ())
    assert "AAA" in {stop.symbol for stop in again.protect(QUOTES, 9_000).place}


def test_a_memory_that_is_lost_leaves_no_stop_without_its_owner(folder):
    """Stops with our ids are taken over from the exchange; of a flat symbol they are cancelled."""
    stop = Stop(f"{PREFIX}{7:024x}", "AAA", D(-5), D(80))
    one = protected(folder, {}, {stop.stop_id: stop})
    assert one.protect(QUOTES, 1_000).cancel == (stop,)
