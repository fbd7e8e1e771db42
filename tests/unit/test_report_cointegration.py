"""Tables of chapter 03 against the artifacts that they are made from."""

import pytest

from perpfut_lib import report
from perpfut_lib.cointegration.stage import load_placebo, load_windows
from perpfut_lib.errors import ArtifactError
from perpfut_lib.report import cointegration


def test_degenerate_input_is_answered_and_statsmodels_answers_otherwise() -> None:
    """Ours names what is wrong, but for collinear series, where both say minus infinity; statsmodels tests NaN."""
    table = report.edge_case_table()
    collinear = table.index.str.startswith("y = 1 + 2 x")
    assert (table.loc[collinear, "ours"] == "statistic -inf, p-value 0").all()
    assert table.loc[~collinear, "ours"].str.startswith("error: found ").all()
    assert table.loc[collinear, "statsmodels"].str.startswith("statistic -inf, p-value 0; warns").all()
    assert table.loc["one NaN", "statsmodels"].startswith("statistic")


def test_discoveries_count_what_the_stage_counted(smoke) -> None:
    """The rule of the profile passes as many pairs as the windows table says; shares lie in range; truth is known."""
    table = report.discovery_table(smoke.run, smoke.profile)
    assert table.loc["p-value, correlation", "passed"] == load_windows(smoke.run)["passed"].sum()
    assert table.drop(columns="passed").stack().between(0, 100).all()
    assert (table["found (%)"] == 100).any()
    placebo = load_placebo(smoke.run)
    assert placebo["placebo"].nunique() == smoke.profile.cointegration.placebos
    assert placebo["tested"].sum() == 2 * smoke.profile.cointegration.placebos * load_windows(smoke.run)["tested"].sum()


def test_tables_of_persistence_hold_shares(smoke) -> None:
    """Survival, agreement and ranks are shares of what they count, one row per step or split."""
    survival = report.survival_table(smoke.run, smoke.profile)
    assert survival.index.tolist() == [1, 2, 3, 4, 5]
    assert survival["pairs"].is_monotonic_decreasing
    directions = report.direction_table(smoke.run, smoke.profile)
    assert (directions["both pass"] <= directions["one direction passes"]).all()
    ranks = report.johansen_table(smoke.run)
    assert ranks.filter(like="rank").sum(axis=1).to_numpy() == pytest.approx(100, abs=0.2)
    assert len(report.plot_survival(smoke.run, smoke.profile).axes) == 2


def test_costs_are_read_from_the_published_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of one window are read by assets and tests, others left out; without a benchmark the error names it."""
    rows = [
        {"metric": "one window, 25 assets, 600 tests, one thread", "ours": 0.05},
        {"metric": "one window, 500 assets, 249500 tests, one thread", "ours": 20.0},
        {"metric": "full grid of 217200 tests, two processes", "ours": 16.0},
    ]
    monkeypatch.setattr(cointegration, "read_published", lambda _: {"rows": rows})
    assert cointegration.scan_costs().to_numpy().tolist() == [[25, 600, 0.05], [500, 249500, 20.0]]
    assert report.plot_scan_cost().axes[0].get_xscale() == "log"
    monkeypatch.undo()
    monkeypatch.setattr("perpfut_lib.artifacts.published.FOLDER", cointegration.COST.pattern)
    with pytest.raises(ArtifactError, match="bench/cointegration"):
        cointegration.scan_costs()
