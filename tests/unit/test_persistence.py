"""Survival, drift, agreement and scores on tables small enough to count by hand."""

import numpy as np
import pandas as pd
import pytest

from perpfut_lib.cointegration.persistence import direction_agreement, numbered, survival
from perpfut_lib.cointegration.truth import bonds, precision_recall
from perpfut_lib.config import CointegrationConfig
from perpfut_lib.types import DAY_MS

CONFIG = CointegrationConfig(min_correlation=0.5, max_pvalue=0.05)
WINDOWS = pd.DataFrame({"start": DAY_MS * np.array([3, 4, 5]), "split": ["train", "train", "test"]})


def _tests(passing: dict[tuple[int, int, int], float]) -> pd.DataFrame:
    """Return the tests of three symbols in three windows; those named pass, with that hedge ratio."""
    rows = []
    for window in range(3):
        for y in range(3):
            for x in range(3):
                if y != x:
                    beta = passing.get((window, y, x))
                    pvalue = 0.5 if beta is None else 0.01
                    stat = -1.0 if beta is None else -5.0
                    rows.append((window, y, x, 0.9, pvalue, stat, 1.0 if beta is None else beta))
    return pd.DataFrame(rows, columns=["window", "y", "x", "correlation", "pvalue", "stat", "beta"])


TESTS = _tests({(0, 0, 1): 1.0, (0, 1, 0): 0.9, (1, 1, 0): 0.8, (0, 2, 1): 2.0, (2, 0, 1): 1.2})


def test_survival_counts_pairs_that_pass_again() -> None:
    """Of the pairs 0-1 and 1-2 that pass at first, 0-1 passes the next day and, alone, the day after that."""
    table = survival(TESTS, WINDOWS, CONFIG)
    assert table.loc[1, ["pairs", "survived"]].tolist() == [3, pytest.approx(2 / 3)]
    assert table.loc[2, ["pairs", "survived"]].tolist() == [2, 0.5]
    assert table.loc[1, "base_rate"] == pytest.approx(2 / 6)
    assert table["overlap"].round(3).tolist() == [0.667, 0.333, 0.0, 0.0, 0.0]
    assert table.loc[3, "pairs"] == 0
    assert np.isnan(table.loc[3, "survived"])


def test_drift_follows_the_same_regression() -> None:
    """The hedge ratio of 0 on 1 goes 1, 1, 1.2, that of 2 on 1 goes 2, 1, 1, and that of 1 on 0 goes 0.8, 1."""
    table = survival(TESTS, WINDOWS, CONFIG)
    assert table.loc[1, "drift"] == pytest.approx(np.median([0.0, 0.5, 0.25]))
    assert table.loc[2, "drift"] == pytest.approx(np.median([0.2, 0.5]))


def test_agreement_of_directions() -> None:
    """In training three pairs pass some way and one of them both ways, with slopes 1 and 0.9; in the test one does."""
    table = direction_agreement(TESTS, WINDOWS, CONFIG)
    assert table.loc["train", ["one", "both"]].tolist() == [3, 1]
    assert table.loc["train", "slopes"] == pytest.approx(0.9)
    assert table.loc["test", ["one", "both", "agreement"]].tolist() == [1, 0, 0.0]


def test_symbols_are_numbered_in_the_order_of_their_names() -> None:
    """Stored tests name symbols; numbers follow the names, whatever order they are met in."""
    named = pd.DataFrame({"y": pd.Categorical(["B", "C"]), "x": pd.Categorical(["A", "A"])})
    table, names = numbered(named)
    assert names == ["A", "B", "C"]
    assert table[["y", "x"]].to_numpy().tolist() == [[1, 0], [2, 0]]


def test_scores_count_right_wrong_and_missed() -> None:
    """Planted 0-1 is found in all windows, 1-2 is wrong; a bond that breaks inside a formation window is not judged."""
    truth = {
        "pairs": [{"y": "A", "x": "B", "break_time": None}, {"y": "A", "x": "C", "break_time": 4 * DAY_MS}],
    }
    planted = bonds(truth, ["A", "B", "C"], WINDOWS, CONFIG)
    loose = planted[planted["high"] == 2]["bonded"]
    assert loose.iloc[:2].tolist() == [1.0, 1.0]
    assert np.isnan(loose.iloc[2])
    scores = precision_recall(TESTS, planted, CONFIG).loc["p-value"]
    assert scores[["right", "wrong", "missed"]].tolist() == [3, 1, 2]
    assert scores[["precision", "recall"]].tolist() == [0.75, 0.6]
    late = bonds({"pairs": [{"y": "A", "x": "B", "break_time": 0}]}, ["A", "B", "C"], WINDOWS, CONFIG)
    assert (late["bonded"] == 0.0).all()
    assert precision_recall(TESTS, late, CONFIG).loc["p-value", "right"] == 0
