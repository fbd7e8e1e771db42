"""Limit orders at the touch for a time and then the market; what is urgent never waits; dead man's switches."""

from dataclasses import replace
from decimal import Decimal

import pytest

from agent.clock import ReplayClock
from agent.executor.execution import DeadManSwitch, Execution, resting
from agent.executor.intent import Intent
from agent.executor.rules import Limits
from agent.executor.settings import Quote, TraderSettings
from agent.executor.snapshots import Reading
from agent.executor.state import Order, State, filled, finished, sent
from agent.executor.trader import Trader
from tests.agent.documents import NOW, control, signal
from tests.executor.by_hand import QUOTES, RULE, fill

D = Decimal
BOOK = {name: replace(one, bid=one.price - D("0.01"), ask=one.price + D("0.01")) for name, one in QUOTES.items()}
FOLLOW, FLAT = Intent("follow", "ok"), Intent("flat", "killed")
PAIR = Intent("follow", "ok", signal(), signal().legs)
BUY, SELL = Order("AAA", D(5), False), Order("BBB", D(-20), False)


def styled(order, execution=None, intent=FOLLOW, state=None, now=0, quotes=BOOK):
    execution = execution or Execution(5_000)
    return execution.styled([order], quotes, intent, state or State(), now)[0].limit


def test_buyers_bid_and_sellers_ask():
    assert (styled(BUY), styled(SELL)) == (D("99.99"), D("20.01"))


@pytest.mark.parametrize(
    "urgent",
    [
        {"intent": FLAT},
        {"execution": Execution(0)},
        {"quotes": QUOTES},
        {"state": State(exposed={"AAA": 0})},
        {"state": State(barred={"AAA": 10})},
        {"state": State(barred={"AAA": 10}), "now": 3_600_000},
    ],
    ids=["going flat", "market by choice", "no book", "without its hedge", "being unwound", "unwound not long ago"],
)
def test_what_is_urgent_is_a_market_order(urgent):
    assert styled(BUY, **urgent) is None


def test_an_order_rests_for_its_time_and_its_rest_goes_to_the_market():
    """The cancellation is asked for once per patience; after it the next order of the symbol is a market order."""
    execution, limits = Execution(5_000), Limits()
    state = sent(State(), replace(BUY, limit=D("99.99")), "a", 0)
    assert resting(state) == {"AAA"}
    assert execution.overdue(state, FOLLOW, 4_999, 3_000) == ()
    assert execution.overdue(state, FOLLOW, 5_000, 3_000) == ("a",)
    assert execution.overdue(state, FOLLOW, 7_999, 3_000) == ()
    assert execution.overdue(state, FOLLOW, 8_000, 3_000) == ("a",)
    state = filled(state, "a", D(2), 8_500)
    execution.ended("a", state)
    state = finished(state, "a", 8_600, limits, failed=False)
    assert styled(replace(BUY, quantity=D(3)), execution) is None
    assert styled(SELL, execution) == D("20.01")
    assert styled(SELL, execution, PAIR) is None
    state = filled(sent(state, replace(BUY, quantity=D(3)), "b", 9_000), "b", D(3), 9_100)
    execution.ended("b", state)
    assert styled(BUY, execution) == D("99.99")


def test_a_kill_takes_resting_orders_away_at_once():
    state = sent(State(), replace(BUY, limit=D("99.99")), "a", 0)
    assert Execution(5_000).overdue(state, FLAT, 1_000, 3_000) == ("a",)


def test_market_orders_are_never_cancelled():
    assert Execution(5_000).overdue(sent(State(), BUY, "a", 0), FOLLOW, 60_000, 3_000) == ()


