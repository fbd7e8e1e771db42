"""A market on which five pairs are always traded, and fast ticks on it with a stopwatch."""

import hashlib
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from agent.clock import ReplayClock
from agent.decision.context import TickContext, TradingPolicy
from agent.feed.market import PanelMarket, Slice, Wanted
from agent.graphs.checkpoints import open_checkpoints
from agent.graphs.ticks import Ticks
from agent.replay.replay import standing_orders
from perpfut_lib import pipeline
from perpfut_lib.artifacts import AgentFolder, Run, Signal, write_json
from perpfut_lib.artifacts.contract import Document
from perpfut_lib.config import Profile, load_profile
from perpfut_lib.env import load_episodes
from perpfut_lib.features import load_features
from perpfut_lib.policies import PolicyCard, pack_weights
from perpfut_lib.store.panel import Panel
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


@dataclass(frozen=True)
class TimedFolder(AgentFolder):
    """A folder that notes when a document is on disk."""

    written: dict[type[Document], float] = field(default_factory=dict)
    """When each kind was written last, seconds."""

    def write(self, document: Document) -> None:
        """Write, and note the time."""
        super().write(document)
        self.written[type(document)] = time.perf_counter()


class Stopwatch(PanelMarket):
    """A market that notes when it answered."""

    answered = 0.0

    def fetch(self, wanted: Mapping[str, Wanted], until: int, deadline: float | None = None) -> dict[str, Slice]:
        """Answer, and note the time."""
        slices = super().fetch(wanted, until, deadline)
        self.answered = time.perf_counter()
        return slices


@dataclass(frozen=True)
class FivePairs:
    """A market on which five pairs are always traded, and a policy for them."""

    profile: Profile
    panel: Panel
    policy: TradingPolicy
    start: int
    """Start of the first trading window, ms UTC."""


def five_pairs(folder: Path, settings: Sequence[str]) -> FivePairs:
    """Simulate the market, run the stages up to the environment in ``folder``, and make up a policy."""
    run_ = Run(folder / "bench")
    profile = load_profile("smoke", settings)
    pipeline.ensure("environment", profile, run_)
    start = int(load_episodes(run_).pair_days["start"].min())
    return FivePairs(profile, load_panel(run_), _policy(folder, run_), start)


def seconds_of_ticks(world: FivePairs, folder: Path, pause: float = 0.0, count: int = TICKS) -> dict[str, list[float]]:
    """Return seconds from the answer of the market to the signal on disk, and those of whole ticks.

    Parameters
    ----------
    world : FivePairs
        Market and policy.
    folder : Path
        Where the agent works.
    pause : float
        Seconds between two ticks, not measured.
    count : int
        Ticks; the first ``WARM`` are not told.
    """
    clock, timed = ReplayClock(world.start), TimedFolder(folder)
    market = Stopwatch(world.panel, clock)
    context = TickContext(world.profile, timed, market, clock, world.panel.timeframe, world.policy)
    timed.write(standing_orders(world.start))
    latency, whole, start = [], [], clock.now
    with open_checkpoints(context.folder.checkpoints()) as checkpoints:
        ticks = Ticks(context, checkpoints)
        ticks.slow_tick(start)
        for number in range(count):
            bar_close = start + number * context.timeframe
            clock.now = bar_close + context.profile.agent.grace_ms
            if number == WARM:
                ticks.settle()
            time.sleep(pause)
            began = time.perf_counter()
            ticks.fast_tick(bar_close)
            whole.append(time.perf_counter() - began)
            latency.append(timed.written[Signal] - market.answered)
    return {"data received to signal on disk": latency[WARM:], "whole tick": whole[WARM:]}


def _policy(folder: Path, run_: Run) -> TradingPolicy:
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
    return TradingPolicy.load(folder / "policy.json")
