"""Replay: the agent's own graphs over a span of the past, through ccxt and a local exchange whose clock it steps.

The exchange serves the panel of a research run over the real wire format and shows nothing that lies after its clock,
so whatever the agent decides, it decides on what it could have known.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from agent.decision.context import TickContext, TradingPolicy, open_policy
from agent.feed.market import LiveMarket
from agent.graphs.checkpoints import open_checkpoints
from agent.graphs.slow_tick import selection_due
from agent.graphs.ticks import Ticks
from perpfut_lib.acquire.exchange import Exchange
from perpfut_lib.acquire.wires import BINANCE
from perpfut_lib.artifacts import AgentFolder, Control, Run
from perpfut_lib.artifacts.contract import SCHEMA_VERSION
from perpfut_lib.cointegration import load_windows
from perpfut_lib.config import Profile, RiskConfig
from perpfut_lib.errors import MissingInputError
from perpfut_lib.progress import track
from perpfut_lib.store.panel import Panel
from perpfut_lib.store.stage import load_panel
from perpfut_lib.types import CANDLE_COLUMNS, FUNDING_COLUMNS
from perpfut_lib.venue.exchange import Exchange as LocalExchange
from perpfut_lib.venue.server import RunningExchange, serve
from perpfut_lib.venue.settings import VenueConfig
from perpfut_lib.venue.tape import Tape

BEYOND: Final = 1e12
"""A limit that nothing meets."""
LOCAL_WEIGHT: Final = 10_000_000
"""Request weight per minute of the replayed exchange, and requests of funding per five minutes: nobody shares it."""


@dataclass(frozen=True)
class VenueClock:
    """The clock of a local exchange; waiting moves it, so that patience costs no real time."""

    exchange: LocalExchange
    """Stepped."""

    def wall(self) -> int:
        """Return the exchange's time, ms UTC."""
        return self.exchange.clock.now()

    def monotonic(self) -> int:
        """Return the exchange's time: it never goes back."""
        return self.exchange.clock.now()

    def wait(self, milliseconds: int) -> bool:
        """Let the exchange's time pass."""
        self.exchange.clock.advance(max(0, milliseconds))
        return False

    def reach(self, time: int) -> None:
        """Move to ``time``, unless it has passed already."""
        self.exchange.clock.advance(max(0, time - self.wall()))


@dataclass(frozen=True)
class Stand:
    """Everything that a replay needs, set up."""

    context: TickContext
    clock: VenueClock
    venue: RunningExchange


def tape_of(panel: Panel) -> Tape:
    """Return a panel as what an exchange published: bars that were filled do not exist."""
    candles, funding = [], []
    for symbol in panel.symbols:
        column = panel.column(symbol)
        fields = [getattr(panel, name)[:, column] for name in ("open", "high", "low", "close", "volume")]
        real = np.isfinite(np.stack(fields)).all(axis=0) & ~panel.filled[:, column]
        rows = [np.full(real.sum(), symbol, object), panel.open_time[real], *(field[real] for field in fields)]
        candles.append(pd.DataFrame(dict(zip(CANDLE_COLUMNS, rows, strict=True))))
        if symbol in panel.funding:
            events = panel.funding[symbol]
            rows = [np.full(len(events.time), symbol, object), events.time, events.rate]
            funding.append(pd.DataFrame(dict(zip(FUNDING_COLUMNS, rows, strict=True))))
    none = pd.DataFrame({name: [] for name in FUNDING_COLUMNS})
    return Tape.recorded(pd.concat(candles, ignore_index=True), pd.concat([none, *funding], ignore_index=True))


@contextmanager
def replay_venue(panel: Panel, start: int) -> Iterator[RunningExchange]:
    """Serve a panel; the clock stands at ``start`` until somebody moves it."""
    settings = VenueConfig(clock="stepped", start=start, weight_limit=LOCAL_WEIGHT)
    with serve(settings, tape_of(panel)) as venue:
        # Limits count in real time, in which a replay passes hours of market within seconds.
        venue.exchange.funding_limiter.limit = LOCAL_WEIGHT
        yield venue


