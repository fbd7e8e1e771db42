"""From a fault to the message about it: every fault injected into a running closed loop, and the watchdog's answer."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from agent.clock import ReplayClock
from agent.console.limits import Limits
from agent.console.messages import Message
from agent.console.observer import Observer
from agent.console.watch import EVERY_MS, Watchdog
from agent.operation.control import Orders, write_control
from agent.testing.simulated_executor import scratch_space
from agent.testing.simulated_loop import SimulatedLoop, simulated_loop
from agent.testing.simulated_venue import NAME
from perpfut_lib.artifacts import Control, Run, Signal
from perpfut_lib.config import Profile
from perpfut_lib.types import JsonObject
from perpfut_lib.venue.accounts import Request
from perpfut_lib.venue.faults import Reject

WARM_UP_BARS: Final = 3
"""Bars before a fault: positions are held by then."""
PATIENCE_S: Final = 600
"""Longest wait for a message, seconds of the loop."""
AHEAD_MS: Final = 3_600_000


@dataclass
class Scene:
    """A running loop and who watches it."""

    loop: SimulatedLoop
    observer: Observer
    inbox: list[tuple[int, Message]] = field(default_factory=list)
    """Messages with the time at which they were taken, ms UTC."""

    def send(self, message: Message) -> bool:
        """Take a message."""
        self.inbox.append((self.loop.clock.now, message))
        return True


@dataclass(frozen=True)
class Drill:
    """One fault: how it is made, and what it must be called."""

    inject: Callable[[Scene], object]
    code: str
    """Name of the console's fault."""


@dataclass(frozen=True)
class Alarm:
    """What a drill measured."""

    fault: str
    """What was injected."""
    code: str
    """What the console calls it."""
    severity: str
    seconds: float
    """From the fault to the message, seconds of the loop's time."""
    message: Message
    """What people were told."""


def _stop_agent(scene: Scene) -> None:
    scene.loop.agent_up = False


def _stop_executor(scene: Scene) -> None:
    scene.loop.executor_up = False


def _stop_candles(scene: Scene) -> None:
    scene.loop.market.stopped = scene.loop.clock.now


def _order(order: str) -> Callable[[Scene], object]:
    return lambda scene: write_control(scene.loop.folder, Orders(order), scene.loop.clock.now)


def _tear_control(scene: Scene) -> None:
    path = scene.loop.folder.document(Control)
    path.write_bytes(path.read_bytes()[:40])


def _forge_signal(scene: Scene) -> None:
    path = scene.loop.folder.document(Signal)
    path.write_bytes(path.read_bytes().replace(b'"kill": false', b'"kill": true'))


def _refuse_orders(scene: Scene) -> None:
    for symbol in scene.loop.venue.matching.exchange.tape.series:
        scene.loop.venue.matching.exchange.add_fault(Reject(symbol=symbol, reason="busy", count=50))
    _order("kill")(scene)  # so that there is something to refuse


def _lose(scene: Scene) -> None:
    books = scene.loop.executor.trader
    assert books is not None and books.account is not None
    loss = -0.15 * books.account.equity
    books.account = replace(books.account, books=books.account.books.corrected(-loss, 1.0))


def _trade_by_hand(scene: Scene) -> None:
    symbol = next(iter(scene.loop.venue.matching.exchange.tape.series))
    scene.loop.venue.matching.place(NAME, Request(symbol, "BUY", Decimal(20_000), client_id="by-hand"))


def _fill_disk(scene: Scene) -> None:
    scene.observer.limits = replace(scene.observer.limits, disk_bytes=2**60)


def _set_clock(scene: Scene) -> None:
    context = scene.loop.ticks.context
    context.clock = ReplayClock(scene.loop.clock.now + AHEAD_MS)


DRILLS: Final[Mapping[str, Drill]] = {
    "agent dead": Drill(_stop_agent, "agent_dead"),
    "executor dead": Drill(_stop_executor, "executor_silent"),
    "candles stop": Drill(_stop_candles, "flat_data_stale"),
    "kill ordered": Drill(_order("kill"), "killed"),
    "pause ordered": Drill(_order("pause"), "paused"),
    "control file torn": Drill(_tear_control, "control_unreadable"),
    "signal forged": Drill(_forge_signal, "unusable_signal"),
    "orders refused in a row": Drill(_refuse_orders, "rejects"),
    "15 % lost": Drill(_lose, "drawdown"),
    "traded by hand": Drill(_trade_by_hand, "ledger_differs"),
    "disk full": Drill(_fill_disk, "disk"),
    "agent's clock an hour ahead": Drill(_set_clock, "flat_clock"),
}


def alarm_drill(profile: Profile, run: Run, start: int, drills: Mapping[str, Drill] = DRILLS) -> Iterator[Alarm]:
    """Inject every fault into a loop of its own and yield what was told, and after how long.

    Parameters
    ----------
    profile : Profile
        Settings of the loop.
    run : Run
        With its panel and the agent's policy.
    start : int
        First decision, ms UTC.
    drills : mapping
        Faults by name.

    Raises
    ------
    AssertionError
        A fault made no message, or a loop without one did.
    """
    for name, drill in drills.items():
        with scratch_space() as scratch, simulated_loop(profile, run, scratch / "agent", start) as loop:
            yield _measured(name, drill, watched(loop, profile))


def result(alarms: Sequence[Alarm]) -> JsonObject:
    """Return what was measured as plain JSON."""
    rows = [
        {
            "fault": each.fault,
            "code": each.code,
            "severity": each.severity,
            "seconds": each.seconds,
            "told": _told(each),
        }
        for each in alarms
    ]
    return {"watch_s": EVERY_MS / 1000, "rows": rows}


def _told(alarm: Alarm) -> str:
    return re.sub(r"; expected.*", "", alarm.message.title.partition(": ")[2])


def watched(loop: SimulatedLoop, profile: Profile, book: str = "") -> Scene:
    """Put a watchdog beside a loop; it looks as often as it does beside an agent."""
    limits = replace(Limits.of(profile), disk_bytes=0)
    scene = Scene(loop, Observer(profile.name, loop.folder, limits, loop.clock.wall))
    watchdog = Watchdog(scene.observer, scene, book)
    loop.watchers.append(lambda now: watchdog.look(now) if now % EVERY_MS == 0 else None)
    return scene


def _measured(name: str, drill: Drill, scene: Scene) -> Alarm:
    scene.loop.bars(WARM_UP_BARS)
    told_before = [message.title for _, message in scene.inbox if message.severity in ("critical", "warning")]
    if told_before:
        raise AssertionError(f"messages before the fault {name!r}: {told_before}")
    injected = scene.loop.clock.now
    drill.inject(scene)
    for _ in range(PATIENCE_S):
        scene.loop.second()
        for time, message in scene.inbox:
            if drill.code in message.codes and message.severity != "over":
                return Alarm(name, drill.code, message.severity, (time - injected) / 1000, message)
    raise AssertionError(f"{name!r} made no message of {drill.code!r}: {[told.title for _, told in scene.inbox]}")
