"""What a chaos trial comes to: every signal against an agent that nobody killed, on the same bars."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

from agent.testing.chaos import Trial
from agent.testing.undisturbed import UNSELECTED, Past, content, log_lines, unanswered, undisturbed
from perpfut_lib.artifacts import AgentFolder, Reason, Signal
from perpfut_lib.types import JsonObject

RESUMED: Final = "going on with a tick that was cut short"
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
    past, signalled = Past(trial.folder, trial.tape_start, signals), _times(trial, SIGNALLED)
    wanted = undisturbed(trial.plan.chosen(), past, scratch)
    return Verdict(
        signals=len(signals),
        bars=len(closes),
        resumed=sum(line["message"] == RESUMED for line in log_lines(trial.folder)),
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
    lines = log_lines(trial.folder)
    return sorted(datetime.fromisoformat(line["time"]).timestamp() for line in lines if line["message"] == message)


def _signals(folder: AgentFolder) -> list[Signal]:
    files = sorted(folder.decisions.parent.glob("signals*.jsonl"), key=lambda file: file.stat().st_mtime_ns)
    return [Signal.model_validate_json(line) for file in files for line in file.read_text().splitlines()]


def counted(trial: Trial) -> list[JsonObject]:
    """Return the number of kills by victim and aim."""
    kinds = Counter((kill.victim, kill.aim) for kill in trial.kills)
    return [{"victim": victim, "aim": aim, "kills": number} for (victim, aim), number in sorted(kinds.items())]
