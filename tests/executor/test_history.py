"""Fills and payments that nobody told of are taken from the exchange's own list, each of them once."""

from dataclasses import replace
from decimal import Decimal

import pytest

from agent.clock import ReplayClock
from agent.executor.audit import account_of
from agent.executor.rules import Limits
from agent.executor.settings import TraderSettings
from agent.executor.snapshots import Reading
from agent.executor.state import Order
from agent.executor.stops import StopRules
from agent.executor.trader import Trader
from agent.executor.trades import LISTED_LATE_MS, History, ListedTrade, Payment, Trade
from agent.executor.trail import events
from tests.agent.documents import NOW, control, signal
from tests.executor.by_hand import EQUITY, QUOTES, D, fill, trade, trader

HELD = {"AAA": D(10), "BBB": D(-40)}
FEE = D("0.5")


def listed(order_id: str, quantity, price, time: int, trade_id: str = "") -> ListedTrade:
    return ListedTrade(Trade(D(quantity), D(price), {"USDT": FEE}, trade_id or order_id), order_id, time)


def history(*rows, symbol: str = "AAA", since: int = NOW) -> dict[str, History]:
    empty = {name: History(since) for name in QUOTES}
    return empty | {symbol: History(since, rows)}


def opened(folder) -> Trader:
    """Return an executor that has looked at the lists and holds nothing."""
    folder.write(signal())
    folder.write(control())
    one = Trader(folder, TraderSettings(("AAA", "BBB"), Limits()), ReplayClock(NOW + 1_000))
    assert set(one.unlisted()) == set(QUOTES)
    one.seed(Reading({}, EQUITY, history=history()), QUOTES, 0)
    return one


def again(folder, reading: Reading, at: int = NOW + 4_000) -> Trader:
    """Return the executor's next life, its monotonic clock begun anew."""
    one = Trader(folder, TraderSettings(("AAA", "BBB"), Limits()), ReplayClock(at))
    assert one.unlisted() == dict.fromkeys(QUOTES, NOW)
    one.seed(reading, QUOTES, 50)
    return one


def sent(one: Trader) -> dict[str, Decimal]:
    """Send what is due, of which nobody hears, and let the process die."""
    orders = one.orders(QUOTES, 1_000)
    for order in orders:
        one.sent(order, order.symbol, 1_000)
    one.close()
    return {order.symbol: order.quantity for order in orders}


def both(quantities, price: int = 100) -> dict[str, History]:
    prices = {"AAA": price, "BBB": price / 5}
    rows = {name: listed(name, units, prices[name], NOW + 2_000) for name, units in quantities.items()}
    return {name: History(NOW, (row,)) for name, row in rows.items()}


def test_fills_that_died_with_the_process_are_booked_at_their_price_and_fee(folder):
    """Null: they are units at the mark and a loss without a name, and news that comes late counts twice."""
    quantities = sent(opened(folder))
    assert quantities == HELD
    one = again(folder, Reading(HELD, EQUITY - 12.0, history=both(quantities, 101)))
    books, state = one.account.books, one.state
    assert (books.fills, books.fees) == (2, 1.0)
    assert one.account.equity == pytest.approx(EQUITY - 12.0)
    assert (state.positions, state.resumed, state.left) == (HELD, {}, ())
    fill(one, "AAA", D(10), D(101), 100)
    assert (one.account.books.fills, one.state.positions) == (2, HELD)
    one.end("AAA", 110, failed=False)
    assert one.state.pending.keys() == {"BBB"}
    one.close()
    assert account_of(folder.path)[1] == []


def test_a_list_that_is_older_than_the_positions_gives_the_fee_later(folder):
    """The units are taken from the reading; their trade, when it is listed or told, changes the equity no more."""
    sent(opened(folder))
    one = again(folder, Reading(HELD, EQUITY - 2.0, history=history()))
    assert one.state.positions == HELD
    assert one.account.books.fills == 0
    assert one.state.resumed.keys() == {"AAA", "BBB"}
    before = one.account.equity
    fill(one, "AAA", D(10), D(100), 100)
    one.read(Reading(HELD, history=both(HELD)), 7_000)
    assert (one.account.books.fills, one.account.books.fees) == (2, 1.0)
    assert one.account.equity == pytest.approx(before)
    one.close()
    assert account_of(folder.path)[1] == []


def test_news_that_was_lost_on_its_way_is_found_by_the_next_reading(folder):
    """Null: an order stays in flight until it is overdue, although the exchange lists its trade."""
    one = opened(folder)
    orders = {order.symbol: order for order in one.orders(QUOTES, 1_000)}
    for order in orders.values():
        one.sent(order, order.symbol, 1_000)
    assert set(one.unlisted()) == set(orders)
    one.read(Reading(HELD, history=both({name: order.quantity for name, order in orders.items()})), 3_000)
    assert one.state.positions == HELD
    assert one.account.books.fills == 2
    one.read(Reading(HELD, history=both(HELD)), 4_000)
    assert one.account.books.fills == 2


