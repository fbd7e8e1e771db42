"""Fast ticks in processes that trace to endpoints that are not well: how long a tick takes, and how long the exit.

Between two ticks, traced or not, lies a short pause: it stands for the minute between two bars, in which traces go out.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from agent.observation.logs import start_logging
from agent.observation.tracing import tracing
from perpfut_lib.bench._five_pairs import SETTINGS, five_pairs, seconds_of_ticks
from perpfut_lib.bench._trace_endpoints import ENDPOINTS, Receiver, receiving
from perpfut_lib.bench.harness import BenchRow
from perpfut_lib.errors import ArtifactError

OFF: Final = "tracing off"
WELL: Final = "well"
ROUNDS: Final = 3
TICKS: Final = 140
"""Ticks of one process."""
PAUSE: Final = 0.04
"""Seconds between two ticks."""
SWITCHES: Final = ("LANGSMITH_TRACING", "LANGSMITH_ENDPOINT", "LANGSMITH_API_KEY")


def rows(world: Path) -> Iterator[BenchRow]:
    """Yield the 99th percentile of whole ticks for every endpoint beside that without tracing, and the time to leave.

    All of them take turns, one process each, several times; medians over these rounds are told.

    Parameters
    ----------
    world : Path
        Folder in which the benchmark has made its market.

    Raises
    ------
    ArtifactError
        An endpoint that is well did not get the trace of every tick.
    """
    rounds = [_round(world) for _ in range(ROUNDS)]
    ticks = {name: statistics.median(found[name][0] for found in rounds) for name in rounds[0]}
    for name in (WELL, *ENDPOINTS):
        metric = f"5 pairs, whole tick, {1000 * PAUSE:.0f} ms apart, 99th percentile, trace endpoint: {name}"
        yield BenchRow("fast-tick", metric, "s", ticks[name], ticks[OFF], OFF, ticks[OFF] / ticks[name], None)
    for name in (WELL, *ENDPOINTS):
        leaving = statistics.median(found[name][1] for found in rounds)
        yield BenchRow("fast-tick", f"exit after the last tick, trace endpoint: {name}", "s", leaving, *[None] * 4)


def _round(world: Path) -> dict[str, tuple[float, float]]:
    """Return the 99th percentile of whole ticks and the time to leave of one process for every endpoint, seconds."""
    found = {OFF: _ticks_and_exit(world, None)}
    with receiving() as well:
        found[WELL] = _ticks_and_exit(world, well.url)
        _require_all(well)
    for name, endpoint in ENDPOINTS.items():
        with endpoint() as url:
            found[name] = _ticks_and_exit(world, url)
    return {name: (float(np.percentile(seconds, 99)), leaving) for name, (seconds, leaving) in found.items()}


def _require_all(receiver: Receiver) -> None:
    """Raise unless a receiver got one root per graph: those of the ticks, and that of the selection before them."""
    expected, found = TICKS + 1, sum("outputs" in root for root in receiver.roots())
    if found != expected:
        raise ArtifactError(f"traces of {found} graphs", f"of {expected}", "see agent.traces for what may be lost")


def _ticks_and_exit(world: Path, url: str | None) -> tuple[list[float], float]:
    """Return the seconds of every tick of a process that traces to ``url``, and those from its last one to its end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LANGSMITH", "LANGCHAIN"))}
    if url is not None:
        environment |= dict(zip(SWITCHES, ("true", url, "lsv2_none"), strict=True))
    code = f"from {__name__} import tick; tick()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(world)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    output, _ = process.communicate()
    left = time.monotonic()
    told = json.loads(output.splitlines()[-1])
    return told["seconds"], left - told["done"]


def tick() -> None:
    """Tick as the agent's process does, write the seconds of every tick as JSON, and leave."""
    from agent.operation.run import leave

    world = five_pairs(Path(sys.argv[1]), SETTINGS)
    redactor = start_logging(None, console=False)
    with tempfile.TemporaryDirectory() as folder, tracing(redactor):
        seconds = seconds_of_ticks(world, Path(folder), PAUSE, TICKS)["whole tick"]
        sys.stdout.write(json.dumps({"done": time.monotonic(), "seconds": seconds}) + "\n")
        sys.stdout.flush()
    leave()
