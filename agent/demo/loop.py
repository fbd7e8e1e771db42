"""The closed loop itself: everything at once, on the exchange's accelerated clock."""

import logging
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from agent.decision.context import TickContext, TradingPolicy, open_policy
from agent.demo import console
from agent.demo.comparison import Episode, Execution, Funding
from agent.feed.market import LiveMarket
from agent.graphs.checkpoints import open_checkpoints
from agent.graphs.ticks import Ticks
from agent.hummingbot.engine import Engine, store_keys
from agent.hummingbot.world import write_pace
from agent.observation.logs import start_logging
from agent.operation.run import Scheduler
from agent.operation.session import Session
from agent.replay.replay import LOCAL_WEIGHT, replay, tape_of
from agent.replay.report import load_signals
from perpfut_lib.acquire.exchange import Exchange
from perpfut_lib.acquire.wires import BINANCE
from perpfut_lib.artifacts import AgentFolder, Control, GovernorOrder, PerfSnapshot, Run
from perpfut_lib.artifacts.contract import SCHEMA_VERSION
from perpfut_lib.config import Profile
from perpfut_lib.errors import ExchangeError, MissingInputError
from perpfut_lib.store.panel import Panel
from perpfut_lib.store.stage import load_panel
from perpfut_lib.venue.exchange import Exchange as LocalExchange
from perpfut_lib.venue.server import RunningExchange, serve
from perpfut_lib.venue.settings import VenueConfig
from perpfut_lib.venue.view import quote

log = logging.getLogger(__name__)

ACCOUNT: Final = "binance"
CONNECTOR: Final = "binance_perpetual"
STARTING_S: Final = 240.0
"""Longest wait for Hummingbot's first report, seconds of real time: without one the first bar would be closed flat."""
EXECUTOR: Final = {"settle": 1.0, "quiet": 20.0, "pending": 10.0, "imbalance": 8.0, "report": 1.0, "stop": 60.0}
"""Settings of the script, seconds of real time."""


@dataclass(frozen=True)
class DemoClock:
    """The agent's clock: that of the local exchange, which runs ``speed`` times as fast as this machine's."""

    exchange: LocalExchange
    speed: float
    stop: threading.Event = field(default_factory=threading.Event)
    """Set it to interrupt every wait."""

    def wall(self) -> int:
        """Return the exchange's time, ms UTC."""
        return self.exchange.clock.now()

    def monotonic(self) -> int:
        """Return the exchange's time: it never goes back."""
        return self.exchange.clock.now()

    def wait(self, milliseconds: int) -> bool:
        """Let so much of the exchange's time pass."""
        return self.stop.wait(max(0, milliseconds) / 1000 / self.speed)


class SlowThread:
    """The slow tick beside the fast one, as the scheduler drives it: in a thread, since time is not this machine's.

    Parameters
    ----------
    ticks : Ticks
        With a context and checkpoints of its own.
    """

    def __init__(self, ticks: Ticks) -> None:
        self._ticks = ticks
        self._thread: threading.Thread | None = None

    def start(self, bar_close: int) -> None:
        """Start one, unless one is still at work."""
        if not self.busy():
            self._thread = threading.Thread(target=self._ticks.slow_tick, args=(bar_close,), name="slow tick")
            self._thread.start()

    def busy(self) -> bool:
        """Return whether one is at work."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self) -> None:
        """Wait for its end."""
        if self._thread is not None:
            self._thread.join()


@dataclass(frozen=True)
class Recording:
    """What the closed loop left."""

    episode: Episode
    panel: Panel
    report: PerfSnapshot
    """The executor's last one."""
    governor: GovernorOrder
    """The governor's last one."""
    wallet: tuple[float, float]
    """At the exchange, before and after; flat both times."""
    orders: int
    """Accepted by the exchange."""
    seconds: float
    """Real time from the first bar to the end."""

    def open_price(self, symbol: str, opened: int) -> float:
        """Return the open of a bar."""
        row = (opened - int(self.panel.open_time[0])) // self.panel.timeframe
        return float(self.panel.open[row, self.panel.column(symbol)])


def closed_loop(
    profile: Profile, run: Run, start: int, bars: int, speed: float, announce: console.Announce
) -> Recording:
    """Run agent, governor and Hummingbot over so many bars, then the replay of the same bars.

    Parameters
    ----------
    profile : Profile
        Settings.
    run : Run
        A run with its panel and the agent's policy.
    start : int
        First decision: the start of a trading window, ms UTC.
    bars : int
        Number of decisions.
    speed : float
        Seconds of the exchange per second.
    announce : callable
        Gets the address of the console and the token for its orders.
    """
    panel, policy = load_panel(run), _policy(profile, run)
    end = start + bars * panel.timeframe
    replayed = load_signals(replay(_unwatched(profile), run, start, end))  # compiles what the fast tick calls, too
    folder = AgentFolder(run.path / "demo")
    exchange = serve(_venue(profile, policy, start), tape_of(panel))
    with exchange as venue, _hummingbot(venue, folder, run, panel.symbols) as engine:
        wallet = float(venue.matching.account(ACCOUNT).wallet)
        began = time.monotonic()
        _drive(profile, folder, venue, policy, (end, speed), announce)
        if engine.stop() != 0:
            raise ExchangeError("Hummingbot that did not stop in order", "exit code 0", f"read {engine.root / 'logs'}")
        seconds, account = time.monotonic() - began, venue.matching.account(ACCOUNT)
        signals = [signal for signal in load_signals(folder) if start <= signal.bar_close < end]
        fee, slippage = policy.fee_bps, profile.costs.slippage_bps
        episode = Episode(signals, replayed, _fills(venue), _funding(venue), wallet, end, fee, slippage)
    report, governor, wallets = folder.read(PerfSnapshot), folder.read(GovernorOrder), (wallet, float(account.wallet))
    return Recording(episode, panel, report, governor, wallets, len(account.orders), seconds)


