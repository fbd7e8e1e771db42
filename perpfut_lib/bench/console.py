"""The console on ten thousand signals: time to its answers, its memory, and the time from a fault to its message."""

import json
import logging
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from agent.console.limits import Limits
from agent.console.metrics import exposition
from agent.console.observer import Observer
from agent.console.server import Place, application, serving
from agent.console.tokens import Gatekeeper
from agent.demo import setup
from agent.operation.control import Orders, write_control
from agent.testing.alarm_drill import alarm_drill
from agent.testing.browser import Browser, executable
from perpfut_lib.artifacts import AgentFolder, write_json
from perpfut_lib.bench.harness import BenchRow, Contest

BENCH: Final = "console"
SIGNALS: Final = 10_000
PAIRS: Final = 5
MINUTE: Final = 60_000
VISITS: Final = 5
OLDER_PAGES: Final = 10
PAINTED: Final = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
ANSWERED: Final = (
    "new Promise(done => { const place = document.getElementById('answers'); const tell = () => place.children.length "
    "&& done(performance.now()); new MutationObserver(tell).observe(place, {childList: true}); tell(); })"
)
OLDER: Final = (
    "new Promise(done => { const place = document.getElementById('signals'); "
    "new MutationObserver(done).observe(place, {childList: true}); document.getElementById('older').click(); "
    "setTimeout(done, 2000); }).then(() => 0)"
)


def run() -> Iterator[BenchRow]:
    """Yield answer times, memory, what a browser shows when, live updates a second, and fault-to-message times."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, now = AgentFolder(Path(scratch) / "agent"), time.time_ns() // 1_000_000
        _write_agent(folder, now)
        _write_signals(folder, now)
        yield from _answers(folder, now)
        yield _memory(folder, now)
        yield _events(folder, now)
        yield from _in_browser(folder, now)
    yield from _alarms()


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


def _alarms() -> Iterator[BenchRow]:
    """Yield the time from each fault of a simulated closed loop to its message, seconds of the loop."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # the loop's warnings are of the faults
    try:
        for alarm in alarm_drill(*setup.prepared()):
            yield BenchRow(BENCH, f"{alarm.fault}: fault to message", "s", alarm.seconds, None, None, None, None)
    finally:
        logging.disable(disabled)


def _in_browser(folder: AgentFolder, now: int) -> Iterator[BenchRow]:
    """Yield what a person waits for, and what an open page keeps: nothing where this machine has no browser."""
    if executable() is None or find_spec("websocket") is None:
        return
    painted, answered, kept = list[float](), list[float](), 0.0
    browser = Browser()
    try:
        for _ in range(VISITS):
            with serving(application(_observer(folder, now), Gatekeeper(None)), Place(port=0)) as url:
                browser.open(f"{url}/#signals", 1200)
                answered.append(browser.ask(ANSWERED) / 1000)
                painted.append(browser.ask(PAINTED) / 1000)
                for _ in range(OLDER_PAGES):
                    browser.ask(OLDER)
                kept = max(kept, browser.ask("performance.memory.usedJSHeapSize / 2 ** 20"))
    finally:
        browser.close()
    for name, times in (("first paint", painted), ("first page answers", answered)):
        metric = f"{SIGNALS:,} signals, in a browser: {name}"
        yield BenchRow(BENCH, metric, "s", statistics.median(times), None, None, None, None)
    metric = f"{SIGNALS:,} signals, in a browser: kept by the page after {OLDER_PAGES} older ones"
    yield BenchRow(BENCH, metric, "MiB", kept, None, None, None, None)


def _events(folder: AgentFolder, now: int) -> BenchRow:
    """Return how many live updates a second can be made, each from a look of its own."""
    observer = _observer(folder, now)

    def update() -> None:
        observer.look(anew=True)
        json.dumps(observer.overview())

    seconds = Contest(BENCH, "an update", update, repeats=50).run().ours
    return BenchRow(BENCH, "live updates", "1/s", 1.0 / seconds, None, None, None, None)


def _observer(folder: AgentFolder, now: int) -> Observer:
    return Observer("bench", folder, Limits(disk_bytes=0), lambda: now + 1)


def _write_agent(folder: AgentFolder, now: int) -> None:
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
