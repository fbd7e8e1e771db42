"""What one process that nobody kills signals on the bars that an agent has signalled on, with the same data."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from agent.decision.context import TickContext, open_policy
from agent.feed.market import LiveMarket, MarketData, Slice, Wanted
from agent.graphs.checkpoints import open_checkpoints
from agent.graphs.slow_tick import selection_due
from agent.graphs.ticks import Ticks
from agent.replay.replay import LOCAL_WEIGHT, VenueClock, standing_orders, unhurried
from perpfut_lib.acquire.exchange import Exchange
from perpfut_lib.acquire.wires import BINANCE
from perpfut_lib.artifacts import AgentFolder, Reason, Run, Signal
from perpfut_lib.config import Profile
from perpfut_lib.types import DAY_MS, JsonObject
from perpfut_lib.venue.server import serve
from perpfut_lib.venue.settings import VenueConfig
from perpfut_lib.venue.tape import Tape

UNANSWERED: Final = frozenset({Reason.HELD, Reason.DATA_MISSING, Reason.DATA_STALE})
UNSELECTED: Final = frozenset({Reason.PAIRS_EXPIRED, Reason.PAIRS_UNREADABLE})
SELECTED: Final = "active pairs"
"""What the log says when pairs are published."""


@dataclass(frozen=True)
class Past:
    """What an agent left on a local exchange."""

    folder: AgentFolder
    """Its logs tell when pairs were selected."""
    tape_start: int
    """First bar of the exchange's market, ms UTC."""
    signals: Sequence[Signal]
    """One per bar, oldest first."""


def content(signal: Signal) -> JsonObject:
    """Return what a signal asks for, without what says when and by whom it was written."""
    return signal.model_dump(mode="json", include={"bar_close", "legs", "pairs", "reasons", "kill"})


def unanswered(signal: Signal) -> set[str]:
    """Return the symbols that gave no data: those of pairs that were not decided, but for those of pairs that were."""
    lacking = {report.pair for report in signal.pairs if UNANSWERED & set(report.reasons)}
    decided = {report.pair for report in signal.pairs} - lacking
    return {leg for pair in lacking for leg in pair.split("~")} - {leg for pair in decided for leg in pair.split("~")}


@dataclass(frozen=True)
class PartialMarket:
    """A market that does not answer for some symbols at some bars, as it did not then."""

    market: MarketData
    silent: Mapping[int, set[str]]
    """Symbols by bar."""

    def now(self) -> int:
        """Return the exchange's time."""
        return self.market.now()

    def symbols(self) -> tuple[str, ...]:
        """Return the listed symbols."""
        return self.market.symbols()

    def fetch(self, wanted: Mapping[str, Wanted], until: int, deadline: float | None = None) -> dict[str, Slice]:
        """Return what the market answers, without the silent symbols."""
        silent = self.silent.get(until, set())
        asked = {name: want for name, want in wanted.items() if name not in silent}
        return self.market.fetch(asked, until, deadline) if asked else {}


def undisturbed(profile: Profile, past: Past, scratch: Path) -> list[Signal]:
    """Return what one process that nobody kills signals on the same bars, with the same data and the same selections.

    It sleeps through the bars that were lost, and gets no answer and no pairs where that agent got none: the
    exchange was dead then, or the slow tick.
    """
    profile, folder, signals = _patient(profile), AgentFolder(scratch), past.signals
    simulation = profile.data.simulation
    days = (past.tape_start - Tape.simulated(simulation).start) // DAY_MS * DAY_MS
    tape = Tape.simulated(simulation).moved(days)
    settings = VenueConfig(clock="stepped", start=signals[0].bar_close, weight_limit=LOCAL_WEIGHT)
    selected = [line["valid_from"] for line in log_lines(past.folder, "slow") if line["message"] == SELECTED]
    answers = []
    with serve(settings, tape) as venue, open_checkpoints(folder.checkpoints()) as checkpoints:
        venue.exchange.funding_limiter.limit = LOCAL_WEIGHT
        config = profile.agent.exchange.model_copy(update={"url": venue.url, "weight_per_minute": None})
        market = LiveMarket(Exchange(replace(BINANCE, weight_per_minute=LOCAL_WEIGHT), config), profile.agent.timeframe)
        clock, policy = VenueClock(venue.exchange), open_policy(profile, Run.named(profile.name))
        silent = {signal.bar_close: unanswered(signal) for signal in signals}
        partial = PartialMarket(market, silent)
        ticks = Ticks(TickContext(profile, folder, partial, clock, profile.agent.timeframe, policy), checkpoints)
        folder.write(standing_orders(signals[0].bar_close))
        try:
            for signal in signals:
                clock.reach(signal.bar_close + profile.agent.grace_ms)
                answers.append(_answer(ticks, market, selected, signal))
        finally:
            market.close()
    return answers


def _answer(ticks: Ticks, market: MarketData, selected: Sequence[int], given: Signal) -> Signal:
    """Return the undisturbed signal of the bar of ``given``; pairs are selected as of the bar at which they were."""
    if selection_due(ticks.context, given.bar_close) and not UNSELECTED & set(given.reasons):
        partial, ticks.context.market = ticks.context.market, market  # the slow tick asked at another time
        ticks.slow_tick(max(bar for bar in selected if bar <= given.bar_close))
        ticks.context.market = partial
    ticks.fast_tick(given.bar_close)
    signal = ticks.context.memory.signal
    assert signal is not None
    return signal


def _patient(profile: Profile) -> Profile:
    """Return a profile that waits for no bar: on a stepped clock what is not there does not come."""
    profile = unhurried(profile)
    return profile.model_copy(update={"agent": profile.agent.model_copy(update={"patience_ms": 0})})


def log_lines(folder: AgentFolder, kind: str = "fast") -> Iterable[JsonObject]:
    """Yield the lines of the agent's log, oldest first."""
    for file in sorted(folder.log(kind).parent.glob(f"{kind}.jsonl*"), reverse=True):
        for line in file.read_text().splitlines():
            try:
                yield json.loads(line)
            except ValueError:  # a line that a kill cut short
                continue
