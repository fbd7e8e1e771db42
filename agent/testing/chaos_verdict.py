"""What a chaos trial comes to: every signal against an agent that nobody killed, on the same bars."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from agent.decision.context import TickContext, open_policy
from agent.feed.market import LiveMarket, MarketData, Slice, Wanted
from agent.graphs.checkpoints import open_checkpoints
from agent.graphs.slow_tick import selection_due
from agent.graphs.ticks import Ticks
from agent.replay.replay import LOCAL_WEIGHT, VenueClock, standing_orders, unhurried
from agent.testing.chaos import Trial
from perpfut_lib.acquire.exchange import Exchange
from perpfut_lib.acquire.wires import BINANCE
from perpfut_lib.artifacts import AgentFolder, Reason, Run, Signal
from perpfut_lib.config import Profile
from perpfut_lib.types import DAY_MS
from perpfut_lib.venue.server import serve
from perpfut_lib.venue.settings import VenueConfig
from perpfut_lib.venue.tape import Tape

UNANSWERED: Final = frozenset({Reason.HELD, Reason.DATA_MISSING, Reason.DATA_STALE})
UNSELECTED: Final = frozenset({Reason.PAIRS_EXPIRED, Reason.PAIRS_UNREADABLE})
RESUMED: Final = "going on with a tick that was cut short"
SELECTED: Final = "active pairs"
SIGNALLED: Final = "signal"
"""What the log says when a tick goes on, when pairs are published, and when a signal is."""


@dataclass(frozen=True)
class Verdict:
    """The outcome in numbers; a sound agent has ``wrong`` empty."""

    signals: int
    bars: int
    """From the first signal to the last."""
    resumed: int
    """Ticks that went on from a checkpoint."""
    repeated: int
    """Signals beyond the first one of a bar."""
    lost: int
    """Bars without a signal."""
    lost_alive: int
    """Of these, bars before whose close a process had signalled that lived until their signal would have expired."""
    different: int
    """Signals that an undisturbed agent would have given otherwise."""
    failed: int
    """Signals of a tick that failed."""
    unanswered: int
    """Signals with a pair that had no data, since the exchange was dead."""
    unselected: int
    """Signals without pairs, since the selection was not there yet."""
    ended: int
    """Processes that ended by themselves."""
    disorder: int
    """Sequence numbers that do not rise."""

    @property
    def wrong(self) -> dict[str, int]:
        """Return what may never happen and did."""
        never = ("repeated", "lost_alive", "different", "failed", "ended", "disorder")
        return {name: getattr(self, name) for name in never if getattr(self, name)}


def judge(trial: Trial, scratch: Path) -> Verdict:
    """Return what a trial came to; ``scratch`` is where the undisturbed agent keeps its files."""
    lines = _signals(trial.folder)
    signals = list({signal.bar_close: signal for signal in lines}.values())
    settings = trial.plan.chosen().agent
    closes = range(signals[0].bar_close, signals[-1].bar_close + 1, settings.timeframe)
    lost = sorted(set(closes) - {signal.bar_close for signal in signals})
    wanted, signalled = undisturbed(trial, signals, scratch), _times(trial, SIGNALLED)
    return Verdict(
        signals=len(signals),
        bars=len(closes),
        resumed=sum(line["message"] == RESUMED for line in _log(trial.folder)),
        repeated=len(lines) - len(signals),
        lost=len(lost),
        lost_alive=sum(outlived(trial, signalled, bar, settings.expiry_bars * settings.timeframe) for bar in lost),
        different=sum(content(ours) != content(theirs) for ours, theirs in zip(signals, wanted, strict=True)),
        failed=sum(Reason.TICK_FAILED in signal.reasons for signal in signals),
        unanswered=sum(bool(unanswered(signal)) for signal in signals),
        unselected=sum(bool(UNSELECTED & set(signal.reasons)) for signal in signals),
        ended=sum(life.code != -9 for life in trial.lives[:-1]) + (trial.code != 0),
        disorder=sum(later.seq <= earlier.seq for earlier, later in pairwise(lines)),
    )


def content(signal: Signal) -> dict[str, Any]:
    """Return what a signal asks for, without what says when and by whom it was written."""
    return signal.model_dump(mode="json", include={"bar_close", "legs", "pairs", "reasons", "kill"})


def unanswered(signal: Signal) -> set[str]:
    """Return the symbols that gave no data: those of pairs that were not decided, but for those of pairs that were."""
    lacking = {report.pair for report in signal.pairs if UNANSWERED & set(report.reasons)}
    decided = {report.pair for report in signal.pairs} - lacking
    return {leg for pair in lacking for leg in pair.split("~")} - {leg for pair in decided for leg in pair.split("~")}


@dataclass(frozen=True)
class PartialMarket:
    """A market that does not answer for some symbols at some bars, as it did not in the trial."""

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


def undisturbed(trial: Trial, signals: Sequence[Signal], scratch: Path) -> list[Signal]:
    """Return what one process that nobody kills signals on the same bars, with the same data and the same selections.

    It sleeps through the bars that were lost, and gets no answer and no pairs where the trial's agent got none: the
    exchange was dead then, or the slow tick.
    """
    profile, folder = _patient(trial.plan.chosen()), AgentFolder(scratch)
    simulation = profile.data.simulation
    days = (trial.tape_start - Tape.simulated(simulation).start) // DAY_MS * DAY_MS
    tape = Tape.simulated(simulation).moved(days)
    settings = VenueConfig(clock="stepped", start=signals[0].bar_close, weight_limit=LOCAL_WEIGHT)
    selected = [line["valid_from"] for line in _log(trial.folder, "slow") if line["message"] == SELECTED]
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


def outlived(trial: Trial, signalled: Sequence[float], bar_close: int, expiry: int) -> bool:
    """Return whether a process that had signalled before a bar's close lived for ``expiry`` ms after it.

    One that has just started may be at work on an earlier bar, and one that is killed sooner may have been on this.

    Parameters
    ----------
    trial : Trial
        With the lives of its processes.
    signalled : sequence of float
        When signals were logged, seconds UTC of this machine.
    bar_close, expiry : int
        ms UTC, and ms.
    """
    pace = trial.pace
    return any(
        pace.at(life.ended) >= bar_close + expiry
        and any(life.started <= time <= life.ended and pace.at(time) < bar_close for time in signalled)
        for life in trial.lives
    )


def _times(trial: Trial, message: str) -> list[float]:
    """Return when a line was logged, seconds UTC of this machine, oldest first."""
    lines = _log(trial.folder)
    return sorted(datetime.fromisoformat(line["time"]).timestamp() for line in lines if line["message"] == message)


def _signals(folder: AgentFolder) -> list[Signal]:
    files = sorted(folder.decisions.parent.glob("signals*.jsonl"), key=lambda file: file.stat().st_mtime_ns)
    return [Signal.model_validate_json(line) for file in files for line in file.read_text().splitlines()]


def _log(folder: AgentFolder, kind: str = "fast") -> Iterable[dict[str, Any]]:
    for file in sorted(folder.log(kind).parent.glob(f"{kind}.jsonl*"), reverse=True):
        for line in file.read_text().splitlines():
            try:
                yield json.loads(line)
            except ValueError:  # a line that a kill cut short
                continue


def counted(trial: Trial) -> list[dict[str, Any]]:
    """Return the number of kills by victim and aim."""
    kinds = Counter((kill.victim, kill.aim) for kill in trial.kills)
    return [{"victim": victim, "aim": aim, "kills": number} for (victim, aim), number in sorted(kinds.items())]
