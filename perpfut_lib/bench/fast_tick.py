"""The fast tick of five pairs: from data received to the signal on disk, a checkpoint after every node."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from perpfut_lib.bench import _traced_ticks
from perpfut_lib.bench._five_pairs import SETTINGS, five_pairs, seconds_of_ticks
from perpfut_lib.bench.harness import BenchRow


def run() -> Iterator[BenchRow]:
    """Yield median and 99th percentile, then what trace endpoints that are not well change."""
    with tempfile.TemporaryDirectory() as folder:
        world = five_pairs(Path(folder), SETTINGS)
        for what, seconds in seconds_of_ticks(world, Path(folder) / "agent").items():
            for name, share in (("median", 50), ("99th percentile", 99)):
                metric, ours = f"5 pairs, {what}, {name}", float(np.percentile(seconds, share))
                yield BenchRow("fast-tick", metric, "s", ours, None, None, None, None)
        yield from _traced_ticks.rows(Path(folder))
