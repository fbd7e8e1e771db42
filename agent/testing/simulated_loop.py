"""The closed loop in one process on a virtual clock: the agent's graphs, the real executor and the local exchange.

An hour of it takes seconds, so that whoever watches the loop can be tried on it: the console and its messages.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from agent.clock import Clock, ReplayClock
from agent.decision.context import TickContext, load_policy
from agent.executor.intent import Patience
from agent.feed.market import PanelMarket, Slice, Wanted
from agent.graphs.checkpoints import open_checkpoints
from agent.graphs.slow_tick import selection_due
from agent.graphs.ticks import Ticks
from agent.operation.control import Orders, write_control
from agent.operation.run import BEAT_MS
from agent.replay.replay import tape_of
from agent.testing.simulated_executor import SimulatedExecutor, scratch_folder, settings_of
from agent.testing.simulated_market import SteppedExchange
from agent.testing.simulated_network import TICK_MS, Network
from agent.testing.simulated_venue import SimulatedVenue
from perpfut_lib.artifacts import AgentFolder, PerfSnapshot, Run, write_json
from perpfut_lib.config import Profile
from perpfut_lib.errors import ExchangeError
from perpfut_lib.store.panel import Panel
from perpfut_lib.store.stage import load_panel
from perpfut_lib.venue.matching import Matching
from perpfut_lib.venue.settings import VenueConfig

SEEDING_S: Final = 60
"""Longest time in which the executor finds out what it holds, seconds."""


class StoppableMarket(PanelMarket):
    """Candles that can stop coming, while the exchange goes on telling the time."""

    def __init__(self, panel: Panel, clock: Clock) -> None:
        super().__init__(panel, clock)
        self.stopped: int | None = None
        """From when on there are no candles, ms UTC; none: they come."""

    def fetch(self, wanted: Mapping[str, Wanted], until: int, deadline: float | None = None) -> dict[str, Slice]:
        """Return what the panel holds, up to where candles stopped."""
        return super().fetch(wanted, until if self.stopped is None else min(until, self.stopped), deadline)


@dataclass
class SimulatedLoop:
    """The loop, a second at a time."""

    ticks: Ticks
    """The agent's graphs, with their context."""
    market: StoppableMarket
    """What the agent sees."""
    clock: ReplayClock
    """The time of everything."""
    venue: SimulatedVenue
    """The exchange."""
    executor: SimulatedExecutor
    """The executor's core."""
    network: Network
    """Between the two."""
    agent_up: bool = True
    """Whether the agent ticks; a process that died does not."""
    executor_up: bool = True
    """Whether the executor acts and reports."""
    watchers: list[Callable[[int], object]] = field(default_factory=list)
    """Called with the time after every second."""

    @property
    def folder(self) -> AgentFolder:
        """Return the folder that agent and executor share."""
        return self.ticks.context.folder

    def run(self, seconds: int) -> None:
        """Let time pass."""
        for _ in range(seconds):
            self.second()

    def seed(self) -> None:
        """Let the executor find out what it holds; then the agent ticks.

        Raises
        ------
        ExchangeError
            It does not find out.
        """
        self.run(SEEDING_S)
        if not self.folder.document(PerfSnapshot).exists():
            raise ExchangeError("an executor that reports nothing", "what it holds", "look at its log")
        self.agent_up = True

    def bars(self, count: int) -> None:
        """Let so many bars pass, and half of the next one: orders are filled by then."""
        timeframe = self.ticks.context.timeframe
        end = (self.clock.now // timeframe + count) * timeframe + timeframe // 2
        self.run((end - self.clock.now) // TICK_MS)

    def second(self) -> None:
        """Let one second pass."""
        self.clock.now += TICK_MS
        self.venue.advance()
        self.network.advance()
        if self.agent_up:
            self._agent()
        if self.executor_up:
            self.executor.tick(down=3)
        for watch in self.watchers:
            watch(self.clock.now)

    def _agent(self) -> None:
        """Do what the scheduler does in this second."""
        context, now = self.ticks.context, self.clock.now
        bar_close = now // context.timeframe * context.timeframe
        if now // TICK_MS % (BEAT_MS // TICK_MS) == 0:
            write_json(context.folder.heartbeat, {"time": now, "bar_close": bar_close, "doing": "waiting"})
        if bar_close > context.memory.bar_close and now >= bar_close + context.profile.agent.grace_ms:
            if selection_due(context, bar_close):
                self.ticks.slow_tick(bar_close)
            self.ticks.fast_tick(bar_close)
            self.ticks.govern(now)


@contextmanager
def simulated_loop(profile: Profile, run: Run, path: Path, start: int, seed: int = 0) -> Iterator[SimulatedLoop]:
    """Yield a loop whose executor knows what it holds, a minute before the bar that closes at ``start``.

    Parameters
    ----------
    profile : Profile
        Settings; the agent waits for no late bar.
    run : Run
        With its panel and the agent's policy.
    path : Path
        The agent's folder.
    start : int
        First decision, ms UTC.
    seed : int
        Of the network, which loses nothing.

    Raises
    ------
    ExchangeError
        The executor does not find out what it holds.
    """
    panel, rng = load_panel(run), np.random.default_rng(seed)
    profile = profile.changed({"agent.patience_ms": 0}, name=profile.name)
    clock = ReplayClock(start - 2 * SEEDING_S * TICK_MS)
    folder, network = scratch_folder(path), Network(rng, now=clock.now)
    write_control(folder, Orders("run", by="operator"), clock.now)
    policy = load_policy(profile, run)
    venue = _venue(profile, panel, clock.now, policy.fee_bps, rng)
    executor = _executor(folder, panel.symbols, clock, network, venue)
    market = StoppableMarket(panel, clock)
    since = int(panel.open_time[0])
    context = TickContext(profile, folder, market, clock, panel.timeframe, policy, "simulation", history_from=since)
    with open_checkpoints(folder.checkpoints()) as checkpoints:
        loop = SimulatedLoop(Ticks(context, checkpoints), market, clock, venue, executor, network, agent_up=False)
        loop.seed()
        try:
            yield loop
        finally:
            executor.close()


def _executor(
    folder: AgentFolder, symbols: tuple[str, ...], clock: ReplayClock, network: Network, venue: SimulatedVenue
) -> SimulatedExecutor:
    """Return the exchange's customer, as patient as a real one."""
    settings = replace(settings_of(symbols), patience=Patience())
    executor = SimulatedExecutor(folder, settings, clock, network, venue)
    venue.connect(network, executor)
    return executor


def _venue(profile: Profile, panel: Panel, now: int, fee_bps: float, rng: np.random.Generator) -> SimulatedVenue:
    settings = VenueConfig(clock="stepped", start=now, balance=profile.agent.capital, taker_fee_bps=fee_bps)
    return SimulatedVenue(Matching(SteppedExchange.open(settings, tape_of(panel))), rng)
