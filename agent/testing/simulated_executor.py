"""The real executor as one process of the simulation: it dies between any two writes and comes up again."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Final, Protocol

from agent.clock import ReplayClock
from agent.executor.intent import Patience
from agent.executor.journal import Journal
from agent.executor.memory import Memory, MemoryFiles
from agent.executor.rules import Limits
from agent.executor.settings import Quote, TraderSettings
from agent.executor.snapshots import Reading
from agent.executor.state import Order
from agent.executor.stops import Stop, StopRules
from agent.executor.trader import Trader
from agent.executor.trail import Trail
from agent.testing.simulated_network import TICK_MS, Network
from perpfut_lib.artifacts import AgentFolder, Clocks, Tolerance
from perpfut_lib.errors import ArtifactError
from perpfut_lib.types import Json

LIMITS: Final = Limits(
    max_order_notional=Decimal(20_000),
    settle_ms=2_000,
    blind_ms=6_000,
    quiet_ms=10_000,
    confirm_ms=5_000,
    backoff_ms=8_000,
    pending_ms=8_000,
    imbalance_ms=6_000,
    cool_off_ms=8_000,
)
LONGEST_IMBALANCE_MS: Final = 12_000
PATIENCE: Final = Patience(hold_ms=4_000, tolerance=Tolerance(max_age=30_000))
STOPS: Final = StopRules(Decimal("0.1"), rest_ms=20_000)
REPORT_TICKS: Final = 5


class Crash(BaseException):
    """The process is gone; nothing in it may catch this."""


@dataclass
class Fuse:
    """Counts writes down to the one at which the process dies: before it, or right after."""

    left: int | None = None

    def around(self, write: Callable[[], None]) -> None:
        """Carry a write out, or die."""
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                raise Crash
        write()
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                raise Crash


@dataclass(frozen=True)
class FragileFiles(MemoryFiles):
    """The memory, written under a fuse."""

    fuse: Fuse

    def save(self, memory: Memory) -> None:
        """Replace the memory, or die."""
        self.fuse.around(lambda: super(FragileFiles, self).save(memory))


class FragileTrail(Trail):
    """The audit trail, written under a fuse."""

    fuse = Fuse()

    def note(self, kind: str, clocks: Clocks, body: Mapping[str, Json]) -> None:
        """Append an event, or die."""
        self.fuse.around(lambda: super(FragileTrail, self).note(kind, clocks, body))


class World(Protocol):
    """What the executor reaches of the world, through the network."""

    def reading(self, lag: int, lists: Mapping[str, int]) -> Reading:
        """Return the account as it was ``lag`` ticks ago, and its trades by symbol since these times."""
        ...

    def quotes(self) -> Mapping[str, Quote]:
        """Return what is quoted now."""
        ...

    def place(self, order: Order, order_id: str) -> None:
        """Send an order on its way."""
        ...

    def cancel(self, order_id: str) -> None:
        """Ask for the end of an order that rests."""
        ...

    def place_stop(self, stop: Stop) -> None:
        """Send a stop on its way."""
        ...

    def cancel_stop(self, stop: Stop) -> None:
        """Ask for the end of a stop."""
        ...


class SimulatedExecutor:
    """What the Hummingbot script does, on a virtual clock: seed, plan, send, listen, read, report.

    Parameters
    ----------
    folder : AgentFolder
        Shared with the agent.
    settings : TraderSettings
        What it is told.
    clock : ReplayClock
        Wall clock.
    network : Network
        Between it and the exchange.
    world : World
        The exchange.
    """

    def __init__(
        self,
        folder: AgentFolder,
        settings: TraderSettings,
        clock: ReplayClock,
        network: Network,
        world: World,
    ) -> None:
        self.folder = folder
        """Shared with the agent."""
        self._clock, self._network, self._world = clock, network, world
        self._settings = settings
        self.fuse = Fuse()
        self.trader: Trader | None = None
        """The process; none while it is down."""
        self.life = 0
        """Number of its start."""
        self.crashes = self.orders = self.stops = 0
        self._down = 0
        self._boot = 0
        self.start()

    def start(self) -> None:
        """Start the process; the monotonic clock begins anew, as after a reboot."""
        self.life += 1
        self._boot = self._clock.now - 1_000 * self.life
        files, trail = FragileFiles(self.folder.path, self.fuse), FragileTrail(self.folder.trail, 2**15)
        trail.fuse = self.fuse
        self.trader = Trader(self.folder, self._settings, self._clock, Journal(files, trail))
        self._seeding: tuple[int, Reading] | None = None
        self._asking = False
        self._started = self._clock.now

    def tick(self, down: int) -> None:
        """Live a second, or be down; a crash keeps it down for ``down`` ticks."""
        if self.trader is None:
            self._down -= 1
            if self._down <= 0:
                self.start()
            return
        self.protected(self._live, down)

    def protected(self, act: Callable[[Trader], None], down: int = 3) -> None:
        """Let the process do something; it may die of it."""
        if self.trader is None:
            return
        try:
            act(self.trader)
        except Crash:
            self.trader.close()
            self.trader, self.fuse.left = None, None
            self.crashes, self._down = self.crashes + 1, down

    def unknown(self, order_id: str) -> None:
        """Hear that the exchange does not know an order; one that may still be on its way has not ended."""

        def ended(trader: Trader) -> None:
            one = None if trader.state is None else trader.state.pending.get(order_id)
            if one is not None and self.now() - one.sent_at >= 2 * LIMITS.settle_ms:
                trader.end(order_id, self.now(), failed=False)

        self.protected(ended)

    def up_since(self) -> int | None:
        """Return since when it has known its positions, ms; none while it does not."""
        return self._started if self.trader is not None and self.trader.account is not None else None

    def memory(self) -> Memory:
        """Return what is on disk.

        Raises
        ------
        ArtifactError
            Nothing is.
        """
        memory, _ = MemoryFiles(self.folder.path).load(Clocks(self._clock.now, self.now()))
        if memory is None:
            raise ArtifactError("no memory", "one", "the executor was never seeded")
        return memory

    def close(self) -> None:
        """Close its files."""
        if self.trader is not None:
            self.trader.close()

    def now(self) -> int:
        """Return its monotonic clock, ms."""
        return self._clock.now - self._boot

    def _live(self, trader: Trader) -> None:
        if trader.account is None:
            self._seed(trader)
            return
        if trader.reading_due(self.now()) and not self._asking:
            self._ask(trader)
        for number, order in enumerate(trader.orders(self._world.quotes(), self.now())):
            order_id = f"{self.life}-{self._clock.now}-{number}"
            trader.sent(order, order_id, self.now())
            self.orders += 1
            self._world.place(order, order_id)
        assert trader.state is not None
        for order_id in trader.execution.overdue(trader.state, trader.intent, self.now(), LIMITS.settle_ms):
            self._world.cancel(order_id)
        self._protect(trader)
        if self._clock.now // TICK_MS % REPORT_TICKS == 0:
            trader.report()

    def _protect(self, trader: Trader) -> None:
        due = trader.protect(self._world.quotes(), self.now())
        self.stops += len(due.place)
        for stop in due.place:
            self._world.place_stop(stop)
        for stop in due.cancel:
            self._world.cancel_stop(stop)

    def _seed(self, trader: Trader) -> None:
        """Read twice, a settling time apart, and begin if both readings agree."""
        reading = self._world.reading(0, trader.unlisted())
        if self._seeding is None or self._seeding[1].positions != reading.positions:
            self._seeding = (self._clock.now, reading)
        elif self._clock.now - self._seeding[0] >= LIMITS.settle_ms:
            self._started = self._clock.now
            trader.seed(reading, self._world.quotes(), self.now())

    def _ask(self, trader: Trader) -> None:
        asked, life, lists = self.now(), self.life, trader.unlisted()

        def answered() -> None:
            if self.life == life and self._asking:
                self._asking = False
                self.protected(lambda one: one.read(self._world.reading(1, lists), asked))

        def failed() -> None:
            self._asking = self._asking and self.life != life

        self._asking = True
        if not self._network.post("reading", answered, 1):
            self._network.surely(failed, 1)


def settings_of(symbols: tuple[str, ...], stops: StopRules = STOPS, touch_ms: int = 0) -> TraderSettings:
    """Return the settings of a simulated executor; what rests first takes longer to be hedged."""
    limits = replace(LIMITS, imbalance_ms=LONGEST_IMBALANCE_MS) if touch_ms else LIMITS
    return TraderSettings(symbols, limits, PATIENCE, touch_ms=touch_ms, stops=stops)


@contextmanager
def scratch_space() -> Iterator[Path]:
    """Yield a folder for the time of the context, in memory where that can be had: each step is synced to it."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as scratch:
        yield Path(scratch)


def scratch_folder(path: Path) -> AgentFolder:
    """Return a sealed agent's folder."""
    path.mkdir(parents=True, exist_ok=True)
    return AgentFolder(path, b"simulation-key-0")
