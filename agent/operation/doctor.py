"""Whether everything is in place to run the agent: packages, rules, policy, folder, orders, key, exchange."""

import sys
import time
from collections.abc import Callable

from agent.clock import SystemClock
from agent.decision.context import load_policy, require_live_rules
from agent.observation.tracing import wanted
from agent.operation.import_guard import loaded_forbidden
from agent.operation.session import live_market
from agent.operation.status import Line, orders_of, told
from agent.state.seal_key import seal_key
from perpfut_lib.artifacts import AgentFolder, Run, write_bytes
from perpfut_lib.config import Profile, format_duration
from perpfut_lib.errors import PerpfutError


def doctor(profile: Profile, *, offline: bool = False) -> list[Line]:
    """Return whether everything is in place to run the agent of a profile."""
    run = Run.named(profile.name)
    checks: list[tuple[str, Callable[[], str]]] = [
        ("python", lambda: sys.version.split()[0]),
        ("imports", _imports),
        ("rules", lambda: _rules(profile)),
        ("policy", lambda: _policy(profile, run)),
        ("folder", lambda: _folder(AgentFolder.of(run))),
        ("control", lambda: orders_of(AgentFolder.of(run, seal_key()))),
        ("seal", lambda: "documents are sealed with a shared key" if seal_key() else "no key: seals only notice rot"),
        ("tracing", lambda: f"LangSmith is {'on' if wanted() else 'off'}"),
    ]
    if not offline:
        checks.append(("exchange", lambda: _exchange(profile)))
    return [told(name, check) for name, check in checks]


def _imports() -> str:
    loaded = loaded_forbidden()
    if loaded:
        raise PerpfutError(f"{', '.join(loaded)} loaded", "neither of them", "start the agent by its own command")
    return "neither torch nor Stable-Baselines3"


def _rules(profile: Profile) -> str:
    require_live_rules(profile)
    return f"bars of {format_duration(profile.agent.timeframe)}, filled at the next open"


def _policy(profile: Profile, run: Run) -> str:
    try:
        policy = load_policy(profile, run)
    except PerpfutError as error:
        cause = f"no usable policy {profile.agent.policy}: {error.found}"
        raise type(error)(cause, error.expected, error.remedy) from error
    return (
        f"{profile.agent.policy}, {len(policy.spec.names)} features, weights {policy.exported.card.weights_sha256[:12]}"
    )


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
