"""Intervals and multiple-trial corrections against published figures, closed forms and slow references."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from perpfut_lib import statistics
from perpfut_lib.errors import SchemaError
from perpfut_lib.statistics import Resampling, Shape


def test_deflated_sharpe_ratio_of_the_paper():
    """Bailey and López de Prado (2014), example: SR 2.5 a year, 5 x 250 days, 100 trials: DSR = 0.9004."""
    variance = 0.5 / 250
    assert statistics.expected_best_sharpe(100, variance) == pytest.approx(0.1132, abs=5e-5)
    value = statistics.deflated_sharpe(2.5 / np.sqrt(250), Shape(1250, -3.0, 10.0), trials=100, variance=variance)
    assert value == pytest.approx(0.9004, abs=5e-5)


def test_probabilistic_sharpe_ratio_is_the_normal_test_for_normal_returns():
    returns = np.random.default_rng(3).normal(0.001, 0.01, 4000)
    daily = returns.mean() / returns.std(ddof=1)
    expected = stats.norm.cdf(daily * np.sqrt(3999) / np.sqrt(1 + daily**2 / 2))
    assert statistics.probabilistic_sharpe(returns) == pytest.approx(expected, abs=2e-3)


def test_minimum_detectable_sharpe_of_the_original_test_span():
    """Over 61 days the standard error of an annual Sharpe ratio is about sqrt(365/61) = 2.45."""
    assert statistics.minimum_detectable_sharpe(61) == pytest.approx(
        (1.959964 + 0.841621) * np.sqrt(365 / 61), rel=1e-6
    )


def test_bootstrap_interval_covers_the_truth_as_often_as_it_says():
    """Null: the true daily mean is 0.001; a 90 % interval of the mean covers it in about 90 % of 200 worlds."""
    generator = np.random.default_rng(4)
    covered = 0
    for _ in range(200):
        interval = statistics.bootstrap_ci(
            generator.normal(0.001, 0.01, 120), lambda r: r.mean(axis=-1), Resampling(1.0, 300, 0.9)
        )
        covered += interval.lower <= 0.001 <= interval.upper
    assert 0.8 <= covered / 200 <= 0.97


def test_bootstrap_is_deterministic_by_seed_and_refuses_too_little():
    returns = np.random.default_rng(5).normal(0, 0.01, 30)
    first, second = (statistics.bootstrap_ci(returns, statistics.sharpe, Resampling(seed=9, reps=50)) for _ in range(2))
    assert first == second
    with pytest.raises(SchemaError, match="two or more finite"):
        statistics.bootstrap_ci(np.array([0.1]), statistics.sharpe, Resampling())


@pytest.mark.parametrize("days", [9, 12, 49])
@pytest.mark.parametrize("tails", [4, 30])
def test_intervals_of_few_days_cover_what_they_say(days, tails):
    """Null: true mean log growth and Sharpe ratio are known; 95 % intervals hold them in 90 % or fewer of 600 worlds.

    A percentile bootstrap over nine days covers 81 to 84 %.
    """
    generator, deviation = np.random.default_rng(6), 0.01 * np.sqrt(tails / (tails - 2))
    inside = np.zeros(2)
    for _ in range(600):
        growth = 0.002 + 0.01 * generator.standard_t(tails, days)
        total = statistics.return_interval(np.expm1(growth))
        ratio = statistics.sharpe_interval(growth)
        truth = np.expm1(0.002 * days), 0.002 / deviation * np.sqrt(365)
        inside += [one.lower <= true <= one.upper for one, true in zip((total, ratio), truth, strict=True)]
    assert (inside / 600 > 0.915).all(), inside / 600


def test_the_jackknife_of_a_mean_is_student_s_interval():
    """Closed form: for a mean the jackknife's error is s/√n; a day without which nothing is defined has no bounds."""
    values = np.random.default_rng(7).normal(0.0, 1.0, 12)
    left_out = (values.sum() - values) / 11
    found, total = statistics.jackknife_interval(values.mean(), left_out), statistics.total_interval(values)
    assert (found.lower, found.upper) == pytest.approx((total.lower / 12, total.upper / 12), rel=1e-12)
    assert np.isnan(statistics.jackknife_interval(1.0, np.array([1.0, np.nan])).lower)
    assert np.isnan(statistics.sharpe_interval(np.array([0.0, 0.0, 0.1])).lower)
    assert np.isnan(statistics.return_interval(np.array([0.1, -1.0, 0.1])).lower)
    assert statistics.return_interval(np.zeros(5)).upper == 0.0


def test_mean_block_length_is_the_one_asked_for():
    indices = statistics.resample_indices(200, Resampling(block=5.0, reps=200))
    breaks = np.mean(np.diff(indices, axis=1) % 200 != 1)
    assert 1 / breaks == pytest.approx(5.0, rel=0.1)


def slow_pbo(returns, blocks):
    parts = np.array_split(returns, blocks)
    below = []
    for chosen in combinations(range(blocks), blocks // 2):
        inside = np.concatenate([parts[i] for i in chosen])
        outside = np.concatenate([parts[i] for i in range(blocks) if i not in chosen])
        best = np.argmax(inside.mean(axis=0) / inside.std(axis=0))
        ratios = outside.mean(axis=0) / outside.std(axis=0)
        below.append(stats.rankdata(ratios)[best] / (returns.shape[1] + 1) <= 0.5)
    return np.mean(below)


def test_cscv_equals_a_slow_reference():
    returns = np.random.default_rng(6).normal(0, 1, (96, 11))
    assert statistics.pbo_cscv(returns, blocks=8) == pytest.approx(slow_pbo(returns, 8))


def test_cscv_knows_a_dominant_strategy_from_noise():
    generator = np.random.default_rng(7)
    noise = generator.normal(0, 1, (480, 20))
    assert statistics.pbo_cscv(noise, blocks=12) > 0.25
    noise[:, 4] += 1.0
    assert statistics.pbo_cscv(noise, blocks=12) == 0.0
    with pytest.raises(SchemaError):
        statistics.pbo_cscv(noise[:, :1])


def test_a_test_finds_the_minimum_detectable_sharpe_ratio_four_times_out_of_five():
    """Null: none. 4,000 spans of 61 normal days with that true ratio; the two-sided test at 5 % finds 80 % of them."""
    daily = statistics.minimum_detectable_sharpe(61) / np.sqrt(365)
    returns = np.random.default_rng(8).normal(daily, 1.0, (4000, 61))
    found = np.abs(returns.mean(axis=1)) * np.sqrt(61) > stats.norm.ppf(0.975)
    assert found.mean() == pytest.approx(0.8, abs=0.02)
