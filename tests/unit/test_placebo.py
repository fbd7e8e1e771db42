"""Placebo panels: their null hypotheses hold, and the false-discovery rate that they tell is that of known truth."""

import numpy as np
import pandas as pd
import pytest

from perpfut_lib.cointegration.placebo import (
    NULLS,
    Null,
    count_passes,
    false_discoveries,
    phase_randomised,
    placebo_counts,
    screening_rules,
)
from perpfut_lib.cointegration.truth import bonds, precision_recall
from perpfut_lib.cointegration.windows import LagRule, scan_windows
from perpfut_lib.config import CointegrationConfig
from perpfut_lib.errors import DegenerateSeriesError
from perpfut_lib.types import DAY_MS, Float2D

BARS, SYMBOLS, WINDOW = 6000, 12, 600
STOPS = np.arange(WINDOW, BARS + 1, WINDOW)
CONFIG = CointegrationConfig(min_correlation=0.8, max_pvalue=0.05, placebos=3)


def _market(bonded: bool) -> Float2D:
    """Return log prices with one common factor; if ``bonded``, columns 2k and 2k + 1 of the first six are tied."""
    rng = np.random.default_rng(8)
    own = 5e-4 * rng.standard_normal((BARS, SYMBOLS)).cumsum(axis=0)
    if bonded:
        own[:, 1:6:2] = own[:, 0:6:2] + 2e-3 * rng.standard_normal((BARS, 3))
    return 4.0 + 1e-3 * rng.standard_normal((BARS, 1)).cumsum(axis=0) + own


def _tests(log_prices: Float2D) -> pd.DataFrame:
    return scan_windows(log_prices, STOPS, WINDOW, LagRule(maxlag=4))


@pytest.fixture(scope="module")
def bonded() -> pd.DataFrame:
    """Return all tests of a market with three planted pairs."""
    return _tests(_market(True))


@pytest.mark.parametrize("bars", [999, 1000])
def test_each_series_keeps_its_spectrum(bars: int) -> None:
    """The periodogram of every series' increments is that of the data, at all frequencies; so is the first price."""
    prices = _market(True)[:bars]
    surrogate = phase_randomised(prices, np.random.default_rng(0))
    before, after = (np.abs(np.fft.rfft(np.diff(table, axis=0), axis=0)) for table in (prices, surrogate))
    assert np.abs(before - after).max() < 1e-12
    assert (surrogate[0] == prices[0]).all()


def test_unrelated_series_do_not_correlate_and_one_factor_makes_them() -> None:
    """Increments of unrelated surrogates do not correlate; with one factor they do as in a market without bonds."""
    prices = _market(True)
    made: dict[Null, Float2D] = {null: phase_randomised(prices, np.random.default_rng(1), null) for null in NULLS}
    off = ~np.eye(SYMBOLS, dtype=bool)
    assert np.abs(np.corrcoef(np.diff(made["unrelated"], axis=0).T)[off]).max() < 0.06
    free = off[6:, 6:]  # these are not tied, so that the common factor is all they share
    before, after = (np.corrcoef(np.diff(table[:, 6:], axis=0).T)[free] for table in (prices, made["one factor"]))
    assert after.mean() == pytest.approx(before.mean(), abs=0.1)


@pytest.mark.parametrize("null", NULLS)
def test_a_planted_bond_does_not_survive(null: Null) -> None:
    """A pair that is tied in the data passes no more often in a surrogate than the test's level allows."""
    surrogate = phase_randomised(_market(True), np.random.default_rng(2), null)
    tied = _tests(surrogate).query("y // 2 == x // 2 and y < 6")
    assert (tied["pvalue"] < 0.05).mean() < 0.25
    assert (_tests(_market(True)).query("y // 2 == x // 2 and y < 6")["pvalue"] < 0.05).all()


def test_missing_ends_stay_missing_and_holes_are_refused() -> None:
    """A series keeps its NaN before listing; one with NaN between its prices is a named error; an empty one is kept."""
    prices = _market(False)
    prices[:100, 2] = np.nan
    prices[:, 3] = np.nan
    for null in NULLS:
        surrogate = phase_randomised(prices, np.random.default_rng(3), null)
        assert (np.isnan(surrogate) == np.isnan(prices)).all()
    prices[200, 2] = np.nan
    with pytest.raises(DegenerateSeriesError, match="column 2 with 1 NaN"):
        phase_randomised(prices, np.random.default_rng(3))


def test_the_false_discovery_rate_is_that_of_the_truth(bonded: pd.DataFrame) -> None:
    """With three planted pairs the rate that placebos tell lies near the share of passes that are wrong.

    It supposes that no pair is tied, so it may err upwards by their share, 3 of 66 pairs; Benjamini-Yekutieli's control
    leaves few wrong passes, and finds the planted ones all the same.
    """
    data = count_passes(bonded, len(STOPS), CONFIG)
    placebo = placebo_counts(_market(True), _tests, len(STOPS), CONFIG)
    told = false_discoveries(data, placebo)
    windows = pd.DataFrame({"start": DAY_MS * np.arange(100, 100 + len(STOPS))})
    truth = {"pairs": [{"y": str(k), "x": str(k + 1), "break_time": None} for k in (0, 2, 4)]}
    names = sorted(map(str, range(SYMBOLS)), key=int)
    scores = precision_recall(bonded, bonds(truth, names, windows, CONFIG), CONFIG)
    for rule in ("p-value", "p-value, correlation"):
        assert told.loc[rule, "FDR, one factor"] == pytest.approx(scores.loc[rule, "false_discoveries"], abs=0.15)
    assert scores.loc["p-value", "false_discoveries"] > 0.5
    for rule in ("Benjamini-Yekutieli", "Benjamini-Yekutieli, correlation"):
        assert told.loc[rule, "FDR, one factor"] < 0.1
        assert scores.loc[rule, "false_discoveries"] < 0.2
        assert scores.loc[rule, "recall"] > 0.95


def test_where_nothing_is_tied_everything_found_is_false() -> None:
    """In a market without bonds as many pairs pass as in its placebos: a false-discovery rate near one."""
    data = count_passes(_tests(_market(False)), len(STOPS), CONFIG)
    placebo = placebo_counts(_market(False), _tests, len(STOPS), CONFIG)
    assert false_discoveries(data, placebo).loc["p-value", "FDR, one factor"] > 0.75
    assert placebo.groupby("null").size().to_dict() == {null: 3 * len(STOPS) for null in NULLS}


def test_without_placebos_there_is_nothing_to_compare(bonded: pd.DataFrame) -> None:
    """Zero placebos give an empty table, and counts of the data alone; the rules are the table's columns."""
    none = placebo_counts(_market(True), _tests, len(STOPS), CONFIG.model_copy(update={"placebos": 0}))
    assert none.empty
    told = false_discoveries(count_passes(bonded, len(STOPS), CONFIG), none)
    assert list(told.columns) == ["passed", "share"]
    assert list(told.index) == list(screening_rules(CONFIG))
