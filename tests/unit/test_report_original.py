"""What is said of the original study's policies: sentences and tables from figures made by hand."""

import pytest

from perpfut_lib import report
from perpfut_lib.original import CORRECTIONS
from perpfut_lib.report import original

PRINTED = {
    "results": [
        {"fee_bps": fee, "return_percent": gain, "turnover_per_day": 10.0}
        for fee, gain in ((0.0, 42.2), (1.44, -16.49), (4.5, -32.37))
    ]
}


def interval(estimate, reach):
    return {"estimate": estimate, "lower": estimate - reach, "upper": estimate + reach}


def period(start, gain, reach):
    def policy(fee):
        rows = [{"fee_bps": other, **interval(gain, reach)} for other in (0.0, 1.44, 4.5)]
        rules = dict.fromkeys(("original_rules", "correct_rules", "correct_rules_late"), rows)
        return {
            "fee_bps": fee,
            "turnover_per_day": 7.0,
            "shapley": dict.fromkeys(CORRECTIONS, interval(0.1, 0.3)),
            **rules,
        }

    return {"start": start, "end": start, "days": 20, "policies": [policy(fee) for fee in (0.0, 1.44, 4.5)]}


@pytest.fixture
def published(monkeypatch):
    """Two periods, the earlier one published last: it gains for certain, the later one may gain or lose."""
    periods = {"b": period("2025-05-08", -0.02, 0.05), "a": period("2023-07-01", 0.04, 0.01)}
    documents = {"original_weights": periods, "original_study": PRINTED}
    monkeypatch.setattr(original, "read_published", documents.__getitem__)
    monkeypatch.setattr(original, "list_published", lambda: list(documents))


def test_gains_are_counted_only_where_the_interval_is_above_zero(published):
    """A planted gain is counted, a return whose interval contains zero is not; periods stand in order."""
    lines = report.original_findings().splitlines()
    assert lines[0].startswith(
        "The original study's own policies, on 40 days outside its test: by correct rules 3 of 6"
    )
    assert lines[0].endswith("with 95 % confidence, 0 below.")
    assert lines[2] == (
        "- 2023-07-01 to 2023-07-01, 0 bps (printed +42.20 %): **+4.0 [+3.0, +5.0]** % by its rules, "
        "**+4.0 [+3.0, +5.0]** % by correct ones."
    )
    assert len(report.original_table()) == 6


def test_shapley_values_of_periods_add_up(published):
    """Two periods of +10 points give +20, with half-widths added as roots of sums of squares: 30 √2 = 42.4."""
    table = report.shapley_table()
    assert table.shape == (len(CORRECTIONS), 3)
    assert set(table.to_numpy().ravel()) == {"+20.0 [-22.4, +62.4]"}


def test_without_a_published_run_nothing_is_claimed(monkeypatch):
    """No figures, no sentence."""
    monkeypatch.setattr(original, "list_published", lambda: [])
    assert report.original_findings() == original.UNPUBLISHED