@contextmanager
def replay_stand(
    profile: Profile, panel: Panel, folder: AgentFolder, start: int, policy: TradingPolicy | None
) -> Iterator[Stand]:
    """Serve a panel from ``start`` on and yield a context that sees it through ccxt."""
    with replay_venue(panel, start) as venue:
        config = profile.agent.exchange.model_copy(update={"url": venue.url, "weight_per_minute": None})
        market = LiveMarket(Exchange(replace(BINANCE, weight_per_minute=LOCAL_WEIGHT), config), panel.timeframe)
        clock = VenueClock(venue.exchange)
        since = int(panel.open_time[0])
        context = TickContext(profile, folder, market, clock, panel.timeframe, policy, "replay", history_from=since)
        try:
            yield Stand(context, clock, venue)
        finally:
            market.close()


def replay(profile: Profile, run: Run, start: int, end: int, *, restarts: int = 0) -> AgentFolder:
    """Replay the agent over the bars that close in [``start``, ``end``) and return its folder.

    Parameters
    ----------
    profile : Profile
        Settings.
    run : Run
        A research run with its panel and its trained policies.
    start, end : int
        ms UTC; cut to whole bars.
    restarts : int
        How often, evenly spread, a new process takes over with nothing but what is on disk.

    Raises
    ------
    MissingInputError
        The span is not on the panel, or the policy is not there.
    """
    panel, policy = load_panel(run), open_policy(profile, run)
    if policy is None:
        raise MissingInputError(f"no policy {profile.agent.policy}", "one that was trained", "set agent.policy")
    first, last = int(panel.open_time[0]) + profile.cointegration.formation, int(panel.open_time[-1])
    if not first <= start < end <= last:
        found, expected = f"a span from {start} to {end}", f"one within {first} and {last} (ms UTC)"
        raise MissingInputError(found, expected, "choose --from and --to inside the data")
    profile = unhurried(profile if profile.agent.replay_limits else without_limits(profile))
    folder = replay_folder(run)
    shutil.rmtree(folder.path, ignore_errors=True)
    with folder.lock(), replay_stand(profile, panel, folder, start, policy) as stand:
        folder.write(standing_orders(start))
        bars = range(-(-start // panel.timeframe) * panel.timeframe, end, panel.timeframe)
        length = -(-len(bars) // (restarts + 1))
        for first_bar in range(0, len(bars), length):
            walk(replace(stand, context=stand.context.restarted()), bars[first_bar : first_bar + length])
    return folder


def without_limits(profile: Profile) -> Profile:
    """Return a profile whose risk limits nothing meets: the evaluation has none."""
    kept = ("max_held_bars", "max_performance_age")
    names = [name for name in RiskConfig.model_fields if name.startswith("max_") and name not in kept]
    never: dict[str, float | None] = dict.fromkeys(names, BEYOND)
    never |= {"max_drawdown": 1.0, "max_pvalue": None, "z_margin": None}
    never |= {"min_notional": 0.0, "min_liquidation_distance": -BEYOND}
    risk = profile.agent.risk.model_copy(update=never)
    return profile.model_copy(update={"agent": profile.agent.model_copy(update={"risk": risk})})


def unhurried(profile: Profile) -> Profile:
    """Return a profile whose requests may take as long as a busy machine needs: the replay's clock stands meanwhile."""
    exchange = profile.agent.exchange.model_copy(update={"timeout": 60.0})
    agent = profile.agent.model_copy(update={"exchange": exchange, "deadline_ms": 600_000})
    return profile.model_copy(update={"agent": agent})


def tested_span(run: Run) -> tuple[int, int]:
    """Return start and end of the test span's trading windows, ms UTC."""
    windows = load_windows(run)
    test = windows[windows["split"] == "test"]
    return int(test["start"].min()), int(test["end"].max())


def walk(stand: Stand, bar_closes: range) -> None:
    """Let one process of the agent see these bars close."""
    with open_checkpoints(stand.context.folder.checkpoints()) as checkpoints:
        ticks = Ticks(stand.context, checkpoints)
        for bar_close in track(bar_closes, label="replay", unit="bar"):
            stand.clock.reach(bar_close + stand.context.profile.agent.grace_ms)
            if selection_due(stand.context, bar_close):
                ticks.slow_tick(bar_close)
            ticks.fast_tick(bar_close)


def replay_folder(run: Run) -> AgentFolder:
    """Return where a replay of a run keeps its files."""
    return AgentFolder(run.path / "replayed")


def standing_orders(now: int) -> Control:
    """Return a control file that allows everything."""
    return Control(
        schema_version=SCHEMA_VERSION,
        kind="control",
        seq=1,
        run_id="replay",
        created_at=now,
        pause=False,
        kill=False,
        max_exposure=None,
        allow=None,
        deny=(),
    )
