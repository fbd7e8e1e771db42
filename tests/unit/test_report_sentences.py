"""What a run found, in sentences: each verdict from figures made by hand, and no figure that a reader cannot use."""

import pandas as pd
import pytest

from perpfut_lib import report
from perpfut_lib.report import sentences
from perpfut_lib.report.style import NOTHING, bounds, decimals

ROW = {
    "train_fee_bps": 1.44,
    "test_fee_bps": 1.44,
    "seed": -1,
    "days": 60,
    "return": 0.0326,
    "return_lower": 0.025,
    "return_upper": 0.0408,
    "break_even_bps": 5.25,
    "turnover_per_day": 2.0,
}
SIGNIFICANCE = {"fee_bps": 1.44, "deflated": 0.99, "trials": 38, "spa flat": 0.01, "detectable": 2.4}


@pytest.fixture
def found(monkeypatch):
    """Return a function that makes the tables of a run that found one row."""

    def make(**changed):
        tables = {"metrics": pd.DataFrame([ROW | changed]), "significance": pd.DataFrame([SIGNIFICANCE | changed])}
        monkeypatch.setattr(sentences, "read_result", lambda source, name: tables[name])
        monkeypatch.setattr(sentences, "ALL_SEEDS", -1)
        return "run"

    return make


def test_a_gain_is_told_with_interval_verdict_and_break_even(found):
    """Sixty days, an interval above zero, three tests passed: significant, and how much more it could pay."""
    told = report.headline(found())
    assert "returned **+3.26 %** over 60 test days (interval +2.50 % to +4.08 %): the interval excludes zero." in told
    assert told.endswith("It would break even at 5.25 bps per side.")
    judged = report.findings(found())
    assert "**significant** by all three tests. Costs per side could rise by 3.81 bps" in judged


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"break_even_bps": -0.001}, "It lost before costs: no fee is low enough."),
        ({"break_even_bps": float("nan"), "return": 0.0}, "it never traded, so no cost would matter."),
        ({"days": 5}, "but so few days say nothing of other months"),
        ({"return_lower": -0.00001}, "interval +0.00 % to +4.08 %): the interval contains zero: this could be chance"),
    ],
)
def test_what_is_no_finding_is_told_as_none(found, changed, told):
    """No cost below zero is named, idleness is not called chance, few days and an interval with zero are no proof."""
    assert told in report.headline(found(**changed))


@pytest.mark.parametrize("changed", [{"days": 5}, {"deflated": 0.5}, {"spa flat": 0.2}, {"return_lower": -0.01}])
def test_one_test_that_fails_is_enough(found, changed):
    """Whatever the others say, the result is not called significant."""
    assert "**not significant**" in report.findings(found(**changed))


def test_a_figure_in_a_table_is_never_nan_nor_a_negative_zero():
    """Gaps are dashes, and what rounds to zero has no sign of loss."""
    assert (decimals(float("nan"), 2), bounds(float("nan"), 1.0, 2)) == (NOTHING, NOTHING)
    assert (decimals(-0.001, 2), bounds(-0.04, 1.25, 1)) == ("0.00", "[0.0, 1.2]")
    assert decimals(0.126, 2, sign="+") == "+0.13"