def test_a_pair_at_the_touch_ends_at_its_targets_and_no_order_is_doubled(folder):
    """One leg is filled at the touch, the other one half: its rest follows at the market after a reading."""
    one = Trader(folder, TraderSettings(("AAA", "BBB"), touch_ms=5_000), ReplayClock(NOW + 1_000))
    one.seed(Reading({}, 10_000.0), BOOK, 0)
    first = {order.symbol: order for order in one.orders(BOOK, 1_000)}
    assert all(order.limit is not None for order in first.values())
    for name, order in first.items():
        one.sent(order, name, 1_000)
    fill(one, "AAA", D(10), D(100), 2_000)
    one.end("AAA", 2_000, failed=False)
    fill(one, "BBB", D(-15), D(20), 3_000)
    assert one.execution.overdue(one.state, one.intent, 6_000, 3_000) == ("BBB",)
    assert one.orders(BOOK, 6_000) == ()
    one.end("BBB", 6_100, failed=False)
    assert one.reading_due(11_100)
    one.read(Reading({"AAA": D(10), "BBB": D(-15)}, 10_000.0), 11_100)
    assert one.orders(BOOK, 11_200) == (Order("BBB", D(-25), False),)


def test_a_resting_order_is_restored_with_its_price(folder):
    state = sent(State(), replace(BUY, limit=D("99.99")), "a", 0)
    assert State.from_json(state.to_json()) == state


def test_the_switch_is_renewed_while_something_rests_and_disarmed_after():
    switch = DeadManSwitch(30_000)
    assert switch.due(frozenset(), 0) == {}
    assert switch.due(frozenset({"AAA"}), 0) == {"AAA": 30_000}
    assert switch.due(frozenset({"AAA"}), 9_999) == {}
    assert switch.due(frozenset({"AAA", "BBB"}), 10_000) == {"AAA": 30_000, "BBB": 30_000}
    assert switch.due(frozenset({"BBB"}), 10_001) == {"AAA": 0}
    assert switch.due(frozenset(), 10_002) == {"BBB": 0}
    assert DeadManSwitch(0).due(frozenset({"AAA"}), 0) == {}


def test_going_flat_while_an_order_rests_waits_for_its_end_only(folder):
    """Null: a kill sends a closing order beside one that still rests and may be filled."""
    one = Trader(folder, TraderSettings(("AAA", "BBB"), touch_ms=5_000), ReplayClock(NOW + 1_000))
    one.seed(Reading({}, 10_000.0), BOOK, 0)
    for order in one.orders(BOOK, 1_000):
        one.sent(order, order.symbol, 1_000)
    fill(one, "AAA", D(4), D(100), 1_500)
    folder.write(control(seq=9, kill=True))
    assert one.orders(BOOK, 2_000) == ()
    assert set(one.execution.overdue(one.state, one.intent, 2_000, 3_000)) == {"AAA", "BBB"}
    one.end("AAA", 2_100, failed=False)
    one.end("BBB", 2_100, failed=False)
    one.read(Reading({"AAA": D(4)}, 10_000.0), 7_200)
    assert one.orders(BOOK, 7_300) == (Order("AAA", D(-4), True),)


def test_quotes_without_a_book_have_no_touch():
    assert Quote(RULE, D(100)).touch(D(1)) is None


def test_an_order_that_is_called_failed_may_rest_and_is_cancelled_first():
    """The answer was lost, not the order: nothing follows it before the exchange has said that it rests no more."""
    execution = Execution(5_000)
    state = sent(State(), replace(BUY, limit=D("99.99")), "a", 0)
    assert execution.may_rest("a", state)
    assert execution.overdue(state, FOLLOW, 9_999, 5_000) == ()
    assert execution.overdue(state, FOLLOW, 10_000, 5_000) == ("a",)
    assert execution.failed("a", state)
    assert not execution.failed("a", filled(state, "a", D(5), 10_500))
    assert not execution.may_rest("m", sent(State(), BUY, "m", 0))


def test_a_failed_order_with_a_limit_counts_as_failed_once_it_is_gone(folder):
    one = Trader(folder, TraderSettings(("AAA", "BBB"), touch_ms=5_000), ReplayClock(NOW + 1_000))
    one.seed(Reading({}, 10_000.0), BOOK, 0)
    for order in one.orders(BOOK, 1_000):
        one.sent(order, order.symbol, 1_000)
    one.end("AAA", 2_000, failed=True, why="no answer")
    assert "AAA" in one.state.pending
    assert one.orders(BOOK, 3_000) == ()
    one.end("AAA", 12_000, failed=False)
    assert "AAA" not in one.state.pending
    assert one.state.failures == {"AAA": 1}
