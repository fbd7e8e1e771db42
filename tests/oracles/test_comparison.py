"""Comparisons of agents against known truth."""

import numpy as np
import pytest

from perpfut_lib.errors import SchemaError
from perpfut_lib.statistics import Resampling, interquartile_mean, interquartile_mean_ci, spa_pvalue


def test_superior_predictive_ability_keeps_its_size_on_noise():
    """Null: five candidates are as worthless as the benchmark; at 10 % it is rejected in about 10 % of 60 worlds."""
    generator = np.random.default_rng(0)
    rejected = sum(
        spa_pvalue(generator.normal(0, 1, 80), generator.normal(0, 1, (80, 5)), Resampling(1, 200)) < 0.1
        for _ in range(60)
    )
    assert rejected <= 13


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
