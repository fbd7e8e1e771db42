"""What a person, or a health check, wants to know: the state of an agent told from its folder, and its surroundings."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from agent.clock import SystemClock
from agent.desk import open_brain, require_live_rules
from agent.guard import loaded_forbidden
from agent.observe import wanted
from agent.session import live_market, seal_key
from perpfut_lib.artifacts import (
    ActivePairs,
    AgentFolder,
    Control,
    GovernorOrder,
    PerfSnapshot,
    Run,
    Signal,
    read_json,
    write_bytes,
)
from perpfut_lib.config import Profile, format_duration
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
        _told("control", lambda: _control(folder)),
        _told("governor", lambda: _governor(folder, now), missing="-"),
        _told("active pairs", lambda: _pairs(folder, now)),
        _told("signal", lambda: _signal(folder, now)),
        _told("performance", lambda: _performance(folder, now), missing="-"),
        Line("disk", "ok", f"{_size(folder) / 2**20:.1f} MiB in {folder.path.name}/"),
    ]


def heartbeat_age(folder: AgentFolder, now: int) -> int | None:
    """Return how long ago the scheduler was alive, ms; none if it never was."""
    try:
        return now - int(read_json(folder.heartbeat)["time"])
    except (PerpfutError, KeyError, TypeError, ValueError):
        return None


def doctor(profile: Profile, *, offline: bool = False) -> list[Line]:
    """Return whether everything is in place to run the agent of a profile."""
    run = Run.named(profile.name)
    checks: list[tuple[str, Callable[[], str]]] = [
        ("python", lambda: sys.version.split()[0]),
        ("imports", _imports),
        ("rules", lambda: _rules(profile)),
        ("policy", lambda: _policy(profile, run)),
        ("folder", lambda: _folder(AgentFolder.of(run))),
        ("control", lambda: _control(AgentFolder.of(run, seal_key()))),
        ("seal", lambda: "documents are sealed with a shared key" if seal_key() else "no key: seals only notice rot"),
        ("tracing", lambda: f"LangSmith is {'on' if wanted() else 'off'}"),
    ]
    if not offline:
        checks.append(("exchange", lambda: _exchange(profile)))
    return [_told(name, check) for name, check in checks]


def _told(name: str, tell: Callable[[], str], missing: str = "bad") -> Line:
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


def _control(folder: AgentFolder) -> str:
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


def _imports() -> str:
    loaded = loaded_forbidden()
    if loaded:
        raise PerpfutError(f"{', '.join(loaded)} loaded", "neither of them", "start the agent by its own command")
    return "neither torch nor Stable-Baselines3"


def _rules(profile: Profile) -> str:
    require_live_rules(profile)
    return f"bars of {format_duration(profile.agent.timeframe)}, filled at the next open"


def _policy(profile: Profile, run: Run) -> str:
    brain = open_brain(profile, run)
    if brain is None:
        raise PerpfutError(f"no usable policy {profile.agent.policy}", "one by its card and hash", "see the log")
    return f"{profile.agent.policy}, {len(brain.spec.names)} features, weights {brain.policy.card.weights_sha256[:12]}"


def _folder(folder: AgentFolder) -> str:
    start = time.perf_counter()
    write_bytes(folder.path / ".doctor", b"")
    took = 1000 * (time.perf_counter() - start)
    (folder.path / ".doctor").unlink()
    return f"writable, an atomic write takes {took:.1f} ms"


def _exchange(profile: Profile) -> str:
    clock = SystemClock()
    market = live_market(profile, clock)
    try:
        skew = market.now() - clock.wall()
        listed = market.symbols()
    finally:
        market.close()
    if abs(skew) > profile.agent.max_clock_skew_ms:
        raise PerpfutError(f"clocks {skew} ms apart", f"at most {profile.agent.max_clock_skew_ms} ms", "set the clock")
    return f"{profile.agent.source} lists {len(listed)} perpetual futures; clocks {skew} ms apart"


def _size(folder: AgentFolder) -> int:
    return sum(file.stat().st_size for file in folder.path.rglob("*") if file.is_file())


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _ago(then: int, now: int) -> str:
    return f"{(now - then) / 1000:.0f} s ago"
