"""The soak: many ticks of one process, and what they leave in memory and on disk."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.clock import ReplayClock
from agent.graphs.slow_tick import selection_due
from agent.graphs.ticks import Ticks

MIB: Final = 2**20
STATM: Final = Path("/proc/self/statm")


@dataclass(frozen=True)
class Sample:
    """The process after some ticks."""

    ticks: int
    """Fast ticks so far."""
    memory_mib: float
    """Resident memory of the process."""
    logs_mib: float
    """Logs on disk; they are rotated."""
    disk_mib: float
    """All other files of the agent on disk: documents, memory, history, checkpoints with their write-ahead logs."""


def soak(ticks: Ticks, clock: ReplayClock, bar_closes: Sequence[int], every: int) -> list[Sample]:
    """Run fast tick, governor and (where they are due) slow ticks over many bars, and sample the process.

    Parameters
    ----------
    ticks : Ticks
        The agent; its market must hold the bars.
    clock : ReplayClock
        The clock that the agent looks at.
    bar_closes : sequence of int
        Bars to see close, ms UTC.
    every : int
        Ticks between two samples.

    Returns
    -------
    list of Sample
        The first one after ``every`` ticks.
    """
    context, samples, tested = ticks.context, [], 0
    for number, bar_close in enumerate(bar_closes, start=1):
        clock.now = bar_close + context.profile.agent.grace_ms
        if selection_due(context, bar_close) or bar_close - tested >= context.profile.agent.retest:
            ticks.slow_tick(bar_close)
            tested = bar_close
        ticks.fast_tick(bar_close)
        ticks.govern(clock.now)
        if number % every == 0:
            samples.append(_sample(number, context.folder.path))
    return samples


def growth(samples: Sequence[Sample], field: str, skip: float = 0.2) -> float:
    """Return by how much a field of the last sample exceeds its largest value in the first ``skip`` of the soak."""
    values = [float(getattr(sample, field)) for sample in samples]
    return values[-1] - max(values[: max(1, int(skip * len(values)))])


def _sample(ticks: int, folder: Path) -> Sample:
    files = [file for file in folder.rglob("*") if file.is_file()]
    logs = _mib(file for file in files if file.parent.name == "logs")
    pages = int(STATM.read_text().split()[1])
    return Sample(ticks, pages * os.sysconf("SC_PAGE_SIZE") / MIB, logs, _mib(files) - logs)


def _mib(files: Iterable[Path]) -> float:
    return sum(file.stat().st_size for file in files) / MIB
