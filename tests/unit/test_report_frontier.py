"""The cost frontier for readers: what is planted in published sums is what tables, sentences and figure say."""

import numpy as np
import pytest

from perpfut_lib import report
from perpfut_lib.frontier import Sums
from perpfut_lib.frontier.study import COLUMNS
from perpfut_lib.report import frontier


def period(start, edge_bps, noise_bps=0.2, bar=1, windows=26):
    """Return a published period whose rule earns ``edge_bps`` per side at the next open and half of it later."""
    rng, cells = np.random.default_rng(windows), []
    for memory in (120, None):
        for interval in (bar, 60):
            for delay in (0, 1):
                for entry, out in ((2.0, 0.5), (3.0, 1.0)):
                    traded = rng.uniform(5.0, 15.0, windows)
                    worth = edge_bps / (1 + delay) + rng.normal(0.0, noise_bps, windows)
                    sums = Sums.of(1e-4 * worth * traded, traded).values()
                    cells.append([memory, interval, delay, entry, out, 0, *sums, 0.0, 40.0 if memory else 400.0])
    named = {"start": start, "end": start, "bar": bar, "windows": windows, "window_days": 1.0, "pair_days": 99}
    rest = {"symbols": ["AAA", "BBB"], "simulated": False, "half_tick_bps": 0.3}
    return {**named, **rest, "columns": list(COLUMNS), "cells": cells}


@pytest.fixture
def publish(monkeypatch):
    def place(edge_bps, noise_bps=0.2):
        periods = {name: period(name, edge_bps, noise_bps, windows=26 + k) for k, name in enumerate(("2024", "2025"))}
        monkeypatch.setattr(frontier, "published_frontier", lambda: periods)

    return place


def test_a_planted_edge_is_said_with_what_it_excludes(publish):
    publish(2.0)
    said = report.frontier_findings()
    assert "all 53 recorded days" in said
    assert "2 of 2 break-even costs are above zero" in said
    assert "an edge that pays 1.44 or 4.50 bps is excluded" in said
    publish(6.0)
    assert "an edge that pays 4.50 bps is excluded" in report.frontier_findings()


def test_noise_is_not_called_an_edge(publish):
    publish(0.0, noise_bps=60.0)
    said = report.frontier_findings()
    assert "0 of 2 break-even costs are above zero" in said
    assert "no fee is excluded" in said


def test_the_table_has_one_row_per_memory_and_the_later_fill_beside_it(publish):
    publish(2.0)
    table = report.frontier_table()
    assert table.index.tolist() == [(1, "120 min"), (1, "formation")]
    assert table["days"].tolist() == [53, 53]
    assert [float(text.split()[0]) for text in table["one bar later (bps)"]] == pytest.approx([1.0, 1.0], abs=0.15)


def test_the_figure_is_drawn_with_units(publish):
    publish(2.0)
    left, right = report.plot_frontier().axes
    assert left.get_ylabel() == "break-even cost (bps per side)"
    assert "(minutes)" in left.get_xlabel() and "(minutes)" in right.get_xlabel()


def test_without_results_it_says_so(monkeypatch):
    monkeypatch.setattr(frontier, "published_frontier", dict)
    assert "No cost frontier is published yet" in report.frontier_findings()
