"""Deterministic simulation: agent's signals, real executor and local exchange on a virtual clock, under seeded faults.

One schedule is one seed: losses, repeats, delays and reordering of every message, torn and replayed files, refused and
partial orders, late data, shocks of the market, kills by the operator, and crashes between any two of its writes.
Checked in every tick and at the end is :class:`~agent.testing.invariants.Watch`; a seed that breaks it replays exactly.
"""

import hashlib
import logging
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Self

import numpy as np

from agent.clock import ReplayClock
from agent.testing.invariants import BARE_MS, BOUND_MS, Watch
from agent.testing.schedule_results import Outcome, Result, summed
from agent.testing.simulated_agent import SYMBOLS, SimulatedAgent
from agent.testing.simulated_executor import SimulatedExecutor, scratch_folder, scratch_space, settings_of
from agent.testing.simulated_network import TICK_MS, Network, NetworkFaults
from agent.testing.simulated_venue import SimulatedVenue
from perpfut_lib.config import SimulationConfig
from perpfut_lib.venue.tape import Tape

CALM_TICKS: Final = 120
"""Longest time to come to rest when all faults are over."""
RESTED_TICKS: Final = 20
"""Time for which nothing may happen any more: the quiet time, a reading's way, and the doubt that it may raise."""
TOUCH_MS: Final = 2_000
TOUCH_SHARE: Final = 0.3
"""Share of schedules in which orders rest at the touch first."""
OPERATOR_TICKS: Final = 5
"""Time between two looks of an operator who orders to go on with what the exchange has closed."""


@dataclass
class Schedule:
    """Everything that takes part in one schedule, on one virtual clock."""

    rng: np.random.Generator
    clock: ReplayClock
    network: Network
    agent: SimulatedAgent
    executor: SimulatedExecutor
    watch: Watch

    @classmethod
    def opened(cls, rng: np.random.Generator, path: Path, venue: SimulatedVenue, outcome: Outcome) -> Self:
        """Put them together around an exchange, with a folder below ``path``."""
        folder, clock, network = scratch_folder(path / "agent"), ReplayClock(venue.now), Network(rng, now=venue.now)
        agent = SimulatedAgent(folder, clock, network, venue, rng)
        touch_ms = TOUCH_MS if rng.uniform() < TOUCH_SHARE else 0
        executor = SimulatedExecutor(folder, settings_of(SYMBOLS, touch_ms=touch_ms), clock, network, venue)
        venue.connect(network, executor)
        watch = Watch(agent, executor, venue, outcome)
        venue.listeners.append(watch.order)
        return cls(rng, clock, network, agent, executor, watch)

    def phase(self) -> None:
        """Choose what goes wrong, and let some seconds pass."""
        rng, network = self.rng, self.network
        network.faults = NetworkFaults(float(rng.uniform(0, 0.3)), float(rng.uniform(0, 0.3)), int(rng.integers(0, 3)))
        self.agent.begin_phase()
        self.watch.venue.begin_phase()
        if rng.uniform() < 0.6:
            self.executor.fuse.left = int(rng.integers(1, 60))
        for _ in range(int(rng.integers(15, 45))):
            self._tick()

    def rest(self) -> None:
        """Let nothing go wrong any more, come to rest, and compare what must agree then."""
        self.network.faults, self.executor.fuse.left = NetworkFaults(), None
        self.watch.venue.calm()
        self.agent.calm()
        resting = 0
        for number in range(CALM_TICKS):
            self._tick()
            state = self.executor.trader.state if self.executor.trader is not None else None
            if state is not None and state.left and number % OPERATOR_TICKS == 0:
                self.agent.allow()
            resting = resting + 1 if self.watch.resting() else 0
            if number >= RESTED_TICKS and resting >= RESTED_TICKS:
                break
        self.watch.rest()

    def _tick(self) -> None:
        self.clock.now += TICK_MS
        self.watch.venue.advance()
        self.network.advance()
        self.agent.tick()
        self.executor.tick(down=int(self.rng.integers(1, 8)))
        self.watch.outcome.ticks += 1
        self.watch.tick()


def simulate(seed: int) -> Outcome:
    """Run one schedule."""
    with scratch_space() as scratch:
        return _run(seed, scratch)


def _run(seed: int, path: Path) -> Outcome:
    rng, outcome = np.random.default_rng(seed), Outcome(seed)
    schedule = Schedule.opened(rng, path, SimulatedVenue.opened(market(), rng), outcome)
    for _ in range(int(rng.integers(2, 5))):
        schedule.phase()
    schedule.rest()
    executor = schedule.executor
    outcome.orders, outcome.stops, outcome.crashes = executor.orders, executor.stops, executor.crashes
    outcome.shocks, outcome.digest = dict(schedule.watch.venue.shocks), _digest(executor.folder.trail)
    executor.close()
    return outcome


@lru_cache(maxsize=1)
def market() -> Tape:
    """Return the market of every schedule."""
    return Tape.simulated(SimulationConfig(days=5, symbols=len(SYMBOLS), planted_pairs=2))


def _digest(folder: Path) -> str:
    content = b"".join(path.read_bytes() for path in sorted(folder.glob("*.jsonl")))
    return hashlib.sha256(content).hexdigest()[:16]


def simulate_many(first: int, count: int, jobs: int = 1) -> Result:
    """Run ``count`` schedules from seed ``first``, in ``jobs`` processes; equal arguments give equal results."""
    seeds = range(first, first + count)
    if jobs == 1:
        outcomes = [quietly(seed) for seed in seeds]
    else:
        with ProcessPoolExecutor(jobs) as pool:
            outcomes = list(pool.map(quietly, seeds, chunksize=8))
    return summed(outcomes, (BOUND_MS, BARE_MS))


def quietly(seed: int) -> Outcome:
    """Run one schedule without the executor's warnings."""
    with quiet():
        return simulate(seed)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the executor's warnings back, of which there are thousands."""
    room = logging.getLogger("agent.executor")
    before = room.level
    room.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        room.setLevel(before)
