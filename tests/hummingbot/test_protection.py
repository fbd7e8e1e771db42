"""Real engine and connectors: stops at the exchange, dead man's switches, and how orders are carried out."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

import pytest

from agent.executor.stops import PREFIX
from agent.executor.trail import events
from perpfut_lib.venue.faults import Deleverage, Jump
from tests.hummingbot.bot import PAIRS, Bot, until

LONG = {PAIRS[0]: (0.05, -0.04)}
DISTANCE = Decimal("0.2")


def stops(bot: Bot) -> dict[str, Decimal]:
    """Return the quantities of the stops that rest, by symbol."""
    orders = [one.request for one in bot.account.open_orders() if one.request.trigger is not None]
    assert all(one.client_id.startswith(PREFIX) and one.reduce_only for one in orders)
    assert len({one.symbol for one in orders}) == len(orders)
    return {one.symbol: one.sign * one.quantity for one in orders}


def covered(bot: Bot) -> bool:
    """Return whether every position has exactly one stop of its size against it, and nothing else has one."""
    orders = [one.request for one in bot.account.open_orders() if one.request.trigger is not None]
    found = sorted((one.symbol, one.sign * one.quantity) for one in orders)
    return found == sorted((symbol, -one.quantity) for symbol, one in bot.account.held())


@pytest.fixture
def guarded(bot: Bot) -> Iterator[Bot]:
    """Yield a Hummingbot that keeps stops, flat at the start; afterwards the engine is as it was."""
    bot.engine.kill()
    bot.venue.exchange.clear_faults()
    bot.order_to()
    bot.signal({})
    bot.start(stop_distance=float(DISTANCE), stop_rest=5.0)
    until(bot.at_target, "everything is flat")
    yield bot
    bot.engine.kill()
    until(lambda: not bot.engine.running(), "the engine is gone")


def test_both_legs_have_stops_that_follow_their_size_and_go_with_them(guarded: Bot):
    """At 20 % of the price, against the position; twice the size, then none."""
    guarded.signal(LONG)
    until(guarded.at_target, "the pair is open")
    until(lambda: covered(guarded), "a stop behind both legs")
    for order in (one.request for one in guarded.account.open_orders()):
        away = abs(float(order.trigger) / guarded.price(order.symbol) - 1)
        assert away == pytest.approx(float(DISTANCE), rel=0.02)
    guarded.signal({PAIRS[0]: (0.1, -0.08)})
    until(guarded.at_target, "the pair is larger")
    until(lambda: covered(guarded), "stops of the new size alone")
    guarded.signal({})
    until(guarded.at_target, "the pair is closed")
    until(lambda: not stops(guarded), "no stop without a position")


def test_stops_outlive_the_engine_and_the_next_one_takes_them_over(guarded: Bot):
    """A power cut: positions and stops stay; the next engine neither doubles nor loses one."""
    guarded.signal(LONG)
    until(guarded.at_target, "the pair is open")
    until(lambda: covered(guarded), "a stop behind both legs")
    before = {one.number for one in guarded.account.open_orders()}
    guarded.engine.kill()
    assert {one.number for one in guarded.account.open_orders()} == before
    guarded.start(stop_distance=float(DISTANCE), stop_rest=600.0)
    guarded.rests()
    assert {one.number for one in guarded.account.open_orders()} == before
    guarded.signal({})
    until(guarded.at_target, "the pair is closed")
    until(lambda: not stops(guarded), "no stop without a position")


def test_a_stop_that_fires_while_all_is_dead_closes_the_pair_until_the_operators_next_order(guarded: Bot):
    """Killed with stops at rest; the price slides through the long leg's, which the exchange carries out.

    The next engine names it, closes the other leg, and opens neither on the old signal nor on a newer one.
    """
    long, short = PAIRS[0]
    guarded.signal(LONG)
    until(guarded.at_target, "the pair is open")
    until(lambda: covered(guarded), "a stop behind both legs")
    triggers = {one.request.symbol: one.request.trigger for one in guarded.account.open_orders()}
    hedge = guarded.position(short)
    guarded.engine.kill()
    guarded.fault(Jump(symbol=long, factor=0.7, bars=1))
    until(lambda: guarded.position(long) == 0, "the stop is carried out", 180.0)
    assert guarded.account.fills[-1].price == triggers[long]
    assert guarded.position(short) == hedge
    guarded.targets = {}
    guarded.start(stop_distance=float(DISTANCE), stop_rest=600.0)
    until(guarded.at_target, "the other leg is closed")
    until(lambda: not stops(guarded), "no stop without a position")
    told = [event.body for event in events(guarded.folder.trail) if event.kind == "stop"]
    assert [body["symbol"] for body in told if body["action"] == "carried out"] == [long]
    guarded.rests(8.0)
    guarded.signal(LONG)
    wanted, guarded.targets = guarded.targets, {}
    guarded.rests(8.0)
    assert guarded.at_target()
    guarded.order_to()
    guarded.targets = wanted
    until(guarded.at_target, "the pair is open again")
    until(lambda: covered(guarded), "a stop behind both legs")


def test_deleveraging_is_noticed_and_the_other_leg_reduced(guarded: Bot):
    """The exchange takes half of the short leg: half of the long one goes too, and neither comes back by itself."""
    guarded.signal(LONG)
    until(lambda: guarded.at_target() and covered(guarded), "a stop behind both legs")
    wanted = guarded.targets
    guarded.fault(Deleverage(symbol=PAIRS[0][1], share=0.5))
    half = {symbol: units / 2 for symbol, units in wanted.items()}
    guarded.targets = half
    lots = {symbol: 2 * guarded.venue.exchange.series(symbol).instrument.lot for symbol in half}
    until(lambda: all(abs(guarded.position(one) - half[one]) <= lots[one] for one in half), "half of both legs")
    until(lambda: covered(guarded), "stops of the new size")
    guarded.rests(8.0)
    readings = [event.body for event in events(guarded.folder.trail) if event.kind == "reading"]
    assert readings[-1]["left"] == [PAIRS[0][1]]
    guarded.order_to()
    guarded.targets = wanted
    until(guarded.at_target, "the whole pair again")


def test_stop_on_sigterm_leaves_neither_positions_nor_stops(guarded: Bot):
    guarded.signal(LONG)
    until(lambda: guarded.at_target() and covered(guarded), "a stop behind both legs")
    guarded.targets = {}
    assert guarded.engine.stop() == 0
    assert guarded.at_target()
    assert stops(guarded) == {}


def test_a_stop_that_is_gone_is_placed_again(guarded: Bot):
    """Somebody cancels a stop at the exchange's page: the next reading finds it, and the position is whole again."""
    guarded.signal(LONG)
    until(lambda: guarded.at_target() and covered(guarded), "a stop behind both legs")
    order = guarded.account.open_orders()[0]
    guarded.venue.matching.cancel(guarded.account.name, order.number)
    assert not covered(guarded)
    until(lambda: covered(guarded), "the stop is back")
    assert guarded.at_target()
    guarded.signal({})
    until(lambda: guarded.at_target() and not stops(guarded), "flat without stops")


