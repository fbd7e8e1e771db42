"""Chapter 10's tables of published results: what they count, and that a missing one says so instead of failing."""

import pytest

from perpfut_lib import report
from perpfut_lib.artifacts import publish
from perpfut_lib.report.operation import operation_hash

TABLES = ("week_table", "drill_matrix", "drill_summary", "latency_table", "closed_loop_table", "container_table")


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Return a project in which nothing is published."""
    monkeypatch.setenv("PERPFUT_ROOT", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", TABLES)
def test_what_is_not_published_is_told(root, name):
    """A reader of a project without the results sees one line that says which is missing."""
    table = getattr(report, name)()
    assert list(table.columns) == ["not published"]
    assert "no published" in table.iloc[0, 0]


@pytest.mark.parametrize("plot", [report.plot_soak, report.plot_closed_loop])
def test_a_figure_of_what_is_not_published_says_so(root, plot):
    """So with figures."""
    assert plot().axes[0].get_title().startswith("Not published")


def test_the_drill_is_counted_and_every_unsafe_case_shows(root):
    """Two cases that are unsafe for different reasons are two unsafe cases."""
    outcomes = ("flat", "held", "UNSAFE: not flat", "UNSAFE: number 3 again")
    cases = [{"exchange": "none", "file": str(k), "outcome": what, "reasons": ""} for k, what in enumerate(outcomes)]
    publish("agent/drill", {"cases": cases})
    assert report.drill_summary()["cases"].to_dict() == {"flat": 1, "held": 1, "unsafe": 2}
    assert report.drill_matrix().loc["2", "none"] == "UNSAFE: not flat"


def test_a_chapter_knows_when_a_result_was_published_anew(root):
    """The hash that the executed chapter carries changes with every result that it shows."""
    hashes = {operation_hash()}
    for name in ("agent/weeks/toy", "agent/soak", "bench/fast-tick", "closed_loop"):
        publish(name, {"rows": []})
        hashes.add(operation_hash())
    assert len(hashes) == 5


def test_latency_leaves_out_what_is_compared_with_another_library(root):
    """Only the agent's own ticks; those with a trace endpoint stand beside ticks without one."""
    row = {"bench": "fast-tick", "unit": "s", "max_abs_error": None}
    own = row | {"metric": "whole tick", "ours": 0.02, "peer": None, "peer_name": None, "ratio": None}
    traced = row | {"metric": "traced", "ours": 0.03, "peer": 0.02, "peer_name": "tracing off", "ratio": 0.67}
    other = row | {"metric": "scan", "ours": 1.0, "peer": 90.0, "peer_name": "statsmodels", "ratio": 90.0}
    publish("bench/fast-tick", {"rows": [own, traced]})
    publish("bench/slow-tick", {"rows": [other]})
    table = report.latency_table()
    assert table.index.tolist() == ["whole tick", "traced"]
    assert table["times as long"].tolist() == [report.NOTHING, "1.50"]
