"""Benchmarks publish what they measured, whole, for the book."""

import pytest

from perpfut_lib.artifacts import list_published, read_published
from perpfut_lib.bench.harness import BenchRow, fallen, keep, published_ratios
from perpfut_lib.errors import ArtifactError
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


def _rows(**ratios):
    return [BenchRow("toy", metric, "s", 1.0, ratio, "peer", ratio, None) for metric, ratio in ratios.items()]


def test_ratios_that_fell_are_named(tmp_path, monkeypatch):
    """More than 15 % below what was published, or gone, is named; less, more, new, or without a peer is not."""
    monkeypatch.setenv("PERPFUT_ROOT", str(tmp_path))
    alone = BenchRow("toy", "alone", "s", 1.0, None, None, None, None)
    keep("toy", [*_rows(steady=2.0, rose=2.0, noisy=2.0, fell=2.0, gone=2.0), alone])
    before = published_ratios(tmp_path / "artifacts" / "published" / "bench" / "toy.json")
    now = [*_rows(steady=2.0, rose=3.0, noisy=1.71, fell=1.69, new=1.0), alone]
    assert fallen(now, before) == ["fell: 1.69, 2 before", "gone: no ratio any more, 2 before"]


def test_figures_that_were_never_published_are_not_compared(tmp_path):
    """Naming the wrong folder fails before anything is measured."""
    with pytest.raises(ArtifactError, match=r"no .*toy\.json"):
        published_ratios(tmp_path / "toy.json")
