"""Ten thousand ticks of five pairs in one process: memory and disk must stay within bounds."""

import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Final

from agent.clock import ReplayClock
from agent.decision.context import TickContext
from agent.feed.market import PanelMarket
from agent.graphs.checkpoints import open_checkpoints
from agent.graphs.ticks import Ticks
from agent.replay.replay import standing_orders
from agent.testing.soak import Sample, growth, soak
from perpfut_lib.artifacts import AgentFolder, git_commit, publish
from perpfut_lib.bench._five_pairs import SETTINGS, five_pairs
from perpfut_lib.bench.harness import BenchRow

TICKS: Final = 10_000
EVERY: Final = 100
BENCH: Final = "soak"


def run() -> Iterator[BenchRow]:
    """Yield largest values and growth over the last four fifths; the curve is published as ``agent/soak``."""
    with tempfile.TemporaryDirectory() as folder:
        world = five_pairs(Path(folder), (*SETTINGS, "data.simulation.days=9"))
        clock, agent_folder = ReplayClock(world.start), AgentFolder(Path(folder) / "agent")
        market = PanelMarket(world.panel, clock)
        context = TickContext(world.profile, agent_folder, market, clock, world.panel.timeframe, world.policy)
        agent_folder.write(standing_orders(world.start))
        bars = range(world.start, world.start + TICKS * context.timeframe, context.timeframe)
        with open_checkpoints(agent_folder.checkpoints()) as checkpoints:
            samples = soak(Ticks(context, checkpoints), clock, bars, EVERY)
    publish("agent/soak", {"git_commit": git_commit(), "samples": [asdict(sample) for sample in samples]})
    for field, text in (
        ("memory_mib", "resident memory"),
        ("disk_mib", "files but logs"),
        ("logs_mib", "logs, rotated"),
    ):
        yield _row(f"{TICKS:,} ticks, {text}, largest", max(_values(samples, field)))
        yield _row(f"{TICKS:,} ticks, {text}, growth after the first fifth", growth(samples, field))


def _values(samples: list[Sample], field: str) -> list[float]:
    return [float(getattr(sample, field)) for sample in samples]


def _row(metric: str, value: float) -> BenchRow:
    return BenchRow(BENCH, metric, "MiB", value, None, None, None, None)
