"""A small world for the agent: a simulated market, the study's stages up to the environment, a random policy.

Trading windows of two hours make several of them, with several pairs each, fit into a short test.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from agent.clock import ReplayClock
from agent.decision.context import TickContext, TradingPolicy
from agent.feed.market import MarketData, PanelMarket
from agent.graphs.checkpoints import open_checkpoints
from agent.graphs.slow_tick import selection_due
from agent.graphs.ticks import Ticks
from agent.testing.small_market import MARKET
from perpfut_lib import pipeline
from perpfut_lib.artifacts import AgentFolder, Control, Run, write_json
from perpfut_lib.config import Profile, load_profile
from perpfut_lib.env import Episodes, load_episodes
from perpfut_lib.features import load_features
from perpfut_lib.policies import ExportedPolicy, PolicyCard, pack_weights
from perpfut_lib.store.panel import Panel
from perpfut_lib.store.stage import load_panel

SETTINGS = (
    *MARKET,
    "features.lookback=3",
    "agent.risk.min_notional=0",
    "agent.risk.max_pvalue=null",
    "agent.patience_ms=0",
)
FEE_BPS = 1.44


@dataclass(frozen=True)
class World:
    """Everything that was made once."""

    profile: Profile
    run: Run

    @cached_property
    def panel(self) -> Panel:
        """Return the market."""
        return load_panel(self.run)

    @cached_property
    def episodes(self) -> Episodes:
        """Return the test span's episodes."""
        return load_episodes(self.run).select("test")

    @property
    def card(self) -> Path:
        """Return the policy's card."""
        return self.run.path / "train" / "policies" / f"{self.profile.agent.policy}.json"

    @cached_property
    def policy(self) -> TradingPolicy:
        """Return the policy as the agent has it."""
        return TradingPolicy.load(self.card)

    @property
    def exported(self) -> ExportedPolicy:
        """Return the policy as the evaluation has it."""
        return self.policy.exported

    def windows(self) -> list[tuple[int, int]]:
        """Return the test span's trading windows, ms UTC."""
        days = self.episodes.pair_days
        return sorted(set(zip(days["start"].tolist(), days["end"].tolist(), strict=True)))


def simulated_world(folder: Path) -> World:
    """Return a world on the simulated market."""
    return world_of(load_profile("smoke", SETTINGS), folder)


def recorded_world(folder: Path, shared_data: Path) -> World:
    """Return a world on five days of recorded candles and funding rates."""
    market = shared_data / "market"
    files = (
        "data.source=files",
        f"data.files={market / 'binance_usdm_1m_2025-05-04_2025-06-24.parquet'}",
        f"data.funding={market / 'binance_usdm_funding_2024-05_2025-06.parquet'}",
        "data.symbols=[BTCUSDT,ETHUSDT,SOLUSDT,XRPUSDT]",
        "data.start=2025-05-06",
        "data.end=2025-05-11",
    )
    return world_of(load_profile("smoke", (*SETTINGS, *files)), folder)


def world_of(profile: Profile, folder: Path) -> World:
    """Run the stages and put a random policy where training would have put its own."""
    run = Run(folder / "smoke")
    pipeline.ensure("environment", profile, run)
    with run.commit("train", {"policy": "random"}) as stage:
        write_random_policy(stage.file(f"policies/{profile.agent.policy}.json"), run, seed=3)
    return World(profile, run)


def write_random_policy(card: Path, run: Run, seed: int, hidden: int = 16) -> None:
    """Export a network of random weights, lively enough to trade at every bar."""
    features, rng = load_features(run), np.random.default_rng(seed)
    size = features.lookback * len(features.names) + 3
    first = rng.normal(0, 0.3, (hidden, size)), rng.normal(0, 0.1, hidden)
    last = rng.normal(0, 0.5, (1, hidden)), np.zeros(1)
    content = pack_weights([(weight.astype(np.float32), bias.astype(np.float32)) for weight, bias in (first, last)])
    weights = card.with_suffix(".safetensors")
    weights.parent.mkdir(parents=True, exist_ok=True)
    weights.write_bytes(content)
    described = PolicyCard(
        algorithm="random",
        feature_names=features.names,
        lookback=features.lookback,
        feature_spec=features.spec.to_json(),
        scaler=features.scaler.to_json(),
        hidden=(hidden,),
        activation="tanh",
        squash=True,
        beta_legs=True,
        band=0.0,
        reach=1.0,
        weights_file=weights.name,
        weights_sha256=hashlib.sha256(content).hexdigest(),
        training={"fee_bps": FEE_BPS},
    )
    write_json(card, described.model_dump(mode="json"))


@dataclass
class Stage:
    """One agent on a market, driven bar by bar."""

    world: World
    folder: AgentFolder
    clock: ReplayClock
    market: MarketData
    profile: Profile
    policy: TradingPolicy | None
    grace: int = 1_500
    decided: dict[int, object] = field(default_factory=dict)
    """Signals by bar."""

    @classmethod
    def on_panel(cls, world: World, path: Path, *overrides: str) -> "Stage":
        """Return an agent on the panel itself, at the start of the test span, with the operator's blessing."""
        clock = ReplayClock(world.windows()[0][0])
        profile = load_profile("smoke", (*SETTINGS, *overrides)) if overrides else world.profile
        market = PanelMarket(world.panel, clock)
        stage = cls(world, AgentFolder(path), clock, market, profile, world.policy)
        stage.allow()
        return stage

    def allow(self, **orders) -> None:
        """Write the operator's file."""
        values = {"pause": False, "kill": False, "max_exposure": None, "allow": None, "deny": ()} | orders
        seq = values.pop("seq", 1)
        head = {"schema_version": 1, "kind": "control", "run_id": "operator", "created_at": self.clock.now}
        self.folder.write(Control(**head, seq=seq, **values))

    def context(self) -> TickContext:
        """Return a context that remembers nothing but what is on disk: what a new process would have."""
        since = int(self.world.panel.open_time[0])
        timeframe = self.world.panel.timeframe
        return TickContext(
            self.profile, self.folder, self.market, self.clock, timeframe, self.policy, "test", history_from=since
        )

    @contextmanager
    def started(self) -> Iterator[Ticks]:
        """Start the agent's process."""
        with open_checkpoints(self.folder.checkpoints()) as checkpoints:
            yield Ticks(self.context(), checkpoints)

    def bar(self, ticks: Ticks, bar_close: int) -> object:
        """Let one bar close and return the signal."""
        self.clock.now = bar_close + self.grace
        if selection_due(ticks.context, bar_close):
            ticks.slow_tick(bar_close)
        ticks.fast_tick(bar_close)
        self.decided[bar_close] = ticks.context.memory.signal
        return ticks.context.memory.signal

    def bars(self, start: int, end: int) -> None:
        """Run one process over the bars that close in [``start``, ``end``)."""
        with self.started() as ticks:
            for bar_close in range(start, end, self.world.panel.timeframe):
                self.bar(ticks, bar_close)

    def with_policy(self, policy: TradingPolicy | None) -> "Stage":
        """Return the same agent with another policy."""
        return replace(self, policy=policy)
