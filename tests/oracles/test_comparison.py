"""Comparisons of agents against known truth."""

import numpy as np
import pytest
from scipy import stats

from perpfut_lib.errors import SchemaError
from perpfut_lib.statistics import Resampling, interquartile_mean, interquartile_mean_ci, spa_pvalue


@pytest.mark.parametrize("days", [9, 12, 49])
@pytest.mark.parametrize("tails", [3, 30])
def test_superior_predictive_ability_keeps_its_size_on_noise(days, tails):
    """Null: 20 candidates are as worthless as the benchmark; at 10 % it is rejected in about 10 % of 200 worlds.

    Over few days, and with the fat tails of daily returns, too; 32 or more of 200 would have a chance of 0.5 %.
    """
    generator = np.random.default_rng(0)
    draw = lambda *shape: generator.standard_t(tails, shape)  # noqa: E731
    rejected = sum(spa_pvalue(draw(days), draw(days, 20), Resampling(1, 199)) <= 0.1 for _ in range(200))
    assert rejected < 32


def test_superior_predictive_ability_counts_what_can_differ():
    """A candidate equal to the benchmark changes nothing, and without any other nothing is superior."""
    generator = np.random.default_rng(5)
    benchmark, candidates = generator.normal(0, 1, 40), generator.normal(0.3, 1, (40, 3))
    both = np.column_stack([candidates, benchmark])
    assert spa_pvalue(benchmark, both, Resampling()) == spa_pvalue(benchmark, candidates, Resampling())
    assert spa_pvalue(benchmark, benchmark[:, None], Resampling()) == 1.0


def test_superior_predictive_ability_sees_a_better_candidate():
    generator = np.random.default_rng(1)
    candidates = generator.normal(0, 1, (200, 5))
    candidates[:, 3] += 0.5
    assert spa_pvalue(generator.normal(0, 1, 200), candidates, Resampling(1, 300)) < 0.01
    with pytest.raises(SchemaError, match=r"\(200, N\)"):
        spa_pvalue(np.zeros(200), candidates[:50], Resampling())


def test_interquartile_mean_by_hand():
    """Of 1..8 the middle half is 3..6, mean 4.5; an outlier in the last place changes nothing."""
    assert interquartile_mean(np.arange(1.0, 9.0).reshape(4, 2)) == pytest.approx(4.5)
    assert interquartile_mean(np.array([[1.0, 2, 3, 4], [5, 6, 7, 1e9]])) == pytest.approx(4.5)


def test_interquartile_mean_interval_covers_the_truth():
    generator = np.random.default_rng(2)
    covered = 0
    for world in range(100):
        interval = interquartile_mean_ci(generator.normal(1.0, 1.0, (10, 3)), Resampling(reps=300, seed=world))
        covered += interval.lower <= 1.0 <= interval.upper
    assert 85 <= covered <= 100


@pytest.mark.parametrize("mean", [0.0, 0.05, 0.12])
def test_superior_predictive_ability_of_one_candidate_is_the_normal_test(mean):
    """Closed form: with one candidate and independent days the p-value is that of the one-sided test of its mean."""
    returns = np.random.default_rng(3).normal(0.0, 1.0, 400)
    returns += mean - returns.mean()
    expected = stats.norm.sf(mean / returns.std(ddof=1) * np.sqrt(400))
    found = spa_pvalue(np.zeros(400), returns[:, None], Resampling(1, 4000))
    noise = np.sqrt(expected * (1.0 - expected) / 4000)
    assert found == pytest.approx(expected, abs=3.5 * noise)


def test_interquartile_mean_interval_has_the_width_of_the_trimmed_mean_of_normal_scores():
    """Closed form: 1.195 σ²/n is the variance of a mean trimmed by a quarter at each end (Tukey and McLaughlin)."""
    scores = np.random.default_rng(4).normal(0.0, 1.0, (400, 1))
    interval = interquartile_mean_ci(scores, Resampling(reps=4000))
    expected = 2 * stats.norm.ppf(0.975) * np.sqrt(1.195 / 400)
    assert interval.upper - interval.lower == pytest.approx(expected, rel=0.12)
