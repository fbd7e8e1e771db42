"""The console on ten thousand signals: time to its answers, its memory, and the time from a fault to its message."""

import json
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from agent.console.limits import Limits
from agent.console.messages import Message
from agent.console.metrics import exposition
from agent.console.observer import Observer
from agent.console.watch import EVERY_MS, Watchdog
from agent.operation.control import Orders, write_control
from perpfut_lib.artifacts import AgentFolder, write_json
from perpfut_lib.bench.harness import BenchRow, Contest

BENCH: Final = "console"
SIGNALS: Final = 10_000
PAIRS: Final = 5
MINUTE: Final = 60_000


class Inbox:
    """Takes every message and remembers the last one."""

    def __init__(self) -> None:
        self.title = ""

    def send(self, message: Message) -> bool:
        """Take it."""
        self.title = message.title
        return True


def run() -> Iterator[BenchRow]:
    """Yield answer times, memory, and the time of a look from a written fault to its sent message."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, now = AgentFolder(Path(scratch) / "agent"), time.time_ns() // 1_000_000
        _write_agent(folder, now)
        _write_signals(folder, now)
        yield from _answers(folder, now)
        yield _memory(folder, now)
        for name, inject in FAULTS.items():
            yield _alarm(folder, now, name, inject)


def _answers(folder: AgentFolder, now: int) -> Iterator[BenchRow]:
    observer = _observer(folder, now)
    work: dict[str, Callable[[], Any]] = {
        "first page of a console that has just started": lambda: _observer(folder, now).overview(),
        "first page of signals of a console that has just started": lambda: _observer(folder, now).signals(
            None, 100, ""
        ),
        "a look": lambda: observer.look(anew=True),
        "page of pairs": observer.pairs,
        "newest page of signals": lambda: observer.signals(None, 100, ""),
        "oldest page of signals": lambda: observer.signals(100, 100, ""),
        "metrics": lambda: exposition(observer),
    }
    for name, answer in work.items():
        yield Contest(BENCH, f"{SIGNALS:,} signals, {name}", answer).run()


def _memory(folder: AgentFolder, now: int) -> BenchRow:
    tracemalloc.start()
    observer = _observer(folder, now)
    observer.overview()
    observer.pairs()
    kept = tracemalloc.get_traced_memory()[0] / 2**20
    tracemalloc.stop()
    return BenchRow(BENCH, f"{SIGNALS:,} signals, kept in memory", "MiB", kept, None, None, None, None)


def _alarm(folder: AgentFolder, now: int, name: str, inject: Callable[[AgentFolder, int], object]) -> BenchRow:
    """Return the longest time from a fault to its message: the watchdog's period and one look."""
    _write_agent(folder, now)
    inbox = Inbox()
    watchdog = Watchdog(_observer(folder, now), inbox)
    watchdog.look(now)
    inbox.title = ""
    inject(folder, now)
    began = time.perf_counter()
    watchdog.look(now)
    took = time.perf_counter() - began
    if not inbox.title:
        raise AssertionError(f"{name} made no message")
    return BenchRow(BENCH, f"{name}: fault to message, at most", "s", EVERY_MS / 1000 + took, None, None, None, None)


FAULTS: Final[dict[str, Callable[[AgentFolder, int], object]]] = {
    "agent dead": lambda folder, now: write_json(folder.heartbeat, {"time": now - 100_000}),
    "pause": lambda folder, now: write_control(folder, Orders("pause")),
    "kill": lambda folder, now: write_control(folder, Orders("kill")),
    "control file torn": lambda folder, now: (folder.path / "control.json").write_text("{"),
    "signal forged": lambda folder, now: (folder.path / "signal.json").write_text("{}"),
}


def _observer(folder: AgentFolder, now: int) -> Observer:
    return Observer("bench", folder, Limits(disk_bytes=0), lambda: now + 1)


def _write_agent(folder: AgentFolder, now: int) -> None:
    (folder.path / "signal.json").unlink(missing_ok=True)
    write_json(folder.heartbeat, {"time": now, "bar_close": now // MINUTE * MINUTE, "doing": "waiting"})
    write_control(folder, Orders("run"))


def _write_signals(folder: AgentFolder, now: int) -> None:
    folder.decisions.parent.mkdir(parents=True, exist_ok=True)
    names = [f"Y{number}~X{number}" for number in range(PAIRS)]
    reports = [{"pair": name, "action": 0.5, "status": "active", "reasons": []} for name in names]
    legs = [
        {"pair": name, "symbol": symbol, "weight": 0.05, "price": 100.0} for name in names for symbol in name.split("~")
    ]
    with folder.decisions.open("w") as stream:
        for seq in range(1, SIGNALS + 1):
            close = (now // MINUTE - SIGNALS + seq) * MINUTE
            head = {"seq": seq, "bar_close": close, "created_at": close + 900, "kill": False, "reasons": []}
            stream.write(json.dumps(head | {"pairs": reports, "legs": legs}) + "\n")
