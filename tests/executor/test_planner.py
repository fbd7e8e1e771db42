"""The planner's rules, one by one."""

from dataclasses import replace
from decimal import Decimal

import pytest

from agent.executor.balance import Market, groups_of
from agent.executor.planner import Situation, plan
from agent.executor.readings import read, reading_due
from agent.executor.rules import Limits, TradingRule
from agent.executor.state import Order, State, filled, finished, seeded, sent

D = Decimal
RULE = TradingRule(lot=D("0.01"), tick=D("0.1"), min_quantity=D("0.01"), min_notional=D(5))
LIMITS = Limits()
NOW = 100_000


def situation(targets, now=NOW, rules=None, prices=None, pairs=(("A", "B"),), quoted=None):
    """Return a situation at prices of 100 unless told otherwise."""
    symbols = {symbol for pair in pairs for symbol in pair} | set(targets)
    markets = {
        symbol: Market((rules or {}).get(symbol, RULE), (prices or {}).get(symbol, D(100)), (quoted or {}).get(symbol))
        for symbol in symbols
    }
    units = {symbol: D(str(size)) for symbol, size in targets.items()}
    return Situation(now, units, tuple(groups_of(pairs, symbols)), markets)


def held(**positions):
    return seeded({symbol: D(str(size)) for symbol, size in positions.items()}, 0)


def orders(state, *arguments, limits=LIMITS, **settings):
    return plan(state, situation(*arguments, **settings), limits)[1]


def sizes(*arguments, **settings):
    return {order.symbol: (order.quantity, order.reduce_only) for order in orders(*arguments, **settings)}


def test_both_legs_open_together_on_the_nearest_lot():
    """Target minus position, rounded to a lot."""
    assert sizes(State(), {"A": 1.234, "B": -0.996}) == {"A": (D("1.23"), False), "B": (D("-1.00"), False)}


def test_what_is_held_already_is_not_ordered_again():
    assert orders(held(A=1.23, B=-1), {"A": 1.234, "B": -0.996}) == ()


def test_neither_leg_is_sent_if_one_is_too_small():
    """A leg of 4 USDT cannot open, so the other stays away too; so does a leg below the least quantity."""
    assert orders(State(), {"A": 1, "B": -0.04}) == ()
    coarse = TradingRule(D("0.01"), D("0.1"), D(2), D(5))
    assert orders(State(), {"A": 1, "B": -1}, rules={"B": coarse}) == ()


def test_a_flip_closes_first_and_opens_when_both_are_closed():
    """Reduce-only orders come first; the other direction opens from flat only."""
    state = held(A=1, B=-1)
    assert sizes(state, {"A": -2, "B": 2}) == {"A": (D(-1), True), "B": (D(1), True)}
    half = held(A=0, B=-1)
    assert sizes(half, {"A": -2, "B": 2}) == {"B": (D(1), True)}
    assert sizes(held(A=0, B=0), {"A": -2, "B": 2}) == {"A": (D(-2), False), "B": (D(2), False)}


def test_a_smaller_target_is_reached_by_reduce_only_orders():
    assert sizes(held(A=2, B=-2), {"A": 0.5, "B": -0.5}) == {"A": (D("-1.5"), True), "B": (D("1.5"), True)}


def test_what_the_signal_does_not_name_is_closed():
    state = held(A=1, B=-1, C=3)
    assert sizes(state, {"A": 1, "B": -1, "C": 0}) == {"C": (D(-3), True)}


def test_dust_that_no_order_can_close_is_crossed_by_the_next_opening():
    """0.01 units are below the least notional: the flip is one order over zero instead of a deadlock."""
    rule = TradingRule(D("0.01"), D("0.1"), D("0.01"), D(5), reduce_notional=D(5))
    found = sizes(held(A=0.01, B=0), {"A": -2, "B": 2}, rules={"A": rule})
    assert found == {"A": (D("-2.01"), False), "B": (D(2), False)}


