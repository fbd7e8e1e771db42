"""Run the demonstration under Compose and compare it with a replay: ``python docker/trials/demo.py [MINUTES]``.

Everything is brought up in a project of its own, allowed to trade, left alone for some minutes (default: 10), compared
and taken down with its volumes. The result is published; a demonstration that was unwell, or decided otherwise than the
replay of the same bars, is an error.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any, Final

from engine import Project, engine, require_engine

from perpfut_lib.artifacts import git_commit, publish
from perpfut_lib.errors import PerpfutError

HERE: Final = Path(__file__).resolve().parent
NAME: Final = "containers_demo"
PROJECT: Final = Project("perpfut-check", (HERE.parent / "compose.yml",))
RUNNING: Final = ("venue", "agent-demo", "hummingbot-demo")
STATE: Final = (
    "import json, urllib.request as r; print(json.load(r.urlopen('http://127.0.0.1:8787/control/state'))['start'])"
)
POSITIONS: Final = (
    "import json; from pathlib import Path; print(Path('/app/artifacts/smoke/agent/perf_snapshot.json').read_text())"
)


def main() -> None:
    """Bring up, wait, compare, take down, publish."""
    minutes = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    require_engine(("perpfut/agent", "perpfut/hummingbot"))
    try:
        told = demonstrated(minutes)
    finally:
        PROJECT.compose("down", "--volumes", "--timeout", "60")
    path = publish(NAME, {"git_commit": git_commit(), **told})
    sys.stdout.write(f"{json.dumps(told)}\n{path}\n")
    require_sound(told)


def demonstrated(minutes: int) -> dict[str, Any]:
    """Return what the demonstration did."""
    PROJECT.compose("run", "--rm", "--no-deps", "agent-demo", "agent", "control", "run", "--note", "demonstration")
    began = time.monotonic()
    PROJECT.compose("up", "--detach", "--wait", "--wait-timeout", "900")
    healthy = time.monotonic() - began
    sys.stderr.write(f"all healthy after {healthy:.0f} s; trading for {minutes} minutes\n")
    time.sleep(60 * minutes)
    report = json.loads(inside("hummingbot-demo", POSITIONS))
    tape_start = inside("venue", STATE).strip()
    states = {service: state(service) for service in RUNNING}
    sys.stderr.write("replaying\n")
    code = (HERE / "replay_demo.py").read_text()
    run = ("run", "-T", "--rm", "--no-deps", "--entrypoint", "python", "agent-demo")
    replayed = json.loads(PROJECT.compose(*run, "-c", code, tape_start).strip().splitlines()[-1])
    began = time.monotonic()
    PROJECT.compose("stop")
    return {
        "minutes": minutes,
        "healthy_after_s": round(healthy, 1),
        "stopped_after_s": round(time.monotonic() - began, 1),
        "fills": report["fills"],
        "services": states,
        "replay": replayed,
    }


def inside(service: str, code: str) -> str:
    """Run Python in a running container and return what it printed."""
    return PROJECT.compose("exec", "-T", service, "python", "-c", code)


def state(service: str) -> dict[str, Any]:
    """Return health, restarts, memory and commit of a service; Hummingbot's image names no commit."""
    name = PROJECT.container(service)
    told = '{{.State.Health.Status}} {{.RestartCount}} {{index .Config.Labels "org.opencontainers.image.revision"}}'
    health, restarts, *revision = engine("inspect", name, "--format", told).split()
    memory = engine("stats", "--no-stream", "--format", "{{.MemUsage}}", name).partition("/")[0].strip()
    return {"health": health, "restarts": int(restarts), "memory": memory, "revision": "".join(revision)}


def require_sound(told: dict[str, Any]) -> None:
    """Raise :class:`PerpfutError` if the demonstration was unwell, idle, or decided otherwise than its replay."""
    replay, services = told["replay"], told["services"].values()
    unwell = any(each["health"] != "healthy" or each["restarts"] for each in services)
    if unwell or not told["fills"] or not replay["with_positions"] or replay["equal"] < replay["signals"]:
        found = json.dumps({"services": told["services"], "fills": told["fills"], "replay": replay})
        raise PerpfutError(found, "healthy services whose signals equal the replay's", "look at their logs")


if __name__ == "__main__":
    main()
