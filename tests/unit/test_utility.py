"""Utility in the tables, by hand: the best rule, what an agent has over it, its share of the informed trader's."""

import numpy as np
import pandas as pd
import pytest

from perpfut_lib.evaluate.stage import mean_table
from perpfut_lib.evaluate.utility import INFORMED, best_rules, with_utility

NONE = float("nan")


def rows(agent, train_fee, seed, utilities):
    """Return pair-days in windows 0, 0 and 1."""
    named = {"agent": agent, "train_fee_bps": train_fee, "test_fee_bps": 1.5, "seed": seed}
    return pd.DataFrame({"window": [0, 0, 1], "utility_bps": utilities, **named})


@pytest.fixture
def found():
    """Return the metrics of an agent of two seeds, two rules and a random trader of two draws."""
    utilities = pd.concat(
        [
            rows("agent", 1.5, 1, [4.0, 6.0, 2.0]),
            rows("agent", 1.5, 2, [6.0, 8.0, 4.0]),
            rows("ridge", NONE, 0, [1.0, 2.0, 3.0]),
            rows("z-score", NONE, 0, [9.0, 9.0, 9.0]),
            rows("random", NONE, 0, [-1.0, -1.0, -1.0]),
            rows("random", NONE, 0, [-3.0, -3.0, -3.0]),
            rows(INFORMED, NONE, 0, [10.0, 10.0, 10.0]),
        ]
    )
    names = [("agent", 1.5, 1), ("agent", 1.5, 2), ("agent", 1.5, -1)]
    names += [(name, NONE, 0) for name in ("ridge", "z-score", "random")]
    metrics = pd.DataFrame(names, columns=["agent", "train_fee_bps", "seed"]).assign(test_fee_bps=1.5)
    metrics["validation_utility_bps"] = [NONE, NONE, NONE, 8.0, 7.0, NONE]
    return with_utility(metrics, utilities, 0.95)


def test_means_per_pair_day_over_seeds_and_draws(found):
    assert found["utility_bps"].tolist() == [4.0, 6.0, 5.0, 2.0, 9.0, -2.0]
    assert found["utility_share"].tolist() == pytest.approx([0.4, 0.6, 0.5, 0.2, 0.9, -0.2])


def test_the_best_rule_is_chosen_before_the_test(found):
    """Ridge did better on validation, so the agent is measured by it, though the z-score rule does better now."""
    assert set(found["best_rule"]) == {"ridge"}
    assert best_rules(found.drop(columns="validation_utility_bps")) == {}


def test_the_interval_is_students_over_windows(found):
    """Seeds pooled: windows differ by (5 + 7) - (1 + 2) = 9 and 3 - 3 = 0: (9 ± t(0.975, 1) s √2) / 3 pair-days."""
    pooled, reach = found.iloc[2], 12.7062047 * np.std([9.0, 0.0], ddof=1) * 2.0**0.5
    assert pooled["utility_difference_bps"] == pytest.approx(3.0)
    assert pooled["utility_difference_lower"] == pytest.approx((9.0 - reach) / 3.0)
    assert pooled["utility_difference_upper"] == pytest.approx((9.0 + reach) / 3.0)
    rule = found.iloc[3]
    assert (rule["utility_difference_bps"], rule["utility_difference_upper"]) == (0.0, 0.0)


def test_means_of_draws_keep_the_fee_that_names_them():
    """The mean of a hundred 1.44s is 1.4399…, which no table knows; measures are averaged, bounds are quantiles."""
    tables = [
        pd.DataFrame({"test_fee_bps": [1.44], "return": [float(k)], "return_lower": [0.0], "return_upper": [0.0]})
        for k in range(101)
    ]
    mean = mean_table(tables, 0.9).iloc[0]
    assert mean.tolist() == pytest.approx([1.44, 50.0, 5.0, 95.0]) and mean["test_fee_bps"] == 1.44