def test_nothing_is_sent_while_an_order_of_the_group_is_in_flight():
    state = sent(State(), Order("A", D(1), False), "a", NOW)
    assert orders(state, {"A": 1, "B": -1}) == ()
    assert sizes(state, {"A": 1, "B": -1, "C": 1, "D": -1}, pairs=(("A", "B"), ("C", "D"))).keys() == {"C", "D"}


def test_large_changes_are_cut_into_equal_slices():
    """250 of at most 100: three slices of both legs, so that they stay in proportion meanwhile."""
    limits = Limits(max_order_notional=D(100))
    assert sizes(State(), {"A": 2.5, "B": -0.9}, limits=limits) == {"A": (D("0.83"), False), "B": (D("-0.3"), False)}


def test_a_leg_is_not_cut_below_the_least_order():
    """Twelve dollars are two orders of five at most, whatever the other leg needs."""
    limits = Limits(max_order_notional=D(100))
    rule = TradingRule(D("0.01"), D("0.1"), D("0.01"), D(5))
    found = sizes(State(), {"A": 10, "B": -0.12}, limits=limits, rules={"A": rule, "B": rule})
    assert found == {"A": (D(1), False), "B": (D("-0.06"), False)}


def test_slices_over_a_time_wait_for_one_another_and_reductions_do_not():
    limits = Limits(slice_notional=D(50), slice_ms=30_000)
    begun = State(touched={"A": NOW - 29_000, "B": NOW - 40_000})
    assert sizes(State(), {"A": 1, "B": -1}, limits=limits) == {"A": (D("0.5"), False), "B": (D("-0.5"), False)}
    assert sizes(begun, {"A": 1, "B": -1}, limits=limits) == {}
    ended = State(touched={"A": NOW - 30_000, "B": NOW - 40_000})
    assert sizes(ended, {"A": 1, "B": -1}, limits=limits).keys() == {"A", "B"}
    held_now = State(positions={"A": D(1), "B": D(-1)}, touched=begun.touched)
    assert sizes(held_now, {"A": 0, "B": 0}, limits=limits) == {"A": (D(-1), True), "B": (D(1), True)}


def test_the_rate_of_orders_is_capped_and_leaves_room_to_close():
    """With room for three orders a pair may close but not open: it could not be closed again."""
    limits = Limits(max_orders=5)
    state = State(sent=(NOW - 1, NOW - 2))
    assert orders(state, {"A": 1, "B": -1}, limits=limits) == ()
    assert len(orders(State(positions={"A": D(1), "B": D(-1)}, sent=state.sent), {}, limits=limits)) == 2
    old = State(sent=(NOW - 60_000,) * 5)
    assert len(orders(old, {"A": 1, "B": -1}, limits=limits)) == 2


def test_a_market_far_from_the_signals_price_is_not_entered():
    far = {"A": D(110), "B": D(100)}
    assert orders(State(), {"A": 1, "B": -1}, quoted=far) == ()
    assert len(orders(held(A=1, B=-1), {"A": 0, "B": 0}, quoted=far)) == 2


def test_a_leg_that_stays_behind_has_the_other_one_unwound():
    """After the longest imbalance the filled leg goes back, and nothing opens until the group has cooled off."""
    state, limits = held(A=1, B=0), Limits(imbalance_ms=10_000, cool_off_ms=60_000)
    state, _ = plan(state, situation({"A": 1, "B": -1}, NOW), limits)
    state = sent(state, Order("B", D(-1), False), "b", NOW)
    state, found = plan(state, situation({"A": 1, "B": -1}, NOW + 9_999), limits)
    assert found == ()
    state, found = plan(state, situation({"A": 1, "B": -1}, NOW + 10_000), limits)
    assert found == (Order("A", D(-1), True),)
    state = finished(filled(sent(state, found[0], "a", NOW), "a", D(-1), NOW), "a", NOW, LIMITS, failed=False)
    state = read(finished(state, "b", NOW, LIMITS, failed=True), {}, NOW + 20_000, limits)
    assert plan(state, situation({"A": 1, "B": -1}, NOW + 69_999), limits)[1] == ()
    assert len(plan(state, situation({"A": 1, "B": -1}, NOW + 70_000), limits)[1]) == 2


