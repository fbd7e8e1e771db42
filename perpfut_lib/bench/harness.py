"""Time two callables in turn on the same work, report medians as one JSON line, and publish them for the book."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from perpfut_lib.artifacts import git_commit, publish, read_json
from perpfut_lib.errors import ArtifactError

TOLERATED_LOSS: Final = 0.15  # medians of one machine differ by less from run to run

TABLE: Final = "{:<16} {:<44} {:>12} {:>12} {:>9} {:>10}"


@dataclass(frozen=True)
class BenchRow:
    """One measurement; ``ratio`` above 1 means ours is better, ``peer`` is null where there is none."""

    bench: str
    metric: str
    unit: str
    ours: float
    peer: float | None
    peer_name: str | None
    ratio: float | None
    max_abs_error: float | None

    def to_json(self) -> str:
        """Return the row as one line of JSON."""
        return json.dumps(asdict(self))

    def to_text(self) -> str:
        """Return the row for people: figures with their unit, a dash where there is no peer."""
        peer = "-" if self.peer is None else f"{self.peer:.4g} {self.unit}"
        ratio = "-" if self.ratio is None else f"{self.ratio:.3g}"
        error = "-" if self.max_abs_error is None else f"{self.max_abs_error:.1e}"
        return TABLE.format(self.bench, self.metric, f"{self.ours:.4g} {self.unit}", peer, ratio, error)


@dataclass(frozen=True)
class Contest:
    """Ours and a peer on the same work.

    ``ours`` and ``peer`` run once to warm up (compilation, caches), then ``repeats`` times in turn. ``error`` compares
    what they return. ``peer_share`` is the share of the work that the peer does, for peers too slow to do all of it:
    its time is divided by it.
    """

    bench: str
    metric: str
    ours: Callable[[], Any]
    peer: Callable[[], Any] | None = None
    peer_name: str | None = None
    error: Callable[[Any, Any], float] | None = None
    peer_share: float = 1.0
    repeats: int = 5

    def run(self) -> BenchRow:
        """Measure both and return median seconds, their ratio and the largest difference of the answers."""
        answer, reference = self.ours(), self.peer() if self.peer else None
        own_times, peer_times = [], []
        for _ in range(self.repeats):
            own_times.append(_seconds(self.ours))
            if self.peer:
                peer_times.append(_seconds(self.peer) / self.peer_share)
        own = statistics.median(own_times)
        other = statistics.median(peer_times) if peer_times else None
        difference = self.error(answer, reference) if self.error and self.peer else None
        ratio = other / own if other is not None else None
        return BenchRow(self.bench, self.metric, "s", own, other, self.peer_name, ratio, difference)


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def keep(name: str, rows: list[BenchRow]) -> None:
    """Publish the rows of one benchmark as ``bench/<name>``, with the machine and the code that made them."""
    machine = {"processor": _processor(), "cores": os.cpu_count(), "python": platform.python_version()}
    content = {"bench": name, "git_commit": git_commit(), "machine": machine}
    publish(f"bench/{name}", content | {"rows": [asdict(row) for row in rows]})


def published_ratios(path: Path) -> dict[str, float]:
    """Return the ratios to peers that ``--keep`` wrote to a file, by metric; ArtifactError where there is no file."""
    if not path.is_file():
        expected = "the figures of this benchmark, as perpfut bench --keep publishes them"
        raise ArtifactError(f"no {path}", expected, "name the folder that holds them, or publish them first")
    return {row["metric"]: row["ratio"] for row in read_json(path)["rows"] if row["ratio"] is not None}


def fallen(rows: list[BenchRow], published: Mapping[str, float]) -> list[str]:
    """Return what fell behind published ratios, one sentence each: those that lost more than 15 %, or are gone.

    Seconds of two machines cannot be compared; ratios of two programs on the same machine can.
    """
    now = {row.metric: row.ratio for row in rows}
    lines = []
    for metric, before in published.items():
        ratio = now.get(metric)
        if ratio is None:
            lines.append(f"{metric}: no ratio any more, {before:.3g} before")
        elif ratio < (1.0 - TOLERATED_LOSS) * before:
            lines.append(f"{metric}: {ratio:.3g}, {before:.3g} before")
    return lines


def _processor() -> str:
    """Return the processor's name, or its architecture where the system does not tell more."""
    described = Path("/proc/cpuinfo")
    lines = described.read_text().splitlines() if described.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
