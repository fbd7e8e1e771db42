"""Cases in which the executor did wrong once: what it did, what it does, and the test that holds it."""

from typing import Final, NamedTuple


class Case(NamedTuple):
    """One case."""

    case: str
    before: str
    now: str
    test: str
    """Module of ``tests/executor`` and function."""


_FOUND: Final = "test_found_faults::"
CASES: Final = (
    Case(
        "a leg filled, the other refused and without a quote",
        "no order, one leg bare for ever",
        "unwound by its own market",
        f"{_FOUND}test_a_leg_is_unwound_while_the_other_has_no_quote",
    ),
    Case(
        "a signal with a symbol that is not listed",
        "one leg closed, the other left",
        "the signal is refused",
        f"{_FOUND}test_a_signal_with_a_symbol_outside_the_list_is_refused",
    ),
    Case(
        "an older control after a kill",
        "opens again",
        "the kill latches until a newer order, through restarts",
        f"{_FOUND}test_a_kill_latches",
    ),
    Case(
        "equity negative, zero or no number",
        "positions turned round, nothing, an exception",
        "flat, and said",
        f"{_FOUND}test_equity_that_is_no_positive_number_is_flat",
    ),
    Case(
        "a memory of another shape",
        "raises for ever, nothing can be closed",
        "set aside and said",
        f"{_FOUND}test_a_memory_of_another_shape_is_set_aside",
    ),
    Case(
        "a restart with orders in flight",
        "sent again: twice the position",
        "waited for, or cancelled",
        f"{_FOUND}test_an_order_in_flight_at_a_crash_is_not_sent_again",
    ),
    Case(
        "a leg closed by hand",
        "noticed after 300 s and bought back",
        "noticed within two minutes, told, left",
        f"{_FOUND}test_a_leg_closed_by_hand_is_noticed_within_two_minutes_and_left",
    ),
    Case(
        "a withdrawal while it is stopped",
        "a drawdown of 40 %",
        "a transfer",
        f"{_FOUND}test_a_withdrawal_while_stopped_is_no_drawdown",
    ),
    Case(
        "a fill that is told twice",
        "the order counts as complete",
        "counted once, by the trade's number",
        f"{_FOUND}test_a_fill_that_is_told_twice_counts_once",
    ),
    Case(
        "news of a fill that died with the process",
        "units at the mark, the fee in no book",
        "booked from the exchange's list, at its price and fee",
        "test_history::test_fills_that_died_with_the_process_are_booked_at_their_price_and_fee",
    ),
    Case(
        "reductions that are refused under a kill",
        "240 orders in 600 s",
        "each pause is longer",
        f"{_FOUND}test_refused_reductions_under_a_kill_back_off",
    ),
    Case(
        "late data: a signal that holds a pair which is not there",
        "opened",
        "kept or reduced only",
        "test_keeping::test_a_held_pair_that_is_not_there_is_not_opened",
    ),
    Case(
        "orders at every bar, and a change by the exchange",
        "never read, never noticed",
        "read in the next pause after three quiet times",
        "test_planner::test_positions_are_compared_even_while_something_is_traded_all_the_time",
    ),
    Case(
        "deleveraged by the exchange",
        "the other leg stays",
        "told, reduced to match, not opened again",
        "test_shocks::test_deleveraging_is_told_and_the_other_leg_follows",
    ),
    Case(
        "a stop carried out just after it was placed, all dead",
        "left, without its cause",
        "named after the start",
        "test_stops::test_a_stop_that_fired_is_named_although_its_answer_was_never_remembered",
    ),
    Case(
        "offers of a leg 7 % away from the last price",
        "opened across the gap",
        "not opened; closing goes on",
        "test_shocks::test_nothing_is_opened_across_an_empty_book_and_closing_goes_on",
    ),
)