def test_a_leg_that_is_refused_again_and_again_has_the_other_one_unwound_to_the_balance():
    """After the last try the leg that was filled twice as far goes back to the proportion of the other."""
    state = held(A=2, B=-1)
    for number in range(LIMITS.max_failures):
        state = sent(state, Order("B", D(-1), False), f"b{number}", NOW)
        state = finished(state, f"b{number}", NOW, LIMITS, failed=True)
    assert sizes(state, {"A": 2, "B": -2}) == {"A": (D(-1), True)}


def test_a_failed_order_is_tried_again_after_a_reading_only():
    """The exchange may have carried it out: until a reading after the settling time nothing of the group is sent."""
    state = finished(sent(State(), Order("A", D(1), False), "a", NOW), "a", NOW, LIMITS, failed=True)
    assert not reading_due(state, NOW + LIMITS.settle_ms - 1, LIMITS)
    assert reading_due(state, NOW + LIMITS.settle_ms, LIMITS)
    assert orders(state, {"A": 1, "B": -1}, NOW + 6_000) == ()
    nothing = read(state, {}, NOW + LIMITS.settle_ms, LIMITS)
    assert len(orders(nothing, {"A": 1, "B": -1}, NOW + 6_000)) == 2
    once = read(state, {"A": D(1)}, NOW + LIMITS.settle_ms, LIMITS)
    assert orders(once, {"A": 1, "B": -1}, NOW + 6_000) == ()
    twice = read(once, {"A": D(1)}, NOW + 2 * LIMITS.settle_ms, LIMITS)
    assert sizes(twice, {"A": 1, "B": -1}, NOW + 11_000) == {"B": (D(-1), False)}


def test_a_reading_taken_too_soon_after_a_fill_is_not_believed():
    """Null: a lagging position endpoint makes the planner send the same order again."""
    state = sent(State(), Order("A", D(1), False), "a", NOW)
    state = finished(filled(state, "a", D(1), NOW), "a", NOW, LIMITS, failed=False)
    assert read(state, {}, NOW + LIMITS.settle_ms - 1, LIMITS).position("A") == D(1)


def test_a_reading_that_contradicts_fills_without_a_reason_is_asked_for_again_much_later():
    """Null: two old readings in a row make the planner send again what is held already."""
    state = sent(State(), Order("A", D(1), False), "a", NOW)
    state = finished(filled(state, "a", D(1), NOW), "a", NOW, LIMITS, failed=False)
    asked = NOW + LIMITS.quiet_ms
    state = read(state, {}, asked, LIMITS)
    assert not reading_due(state, asked + LIMITS.confirm_ms - 1, LIMITS)
    assert orders(state, {"A": 1, "B": -1}, asked + 1) == ()
    assert reading_due(state, asked + LIMITS.confirm_ms, LIMITS)
    assert read(state, {}, asked + LIMITS.confirm_ms, LIMITS).position("A") == 0


def test_late_fills_count_until_a_reading_contains_them():
    """A fill of an order given up moves the ledger; after a reading that saw it, the same fill changes nothing."""
    state = finished(sent(State(), Order("A", D(1), False), "a", NOW), "a", NOW, LIMITS, failed=True)
    assert filled(state, "a", D(1), NOW).position("A") == D(1)
    seen = read(state, {"A": D(1)}, NOW + 5_000, LIMITS)
    seen = read(seen, {"A": D(1)}, NOW + 10_000, LIMITS)
    assert seen.position("A") == D(1)
    assert filled(seen, "a", D(1), NOW + 11_000).position("A") == D(1)


