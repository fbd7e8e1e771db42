"""Benchmarks publish what they measured, whole, for the book."""

from perpfut_lib.artifacts import list_published, read_published
from perpfut_lib.bench.harness import BenchRow, keep
from perpfut_lib.report import NOTHING, speed_machines, speed_table


def test_kept_figures_come_back_in_the_table(tmp_path, monkeypatch):
    """A published row is a row of the table, with ratio, peer and machine; absent ones are dashes."""
    monkeypatch.setenv("PERPFUT_ROOT", str(tmp_path))
    full = BenchRow("toy", "work", "s", 0.5, 2.0, "peer", 4.0, 1e-12)
    keep("toy", [full, BenchRow("toy", "alone", "steps/s", 2_000_000.0, None, None, None, None)])
    assert list_published("bench") == ["bench/toy"]
    assert read_published("bench/toy")["rows"][0]["ratio"] == 4.0
    table = speed_table()
    assert table["ours"].tolist() == ["0.5 s", "2,000,000 steps/s"]
    assert table["peer"].tolist() == ["2 s (peer)", NOTHING]
    assert table["ratio"].tolist() == ["4", NOTHING]
    assert speed_machines()["cores"].iloc[0] >= 1
