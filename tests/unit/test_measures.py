"""Measures of rollouts and days: hand-computed cases."""

import numpy as np
import pandas as pd
import pytest

from perpfut_lib import statistics
from perpfut_lib.evaluate import days_of, trial_days
from perpfut_lib.evaluate.days import pooled_days
from perpfut_lib.evaluate.measure import Trial, holding_bars
from perpfut_lib.evaluate.portfolio import EpisodeFlows, combine, concatenate
from perpfut_lib.types import DAY_MS


def target(*sides):
    return np.array(sides, float)[..., None] * np.array([0.5, -0.5])


def test_holding_time_by_hand():
    """Spells of 2, 1 and 3 decisions; a new episode is a new spell, a change of size is not."""
    assert holding_bars(target([1, 0.5, -1, 0], [1, 1, 1, 0])) == pytest.approx((2 + 1 + 3) / 3)
    assert np.isnan(holding_bars(target([0, 0])))


def test_duration_of_a_drawdown_counts_from_the_peak_to_the_recovery():
    time = np.array([0, 10, 20, 40, 70, 71])
    assert statistics.drawdown_duration(time, np.array([1.0, 1.2, 0.9, 1.0, 1.3, 1.2])) == 60
    assert statistics.drawdown_duration(time, np.array([1.0, 0.9, 0.9, 0.8, 0.7, 0.6])) == 71
    assert statistics.drawdown_duration(time, np.ones(6)) == 0


def flows():
    """Two pairs on day 0 and one on day 1, two steps each."""
    start = np.array([0, 0, DAY_MS])
    times = start[:, None] + np.array([0, DAY_MS // 2, DAY_MS])
    price = np.array([[0.01, 0.02], [0.0, -0.01], [0.03, 0.0]])
    zero, traded = np.zeros((3, 2)), np.array([[1.0, 1.0], [0.0, 2.0], [1.0, 1.0]])
    return EpisodeFlows(start, times, price, zero, zero, zero, traded)


def test_days_of_the_calendar_portfolio():
    windows = np.array([[0, DAY_MS], [DAY_MS, 2 * DAY_MS]])
    days = days_of(combine(flows(), windows, 2))
    assert days["window"].tolist() == days["day"].tolist() == [0, DAY_MS]
    assert days["return"].tolist() == pytest.approx([0.01, 0.015])
    assert days["gross"].tolist() == pytest.approx([0.01, 0.015])
    assert days["traded"].tolist() == pytest.approx([2.0, 1.0])


def test_days_strung_together_keep_the_window_that_they_belong_to():
    """Three fictitious days, two of them of the first window; gross P&L is a share of the capital of each."""
    days = days_of(concatenate(flows()))
    assert days["window"].tolist() == [0, 0, DAY_MS]
    assert days["return"].tolist() == pytest.approx([0.03, -0.01, 0.03])
    assert days["gross"].tolist() == pytest.approx([0.03, -0.01, 0.03])


def test_seeds_side_by_side_are_means_of_their_days():
    one = days_of(concatenate(flows())).assign(agent="counterfactual-ppo", train_fee_bps=1.0, test_fee_bps=1.0)
    both = [one.assign(seed=1), one.assign(seed=2, **{"return": 0.0})]
    pooled = pooled_days(pd.concat(both, ignore_index=True))
    assert trial_days(pooled, "counterfactual-ppo", 1.0, 1.0)["return"].tolist() == pytest.approx(
        [0.015, -0.005, 0.015]
    )


def test_positions_to_price_anew_are_those_at_the_own_fee():
    fees = (0.0, 4.5)
    assert Trial("counterfactual-ppo", 4.5, 4.5, 1).priced_anew(fees)
    assert not Trial("counterfactual-ppo", 4.5, 0.0, 1).priced_anew(fees)
    assert Trial("z-score", float("nan"), 0.0, 0).priced_anew(fees)
    assert Trial("z-score", float("nan"), 4.5, 0).priced_anew(fees)
    assert Trial("long", float("nan"), 0.0, 0).priced_anew(fees)
    assert not Trial("long", float("nan"), 4.5, 0).priced_anew(fees)