def test_a_trade_of_somebody_else_costs_its_fee_and_moves_no_position_by_itself(folder):
    """A stop or a close by hand: readings show the units, the account's equity the price."""
    one = opened(folder)
    trade(one)
    before = one.account.equity
    rows = history(listed("by-hand", -10, 99, NOW + 9_000, "77"))
    one.read(Reading({"BBB": D(-40)}, history=rows), 70_000)
    assert one.state.positions == HELD
    assert (one.account.books.fills, one.account.books.fees) == (3, 1.5)
    assert one.account.equity == pytest.approx(before)
    one.read(Reading({"BBB": D(-40)}, EQUITY - 15.0, history=rows), 110_000)
    assert (one.state.position("AAA"), one.state.left) == (0, ("AAA",))
    assert one.account.books.fills == 3
    assert one.account.equity == pytest.approx(EQUITY - 15.0)
    one.close()
    assert account_of(folder.path)[1] == []


def test_counting_begins_where_a_list_is_read_for_the_first_time(folder):
    """Null: trades from before the first start are the executor's, and cost it their fees."""
    folder.write(control())
    row = listed("x", 5, 100, NOW)
    one = Trader(folder, TraderSettings(("AAA", "BBB"), Limits()), ReplayClock(NOW + 1_000))
    one.seed(Reading({"AAA": D(5)}, EQUITY, history=history(row)), QUOTES, 0)
    one.read(Reading({"AAA": D(5)}, history=history(row, listed("y", 1, 100, NOW + 5))), 1_000)
    assert one.account.books.fills == 1


def test_a_funding_payment_is_booked_once_and_what_is_no_number_never(folder):
    one = opened(folder)
    trade(one)
    assert set(one.unlisted()) == set(QUOTES)
    rows = (Payment(D("-2.5"), NOW + 5_000), Payment(D("NaN"), NOW + 6_000), listed("z", "NaN", 100, NOW + 7_000))
    for now in (60_000, 120_000):
        one.read(Reading(HELD, history=history(*rows)), now)
    assert one.account.books.funding == -2.5
    assert one.account.books.fills == 2


def test_the_next_list_begins_before_the_last_row_since_some_are_listed_late(folder):
    one = opened(folder)
    trade(one)
    one.read(Reading(HELD, history=history(listed("AAA1000", 10, 100, NOW + 2 * LISTED_LATE_MS))), 60_000)
    assert one.unlisted() == {"AAA": NOW + LISTED_LATE_MS, "BBB": NOW}


def test_an_executor_that_was_never_told_of_lists_reads_them_from_an_hour_before_its_start(folder):
    one = trader(folder, HELD)
    assert one.unlisted() == dict.fromkeys(QUOTES, NOW + 1_000 - 3_600_000 - LISTED_LATE_MS)


def test_orders_that_rest_and_are_not_ours_are_named_and_left_alone(folder, caplog):
    """Null: an order by hand rests unseen beside ours. One reading may lag behind an end: two tell."""
    one = opened(folder)
    ours = {f"id-{order.symbol}": order for order in one.orders(QUOTES, 1_000)}
    for name, order in ours.items():
        one.sent(order, name, 1_000)
    resting = ours | {"by-hand": Order("AAA", D(3), reduce_only=False, limit=D(90))}
    for now in (60_000, 120_000, 180_000):
        one.read(Reading({}, orders=resting), now)
    one.read(Reading({}), 240_000)
    one.close()
    told = [event.body["orders"] for event in events(folder.trail) if event.kind == "strangers"]
    assert told == [{"by-hand": "AAA 3 at 90"}, {}]
    assert "left alone: {'by-hand': 'AAA 3 at 90'}" in caplog.text


def test_a_stop_whose_position_our_own_order_closed_is_not_called_carried_out(folder):
    """The price was at its trigger, the fill unheard, and a stop without a position is gone: the list explains it.

    Null: the pair is left alone until the operator's next order, although nobody but us has closed it.
    """
    folder.write(signal())
    folder.write(control())
    settings = TraderSettings(("AAA", "BBB"), Limits(), stops=StopRules(D("0.1")))
    one = Trader(folder, settings, ReplayClock(NOW + 1_000))
    one.seed(Reading({}, EQUITY, history=history()), QUOTES, 0)
    trade(one)
    placed = {stop.symbol: stop for stop in one.protect(QUOTES, 2_000).place}
    for stop in placed.values():
        one.protection.accepted(stop.stop_id)
    folder.write(control(seq=9, kill=True))
    for order in one.orders(QUOTES, 9_000):
        one.sent(order, f"close-{order.symbol}", 9_000)
        if order.symbol == "BBB":
            fill(one, "close-BBB", order.quantity, D(20), 9_500)
        one.end(f"close-{order.symbol}", 9_500, failed=False)
    one.protect({**QUOTES, "AAA": replace(QUOTES["AAA"], price=placed["AAA"].trigger)}, 9_600)
    assert one.protection.book.reached
    lists = history(listed("close-AAA", -10, 90, NOW + 9_000))
    one.read(Reading({}, stops={}, history=lists), 20_000)
    assert (one.state.positions, one.state.left) == ({"AAA": D(0), "BBB": D(0)}, ())