def test_slices_open_a_pair_over_a_time(bot: Bot):
    """Four slices of both legs, seconds apart, in proportion all the while."""
    bot.engine.kill()
    bot.order_to()
    bot.signal({})
    bot.start(execution="slices", slice_notional=1_300.0, slice_every=3.0)
    until(bot.at_target, "everything is flat")
    before = bot.orders()
    bot.signal(LONG)
    until(bot.at_target, "the pair is open")
    sent = list(bot.account.orders.values())[before - bot.orders() :]
    assert len(sent) == 8
    times = [order.created for order in sent if order.request.symbol == PAIRS[0][0]]
    assert all(later - earlier >= 3_000 for earlier, later in pairwise(times))
    bot.signal({})
    until(bot.at_target, "the pair is closed")


def test_the_touch_comes_first_and_the_market_after_it(bot: Bot):
    """A limit order at the own side of the book; what it leaves after two seconds a market order takes."""
    bot.engine.kill()
    bot.order_to()
    bot.signal({})
    bot.start(execution="touch", touch=2.0, stop_distance=0.0)
    until(bot.at_target, "everything is flat")
    before = bot.orders()
    bot.signal(LONG)
    until(bot.at_target, "the pair is open")
    bot.rests()
    sent = [order.request for order in bot.account.orders.values()][before - bot.orders() :]
    first = {order.symbol: order for order in reversed(sent)}
    assert all(order.price is not None and order.time_in_force == "GTC" for order in first.values())
    assert not [order for order in bot.account.open_orders() if order.request.trigger is None]
    if bot.connector.startswith("binance"):
        until(lambda: not bot.account.countdowns, "the switch is disarmed when nothing rests")
    bot.signal({})
    until(bot.at_target, "the pair is closed")
