"""Performance measures: hand-computed values and defining properties."""

import numpy as np
import pytest

from perpfut_lib import statistics
from perpfut_lib.errors import SchemaError
from perpfut_lib.types import DAY_MS, HOUR_MS


def test_a_mark_at_midnight_belongs_to_the_day_that_ends_there():
    time = np.array([0, DAY_MS // 2, DAY_MS, DAY_MS + HOUR_MS, 2 * DAY_MS])
    days, returns = statistics.daily_returns(time, np.array([1.0, 1.5, 1.1, 1.0, 1.21]))
    assert days.tolist() == [0, DAY_MS]
    assert returns == pytest.approx([0.1, 0.1])


def test_daily_returns_compound_to_the_whole_curve():
    generator = np.random.default_rng(0)
    time = np.arange(0, 5 * DAY_MS + 1, HOUR_MS)
    equity = np.exp(np.cumsum(generator.normal(0, 0.01, len(time))))
    _, returns = statistics.daily_returns(time, equity)
    assert len(returns) == 5
    assert statistics.cumulative_return(returns) == pytest.approx(equity[-1] / equity[0] - 1)


def test_marks_of_one_moment_belong_to_one_day():
    """Proves that orders that fill together at a window's end, as latency makes them, do not add a day."""
    time = np.array([0, DAY_MS // 2, DAY_MS, DAY_MS, 2 * DAY_MS])
    days, returns = statistics.daily_returns(time, np.array([1.0, 1.1, 1.2, 1.3, 1.3]))
    assert days.tolist() == [0, DAY_MS]
    assert returns == pytest.approx([0.3, 0.0])


@pytest.mark.parametrize("time", [[0], [1, 0]])
def test_times_that_go_back_are_refused(time):
    with pytest.raises(SchemaError, match="order of time"):
        statistics.daily_returns(np.array(time), np.ones(len(time)))


def test_measures_by_hand():
    returns = np.array([0.01, -0.02, 0.03, 0.0])
    deviation = np.sqrt(((returns - 0.005) ** 2).sum() / 3)
    assert statistics.cumulative_return(returns) == pytest.approx(1.01 * 0.98 * 1.03 - 1)
    assert statistics.volatility(returns) == pytest.approx(deviation * np.sqrt(365))
    assert statistics.sharpe(returns) == pytest.approx(0.005 / deviation * np.sqrt(365))
    assert statistics.sortino(returns) == pytest.approx(0.005 / np.sqrt(0.0004 / 4) * np.sqrt(365))


def test_drawdown_by_hand():
    equity = np.array([1.0, 1.2, 0.9, 1.0, 1.3, 1.17])
    assert statistics.max_drawdown(equity) == pytest.approx(-0.25)


def test_a_ratio_without_variation_is_nan():
    assert np.isnan(statistics.sharpe(np.zeros(5)))
    assert np.isnan(statistics.sharpe(np.full(5, 0.01)))
    assert np.isnan(statistics.sortino(np.array([0.1, 0.2])))


def test_measures_work_on_a_whole_bootstrap_at_once():
    returns = np.random.default_rng(1).normal(0, 0.01, (7, 30))
    for measure in (statistics.sharpe, statistics.sortino, statistics.volatility, statistics.cumulative_return):
        assert measure(returns) == pytest.approx([measure(row) for row in returns])
