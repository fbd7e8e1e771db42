"""The calendar-time portfolio: capital split over slots, compounding over windows, flows that sum."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perpfut_lib.evaluate.portfolio import EpisodeFlows, combine, concatenate
from perpfut_lib.types import DAY_MS


def flows(starts, price, fees=None):
    price = np.array(price, float)
    starts = np.array(starts) * DAY_MS
    length = price.shape[1]
    times = starts[:, None] + np.arange(length + 1) * (DAY_MS // length)
    zeros = np.zeros_like(price)
    fees = zeros if fees is None else np.array(fees, float)
    return EpisodeFlows(starts, times, price, zeros, fees, zeros, np.abs(price))


def days(count):
    starts = np.arange(count) * DAY_MS
    return np.stack([starts, starts + DAY_MS], axis=1)


def test_two_pairs_side_by_side_then_a_day_in_cash_then_one_pair():
    """Worked by hand: +10 % and 0 % on halves, cash, then +10 % on a half: 1.05 × 1.05."""
    made = combine(flows([0, 0, 2], [[0.05, 0.05], [0.0, 0.0], [0.1, 0.0]]), days(3), 2)
    assert made.time.tolist() == [0, DAY_MS // 2, DAY_MS, 2 * DAY_MS, 5 * DAY_MS // 2, 3 * DAY_MS]
    assert made.equity == pytest.approx([1.0, 1.025, 1.05, 1.05, 1.05 * 1.05, 1.05 * 1.05])
    assert made.traded.tolist() == pytest.approx([0.025, 0.025, 0.0, 0.05, 0.0])


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_flows_sum_to_the_change_of_equity(seed, slots):
    generator = np.random.default_rng(seed)
    starts = np.sort(generator.integers(0, 8, 12))
    made = combine(
        flows(starts, generator.normal(0, 0.01, (12, 24)), generator.random((12, 24)) * 1e-3), days(8), slots
    )
    assert made.imbalance() <= 1e-12
    assert len(made.time) == len(made.equity) == len(made.price) + 1
    assert np.all(np.diff(made.time) > 0)


def test_unused_slots_stay_in_cash():
    one = combine(flows([0], [[0.1, 0.0]]), days(1), 5)
    assert one.equity[-1] == pytest.approx(1.02)


def test_the_original_curve_compounds_pairs_of_one_day_as_if_they_had_come_in_turn():
    """Fault 6: two pairs that each earn 10 % on the same day become 21 % over two fictitious days."""
    strung = concatenate(flows([0, 0], [[0.05, 0.05], [0.1, 0.0]]))
    assert strung.equity == pytest.approx([1.0, 1.05, 1.1, 1.21, 1.21])
    assert strung.time.tolist() == [0, DAY_MS // 2, DAY_MS, 3 * DAY_MS // 2, 2 * DAY_MS]
    assert strung.imbalance() <= 1e-12
    assert combine(flows([0, 0], [[0.05, 0.05], [0.1, 0.0]]), days(1), 2).equity[-1] == pytest.approx(1.1)