def test_a_leg_that_must_be_flat_is_closed_even_while_its_position_is_in_doubt():
    """A kill does not wait for a reading for ever: reduce-only orders cannot carry a position over zero."""
    state = finished(sent(held(A=1), Order("A", D(-1), True), "a", NOW), "a", NOW, LIMITS, failed=True)
    assert orders(state, {"A": 0}, NOW + LIMITS.blind_ms - 1, pairs=()) == ()
    assert sizes(state, {"A": 0}, NOW + LIMITS.blind_ms, pairs=()) == {"A": (D(-1), True)}


def test_an_order_without_a_word_is_given_up():
    state = sent(State(), Order("A", D(1), False), "a", NOW)
    after, _ = plan(state, situation({"A": 1, "B": -1}, NOW + LIMITS.pending_ms), LIMITS)
    assert not after.pending
    assert after.doubtful.keys() == {"A"}


def test_a_group_without_a_price_waits():
    state = Situation(NOW, {"A": D(1), "B": D(-1)}, (("A", "B"),), {"A": Market(RULE, D(100))})
    assert plan(State(), state, LIMITS)[1] == ()


def test_equal_input_gives_equal_output():
    first = plan(held(A=1, B=-1), situation({"A": 2, "B": -2}), LIMITS)
    assert first == plan(held(A=1, B=-1), situation({"A": 2, "B": -2}), LIMITS)


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], [("A",), ("B",), ("C",)]),
        ([("A", "B")], [("A", "B"), ("C",)]),
        ([("A", "B"), ("B", "C")], [("A", "B", "C")]),
    ],
)
def test_symbols_that_share_a_pair_form_a_group(pairs, expected):
    assert groups_of(pairs, "ABC") == expected


def test_the_state_survives_its_json():
    state = finished(sent(held(A=1), Order("B", D("0.5"), True), "b", NOW), "b", NOW, LIMITS, failed=True)
    state = filled(sent(state, Order("A", D("-0.25"), False), "a", NOW), "a", D("-0.1"), NOW)
    assert State.from_json(state.to_json()) == state


def test_nothing_is_opened_across_a_gap_in_the_book():
    """The middle is where the signal has it, but sellers ask 6 % more: neither leg is sent; what is held can go."""

    def made(held_now, targets, ask):
        wide = Market(RULE, D(100), D(100), bid=D(94), ask=ask)
        markets = {"A": wide, "B": Market(RULE, D(100), D(100), bid=D("99.9"), ask=D("100.1"))}
        return plan(held_now, Situation(NOW, targets, (("A", "B"),), markets), LIMITS)[1]

    wanted = {"A": D(1), "B": D(-1)}
    assert made(State(), wanted, D(106)) == ()
    assert [order.symbol for order in made(State(), wanted, D(104))] == ["A", "B"]
    assert [order.quantity for order in made(held(A=1, B=-1), {}, D(106))] == [D(-1), D(1)]


def test_positions_are_compared_even_while_something_is_traded_all_the_time():
    """Null: orders at every bar keep the quiet time from ever passing, and a change by others is never seen.

    After three quiet times a settling time without an order in flight will do; after six nothing is waited for.
    """
    late = NOW + 3 * LIMITS.quiet_ms
    state = replace(held(A=1, B=-1), touched={"A": late - LIMITS.settle_ms}, read_at=NOW)
    assert not reading_due(state, late - 1, LIMITS)
    assert reading_due(state, late, LIMITS)
    assert not reading_due(replace(state, touched={"A": late - LIMITS.settle_ms + 1}), late, LIMITS)
    flying = sent(state, Order("B", D(1), False), "b", late)
    assert not reading_due(flying, late + LIMITS.settle_ms, LIMITS)
    assert reading_due(flying, NOW + 6 * LIMITS.quiet_ms, LIMITS)
