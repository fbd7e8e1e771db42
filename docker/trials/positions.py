"""Measure what positions do when containers are disturbed: ``python docker/trials/positions.py [GROUP...]``.

Each group runs on a copy of the demonstration of its own, all groups beside each other, in real time: half an hour.
Needs root (it mounts a volume that can be full), a Docker engine with Compose 2, the images, and libfaketime for
the clocks. The group ``engine`` restarts the engine itself, so it runs alone and only when asked for.
"""

import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from disturbances import ALL, Disturbance
from engine import require_engine
from stack import Stack, started

from perpfut_lib.artifacts import git_commit, publish, read_published
from perpfut_lib.errors import ArtifactError, PerpfutError

NAME: Final = "containers_positions"
FAKETIME: Final = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
GROUPS: Final = ("agent", "executor", "network", "clock", "engine", "executor-clock")
PATIENCE_S: Final = 600
CALM_S: Final = 90
"""Positions are in line for so long before anything is disturbed: over a bar at least."""
BACK_S: Final = 3
EVERY_S: Final = 0.5


@dataclass(frozen=True)
class Outcome:
    """What one disturbance did; money in quote currency, times in seconds."""

    name: str
    lasted: float
    held_before: float
    """Gross notional of the positions before."""
    flat_after: float | None
    """From its begin to the first moment at which the exchange showed no position; none if there was none."""
    held_at_end: float
    """Gross notional when it ended."""
    most_held: float
    """Largest gross notional from its begin until all was in line again."""
    fills: int
    """While it lasted."""
    in_line_after: float | None
    """From its end until positions were what a fresh signal asked for; none if they were not within ten minutes."""
    reasons: list[str]
    """Reason codes of the signals from its begin until all was in line again."""
    revision: str
    """Commit of the agent's image, with a plus where the tree had changes."""


class Watch:
    """Samples a stack's positions from a thread of its own."""

    def __init__(self, stack: Stack) -> None:
        self._stack, self._stop = stack, threading.Event()
        self.samples: list[tuple[float, dict[str, float]]] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            self.samples.append((time.monotonic(), self._stack.positions()))


def gross(positions: dict[str, float]) -> float:
    """Return the gross notional."""
    return sum(map(abs, positions.values()))


def settled(stack: Stack, seconds: float) -> float | None:
    """Wait until positions have been in line for so many seconds; return when that began, none if never."""
    start, since = time.monotonic(), None
    while time.monotonic() - start < PATIENCE_S:
        now = time.monotonic()
        since = (since or now) if stack.in_line() else None
        if since is not None and now - since >= seconds:
            return since - start
        time.sleep(EVERY_S)
    return None


def measured(stack: Stack, what: Disturbance) -> Outcome:
    """Wait until all is well, disturb, wait, undo, and wait again."""
    if settled(stack, CALM_S) is None:
        raise PerpfutError(f"{stack.name} not in line", "positions as signalled", "look at its containers' logs")
    before, fills = gross(stack.positions()), stack.fills()
    with Watch(stack) as watch:
        begin, clock = time.monotonic(), time.time()
        what.begin(stack)
        time.sleep(max(0.0, what.lasts - (time.monotonic() - begin)))
        end, held, filled = time.monotonic(), gross(stack.positions()), stack.fills() - fills
        what.end(stack)
        back = settled(stack, BACK_S)
    return Outcome(
        name=what.name,
        lasted=round(end - begin, 1),
        held_before=round(before),
        flat_after=next((round(at - begin, 1) for at, seen in watch.samples if at <= end and not seen), None),
        held_at_end=round(held),
        most_held=round(max(gross(seen) for _, seen in watch.samples)),
        fills=filled,
        in_line_after=None if back is None else round(back, 1),
        reasons=stack.reasons(clock),
        revision=stack.revision(),
    )


def trial(group: str, scratch: Path) -> list[Outcome]:
    """Run the disturbances of a group one after the other on one stack."""
    outcomes = []
    with started(1 + GROUPS.index(group), scratch, FAKETIME if "clock" in group else None) as stack:
        for what in (each for each in ALL if each.group == group):
            try:
                outcomes.append(measured(stack, what))
            except PerpfutError as error:
                sys.stderr.write(f"{what.name}: {error}\n")
                break
            sys.stderr.write(f"{outcomes[-1]}\n")
    return outcomes


def main() -> None:
    """Run the groups that are named, or all but ``engine``, and publish what they did beside what is published."""
    groups = tuple(sys.argv[1:]) or tuple(each for each in GROUPS if each != "engine")
    require_engine(("perpfut/agent", "perpfut/hummingbot"))
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(len(groups)) as beside:
        found = list(beside.map(lambda group: trial(group, Path(scratch)), groups))
    rows: dict[str, Any] = {row["name"]: row for row in _published()}
    rows |= {outcome.name: asdict(outcome) for outcomes in found for outcome in outcomes}
    order = [each.name for each in ALL if each.name in rows]
    path = publish(NAME, {"git_commit": git_commit(), "rows": [rows[name] for name in order]})
    sys.stdout.write(f"{path}\n")


def _published() -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = read_published(NAME)["rows"]
    except ArtifactError:
        return []
    return rows


if __name__ == "__main__":
    main()
