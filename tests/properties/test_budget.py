"""The weight budget: no minute sees more than it may, whatever is asked for and when."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from perpfut_lib.acquire.budget import Page, WeightBudget, cheapest_page
from perpfut_lib.acquire.wires import BINANCE, BINANCE_KLINE_TIERS


class Clock:
    """Time that passes by waiting, and between requests."""

    def __init__(self):
        self.time = 0.0

    def read(self):
        return self.time

    def wait(self, seconds):
        self.time += seconds


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.floats(0, 30), st.sampled_from([1, 2, 5, 40])), min_size=1, max_size=400),
    st.integers(60, 2400),
)
def test_no_minute_sees_more_than_its_weight_and_a_tenth(requests, limit):
    """Null hypothesis: some stretch of 60 seconds holds more than 1.1 times the budget (and one request)."""
    clock = Clock()
    budget = WeightBudget(limit, clock.read, clock.wait)
    times, weights = [], []
    for idle, weight in requests:
        clock.time += idle if idle > 25 else 0.0
        budget.spend(weight)
        times.append(clock.time)
        weights.append(weight)
    moments, spent = np.array(times), np.cumsum([0, *weights])
    ends = np.searchsorted(moments, moments + 60)
    within = spent[ends] - spent[np.arange(len(moments))]
    assert within.max() <= 1.1 * limit + max(weights)
    assert (budget.spent, budget.requests) == (sum(weights), len(weights))


def test_the_budget_is_used_up_when_there_is_work():
    clock = Clock()
    budget = WeightBudget(1200, clock.read, clock.wait)
    for _ in range(6000):
        budget.spend(2)
    assert 590 < clock.time < 600


def test_a_pause_holds_the_next_request_back():
    clock = Clock()
    budget = WeightBudget(1200, clock.read, clock.wait)
    budget.spend(1)
    budget.pause(30)
    budget.spend(1)
    assert 30 <= clock.time < 31


def test_499_rows_are_the_cheapest_page_of_binance():
    """Rows per weight: 99, 249.5, 200; and 150 for the 1,500 that ccxt cannot ask for."""
    assert cheapest_page((*BINANCE_KLINE_TIERS, Page(1500, 10))) == Page(499, 2) == BINANCE.candles
