"""Paired differences of portfolios: against the measures of whole series, and known cases."""

import numpy as np
import pytest

from perpfut_lib import statistics
from perpfut_lib.errors import SchemaError
from perpfut_lib.statistics import Resampling, measures_of, paired_changes, window_sums

KEYS = np.arange(40) * 10


def days(generator, count=80, mean=0.0):
    columns = [generator.normal(mean, 0.01, count), generator.normal(mean, 0.01, count), np.full(count, 4.0)]
    return np.stack(columns, axis=1)


def sums(table, per_window=2):
    return window_sums(KEYS, np.repeat(KEYS, per_window)[: len(table)], table)


def test_sums_of_windows_give_the_measures_of_the_whole_series():
    """Return, Sharpe ratio and break-even cost from summed windows equal those of the series in one piece."""
    table = days(np.random.default_rng(0), mean=0.001)
    change, ratio, break_even = measures_of(sums(table).sum(axis=0))
    assert change == pytest.approx(statistics.cumulative_return(table[:, 0]), abs=1e-12)
    assert ratio == pytest.approx(statistics.sharpe(table[:, 0]), abs=1e-9)
    assert break_even == pytest.approx(1e4 * table[:, 1].sum() / table[:, 2].sum())


def test_a_resample_of_windows_equals_the_series_put_together_from_them():
    """Any draw of windows: the measures of the added rows are those of the concatenated days."""
    table = days(np.random.default_rng(1))
    drawn = statistics.resample_indices(len(KEYS), Resampling(3, 5))[2]
    rows = (2 * drawn[:, None] + np.arange(2)).ravel()
    change, ratio, _ = measures_of(sums(table)[drawn].sum(axis=0))
    assert change == pytest.approx(statistics.cumulative_return(table[rows, 0]), abs=1e-12)
    assert ratio == pytest.approx(statistics.sharpe(table[rows, 0]), abs=1e-9)


def test_what_is_alike_in_both_cancels():
    """Two portfolios that differ by a constant a day: the interval of the difference has next to no width."""
    table = days(np.random.default_rng(2))
    better = table + np.array([0.001, 0.0, 0.0])
    changes = paired_changes(sums(table), sums(better))
    alone = statistics.return_interval(table[:, 0])
    width = changes["return"].upper - changes["return"].lower
    assert changes["return"].lower > 0.0
    assert width < 0.2 * (alone.upper - alone.lower)
    assert changes["break_even_bps"].lower == changes["break_even_bps"].upper == 0.0


def test_the_interval_of_a_difference_covers_the_truth_as_often_as_it_says():
    """Null: the true difference of means is zero; a 90 % interval holds it in about 90 % of 100 worlds."""
    generator, covered = np.random.default_rng(3), 0
    for _ in range(100):
        first, second = (sums(days(generator)) for _ in range(2))
        interval = paired_changes(first, second, 0.9)["sharpe"]
        covered += interval.lower <= 0.0 <= interval.upper
    assert 80 <= covered <= 98


def test_undefined_measures_are_not_numbers_and_strange_windows_are_refused():
    flat = np.zeros((80, 3))
    assert np.isnan(measures_of(sums(flat).sum(axis=0))[1:]).all()
    assert np.isnan(paired_changes(sums(flat), sums(flat))["sharpe"].lower)
    with pytest.raises(SchemaError, match="outside all windows"):
        window_sums(KEYS, np.array([5]), flat[:1])
    with pytest.raises(SchemaError, match="same windows"):
        paired_changes(sums(flat), sums(flat)[1:])