def _policy(profile: Profile, run: Run) -> TradingPolicy:
    policy = open_policy(profile, run)
    if policy is None:
        raise MissingInputError(f"no policy {profile.agent.policy}", "an exported one", "export it first")
    return policy


def _venue(profile: Profile, policy: TradingPolicy, start: int) -> VenueConfig:
    """Return an exchange whose clock stands at the start; its fee is the one that the policy was made for."""
    return VenueConfig(
        clock="stepped",
        start=start,
        weight_limit=LOCAL_WEIGHT,
        taker_fee_bps=policy.fee_bps,
        balance=profile.agent.capital,
        orders_per_ten_seconds=3_000,
    )


def _unwatched(profile: Profile) -> Profile:
    """Return the settings of the replay: nobody executes there, so nobody reports."""
    risk = profile.agent.risk.model_copy(update={"require_performance": False})
    return profile.model_copy(update={"agent": profile.agent.model_copy(update={"risk": risk})})


@contextmanager
def _hummingbot(venue: RunningExchange, folder: AgentFolder, run: Run, symbols: tuple[str, ...]) -> Iterator[Engine]:
    """Yield an engine that has reported what it holds; the exchange's clock still stands."""
    shutil.rmtree(folder.path, ignore_errors=True)
    folder.path.mkdir(parents=True)
    root = run.path / "hummingbot"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    now, pace = venue.exchange.clock.now(), folder.path / "pace.json"
    write_pace(pace, now, 0.0)
    control = {"pause": False, "kill": False, "max_exposure": None, "allow": None, "deny": ()}
    head = {"schema_version": SCHEMA_VERSION, "kind": "control", "seq": 1, "run_id": "demo", "created_at": now}
    folder.write(Control.model_validate({**head, **control}))
    store_keys(root, CONNECTOR, venue.url)
    engine = Engine(root, venue.url)
    engine.configure(
        connector=CONNECTOR, folder=str(folder.path), symbols=list(symbols), clock_file=str(pace), **EXECUTOR
    )
    engine.start()
    try:
        patience = time.monotonic() + STARTING_S
        while not folder.document(PerfSnapshot).exists():  # written once it knows positions and has quotes
            if not engine.running() or time.monotonic() > patience:
                raise ExchangeError("Hummingbot that does not start", "one that does", f"read {root / 'logs'}")
            time.sleep(0.2)
        yield engine
    finally:
        engine.kill()


def _drive(
    profile: Profile,
    folder: AgentFolder,
    venue: RunningExchange,
    policy: TradingPolicy,
    until: tuple[int, float],
    announce: console.Announce,
) -> None:
    """Let time run and the agent with it, until its last bar has passed."""
    (end, speed), exchange = until, venue.exchange
    clock = DemoClock(exchange, speed)
    start_logging(folder.log(), console=False)
    with ExitStack() as stack:
        stack.enter_context(console.console(profile, folder, clock, announce))
        opened = [stack.enter_context(_context(profile, folder, venue, policy, clock)) for _ in range(2)]
        fast, slow = (
            Ticks(context, stack.enter_context(open_checkpoints(folder.checkpoints(kind))))
            for context, kind in zip(opened, ("fast", "slow"), strict=True)
        )
        beside = SlowThread(slow)
        market = fast.context.market
        assert isinstance(market, LiveMarket)
        scheduler = Scheduler(Session(fast, clock, market), beside, None)  # type: ignore[arg-type]
        exchange.clock.run(speed)
        write_pace(folder.path / "pace.json", exchange.clock.now(), speed)
        timer = threading.Timer((end - clock.wall()) / 1000 / speed, clock.stop.set)
        timer.start()
        try:
            scheduler.run()
        finally:
            timer.cancel()
            beside.stop()


@contextmanager
def _context(
    profile: Profile, folder: AgentFolder, venue: RunningExchange, policy: TradingPolicy, clock: DemoClock
) -> Iterator[TickContext]:
    config = profile.agent.exchange.model_copy(update={"url": venue.url, "weight_per_minute": None})
    market = LiveMarket(Exchange(replace(BINANCE, weight_per_minute=LOCAL_WEIGHT), config), profile.agent.timeframe)
    since = venue.exchange.tape.start
    try:
        yield TickContext(profile, folder, market, clock, profile.agent.timeframe, policy, "demo", history_from=since)
    finally:
        market.close()


def _fills(venue: RunningExchange) -> list[Execution]:
    """Return all fills with the middle of the book at their time."""
    rows = []
    for fill in venue.matching.account(ACCOUNT).fills:
        request, tape = fill.order.request, venue.exchange.tape
        book = quote(tape.series[request.symbol], tape.timeframe, fill.time)
        if book is None:
            raise ExchangeError(f"a fill at {fill.time} without a book", "one within the tape", "look at the clock")
        quantity = float(request.sign * fill.quantity)
        middle = (book.bid + book.ask) / 2
        rows.append(Execution(fill.time, request.symbol, quantity, float(fill.price), middle, float(fill.fee)))
    return rows


def _funding(venue: RunningExchange) -> list[Funding]:
    rows = venue.matching.account(ACCOUNT).income
    return [
        Funding(row.time, row.symbol, float(row.amount), float(row.size)) for row in rows if row.kind == "FUNDING_FEE"
    ]
