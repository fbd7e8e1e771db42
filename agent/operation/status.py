"""The state of an agent, read from its folder, for people and health checks.

A health check runs every minute beside the agent: imports are kept to what it needs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from perpfut_lib.artifacts import (
    ActivePairs,
    AgentFolder,
    Control,
    GovernorOrder,
    PerfSnapshot,
    Signal,
    read_json,
)
from perpfut_lib.errors import PerpfutError


@dataclass(frozen=True)
class Line:
    """One line of a table."""

    name: str
    """What it is about."""
    state: str
    """``ok``, ``bad``, or ``-`` where nothing is expected."""
    text: str
    """For people."""


def status(folder: AgentFolder, now: int) -> list[Line]:
    """Return the state of an agent as its files tell it, at ``now`` (ms UTC)."""
    return [
        _heartbeat(folder, now),
        told("control", lambda: orders_of(folder)),
        told("governor", lambda: _governor(folder, now), missing="-"),
        told("active pairs", lambda: _pairs(folder, now)),
        told("signal", lambda: _signal(folder, now)),
        told("performance", lambda: _performance(folder, now), missing="-"),
        Line("disk", "ok", f"{_size(folder) / 2**20:.1f} MiB in {folder.path.name}/"),
    ]


def heartbeat_age(folder: AgentFolder, now: int) -> int | None:
    """Return how long ago the scheduler was alive, ms; none if it never was."""
    try:
        return now - int(read_json(folder.heartbeat)["time"])
    except (PerpfutError, KeyError, TypeError, ValueError):
        return None


def told(name: str, tell: Callable[[], str], missing: str = "bad") -> Line:
    """Return a line with the answer, or with the error that prevents one."""
    try:
        return Line(name, "ok", tell())
    except PerpfutError as error:
        absent = type(error).__name__ == "MissingInputError"
        return Line(name, missing if absent else "bad", str(error))


def _heartbeat(folder: AgentFolder, now: int) -> Line:
    age = heartbeat_age(folder, now)
    if age is None:
        return Line("scheduler", "-", "never seen")
    return Line("scheduler", "ok" if age < 60_000 else "bad", f"seen {age / 1000:.0f} s ago")


def orders_of(folder: AgentFolder) -> str:
    """Return the operator's orders in words."""
    control = folder.read(Control)
    orders = [name for name in ("pause", "kill") if getattr(control, name)] or ["run"]
    cap = "" if control.max_exposure is None else f", at most {control.max_exposure:g} of equity"
    return f"{' and '.join(orders)}{cap}{f', not {control.deny}' if control.deny else ''} {control.note}".strip()


def _governor(folder: AgentFolder, now: int) -> str:
    order = folder.read(GovernorOrder)
    until = f" until {_time(order.until)}" if order.mode == "pause" else ""
    alarms = f", alarms: {', '.join(order.alarms)}" if order.alarms else ""
    return f"{order.mode}{until}{alarms} ({_ago(order.created_at, now)})"


def _pairs(folder: AgentFolder, now: int) -> str:
    pairs = folder.read(ActivePairs)
    names = ", ".join(pair.pair for pair in pairs.pairs) or "none"
    over = " (over)" if now >= pairs.valid_until else ""
    return f"{names}, until {_time(pairs.valid_until)}{over}; {pairs.tested} tested, {_ago(pairs.created_at, now)}"


def _signal(folder: AgentFolder, now: int) -> str:
    signal = folder.read(Signal)
    gross = sum(abs(leg.weight) for leg in signal.legs)
    why = f", because {', '.join(signal.reasons)}" if signal.reasons else ""
    over = "EXPIRED, " if now >= signal.expires_at else ""
    head = f"{over}no. {signal.seq} of bar {_time(signal.bar_close)}, {_ago(signal.created_at, now)}"
    return f"{head}: gross {gross:.3f}{why}{', KILL' if signal.kill else ''}"


def _performance(folder: AgentFolder, now: int) -> str:
    snapshot = folder.read(PerfSnapshot)
    drawdown = f"drawdown {100 * snapshot.drawdown():.1f} %"
    return f"equity {snapshot.equity:.2f}, {drawdown}, {snapshot.fills} fills ({_ago(snapshot.created_at, now)})"


def _size(folder: AgentFolder) -> int:
    return sum(file.stat().st_size for file in folder.path.rglob("*") if file.is_file())


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _ago(then: int, now: int) -> str:
    return f"{(now - then) / 1000:.0f} s ago"
