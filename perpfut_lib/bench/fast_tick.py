"""The fast tick of five pairs: from data received to the signal on disk, a checkpoint after every node."""

import hashlib
import itertools
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from agent.checkpoint import open_checkpoints
from agent.clock import ReplayClock
from agent.desk import Brain, Desk
from agent.market import PanelMarket, Slice, Wanted
from agent.replay import standing_orders
from agent.ticks import Ticks
from perpfut_lib import pipeline
from perpfut_lib.artifacts import AgentFolder, Run, write_json
from perpfut_lib.bench.harness import BenchRow
from perpfut_lib.config import load_profile
from perpfut_lib.env import load_episodes
from perpfut_lib.features import load_features
from perpfut_lib.policies import PolicyCard, pack_weights
from perpfut_lib.store.stage import load_panel

TICKS: Final = 300
WARM: Final = 20
SETTINGS: Final = (
    "data.simulation.symbols=6",
    "data.simulation.days=5",
    "cointegration.formation=12h",
    "cointegration.trading=6h",
    "cointegration.min_correlation=-1",
    "cointegration.max_pvalue=1.0",
    "cointegration.top=5",
    "agent.risk.min_notional=0",
)


class Stopwatch(PanelMarket):
    """A market that notes when it answered."""

    answered = 0.0

    def fetch(self, wanted: Mapping[str, Wanted], until: int, deadline: float | None = None) -> dict[str, Slice]:
        """Answer, and note the time."""
        slices = super().fetch(wanted, until, deadline)
        self.answered = time.perf_counter()
        return slices


def run() -> Iterator[BenchRow]:
    """Yield median and 99th percentile in seconds; there is no peer."""
    with tempfile.TemporaryDirectory() as folder:
        run_ = Run(Path(folder) / "bench")
        profile = load_profile("smoke", SETTINGS)
        pipeline.ensure("environment", profile, run_)
        brain, panel = _brain(Path(folder), run_), load_panel(run_)
        start = int(load_episodes(run_).select("test").pair_days["start"].min())
        clock = ReplayClock(start)
        market = Stopwatch(panel, clock)
        desk = Desk(profile, AgentFolder(Path(folder) / "agent"), market, clock, panel.timeframe, brain)
        desk.folder.write(standing_orders(start))
        seconds = _measure(desk, market, clock, start)
    for name, share in (("median", 50), ("99th percentile", 99)):
        metric = f"5 pairs, data received to signal on disk, {name}"
        yield BenchRow("fast-tick", metric, "s", float(np.percentile(seconds, share)), None, None, None, None)


def _measure(desk: Desk, market: Stopwatch, clock: ReplayClock, start: int) -> list[float]:
    seconds = []
    with open_checkpoints(desk.folder.checkpoints()) as checkpoints:
        ticks = Ticks(desk, checkpoints)
        ticks.slow_tick(start)
        for number in range(TICKS):
            bar_close = start + number * desk.timeframe
            clock.now = bar_close + desk.profile.agent.grace_ms
            ticks.fast_tick(bar_close)
            seconds.append(time.perf_counter() - market.answered)
    return seconds[WARM:]


def _brain(folder: Path, run_: Run) -> Brain:
    """Return a policy of the usual size with random weights: what it decides does not matter here."""
    features, rng = load_features(run_), np.random.default_rng(1)
    sizes = (features.lookback * len(features.names) + 3, 64, 64, 1)
    layers = [
        (rng.normal(0, 0.2, (rows, columns)).astype(np.float32), np.zeros(rows, np.float32))
        for columns, rows in itertools.pairwise(sizes)
    ]
    content = pack_weights(layers)
    (folder / "policy.safetensors").write_bytes(content)
    card = PolicyCard(
        algorithm="random",
        feature_names=features.names,
        lookback=features.lookback,
        feature_spec=features.spec.to_json(),
        scaler=features.scaler.to_json(),
        hidden=(64, 64),
        activation="tanh",
        squash=True,
        beta_legs=True,
        band=0.0,
        reach=1.0,
        weights_file="policy.safetensors",
        weights_sha256=hashlib.sha256(content).hexdigest(),
        training={"fee_bps": 4.5},
    )
    write_json(folder / "policy.json", card.model_dump(mode="json"))
    return Brain.load(folder / "policy.json")
