"""What is done to the containers, and how it is undone."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from engine import engine
from stack import AGENT, EXECUTOR, Stack

RESTART: Final = "PERPFUT_ENGINE_RESTART"
"""Variable with the command that stops and starts the engine, ``systemctl restart docker`` where there is systemd."""
KILL: Final = "PERPFUT_ENGINE_KILL"
"""Variable with the command that kills the engine and starts it again."""
EXPIRY_S: Final = 270
"""A signal expires three minutes after its bar; half a minute more for whoever closes."""
SHORT_S: Final = 90


@dataclass(frozen=True)
class Disturbance:
    """One thing that goes wrong."""

    name: str
    """As the table has it."""
    begin: Callable[[Stack], object]
    end: Callable[[Stack], object]
    lasts: int
    """Seconds of it."""
    group: str = "services"
    """Those of a group follow each other on one stack."""


def die(service: str, stack: Stack) -> None:
    """Kill a service's process itself, from outside: unlike ``docker kill``, this counts as a crash."""
    found = engine("top", stack.container(service), "-eo", "pid,ppid,args").splitlines()[1:]
    first = int(found[0].split()[0])
    child = next((int(line.split()[0]) for line in found if int(line.split()[1]) == first), first)
    os.kill(child, signal.SIGKILL)


def fill(stack: Stack) -> None:
    """Fill the volume to the last byte."""
    with (stack.folder / "volume" / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 65536):
                pass
        except OSError:  # no space left
            return


def free(stack: Stack) -> None:
    """Delete what filled the volume."""
    (stack.folder / "volume" / "filler").unlink()


def by_variable(variable: str, _stack: Stack) -> None:
    """Run the command that a variable holds, and wait for the engine."""
    subprocess.run(os.environ[variable], shell=True, check=True)
    end = time.monotonic() + 120
    while subprocess.run(["docker", "info"], capture_output=True, check=False).returncode and time.monotonic() < end:
        time.sleep(0.5)


def nothing(_stack: Stack) -> None:
    """Leave it to the restart policy."""


def _compose(*command: str) -> Callable[[Stack], object]:
    return lambda stack: stack.compose(*command)


def _kill(service: str) -> Callable[[Stack], object]:
    return lambda stack: engine("kill", stack.container(service))


def _up(*services: str) -> Callable[[Stack], object]:
    return _compose("up", "--detach", "--no-deps", *services)


def _lost(*services: str) -> tuple[Callable[[Stack], object], Callable[[Stack], object]]:
    return lambda stack: stack.network("disconnect", *services), lambda stack: stack.network("connect", *services)


def _wrong(service: str, seconds: int) -> tuple[Callable[[Stack], object], Callable[[Stack], object]]:
    return lambda stack: stack.shift_clock(service, seconds), lambda stack: stack.shift_clock(service, 0)


ALL: Final = (
    Disturbance("docker stop of the agent", _compose("stop", AGENT), _up(AGENT), EXPIRY_S, "agent"),
    Disturbance("docker kill of the agent", _kill(AGENT), _up(AGENT), EXPIRY_S, "agent"),
    Disturbance("the agent's process dies", partial(die, AGENT), nothing, SHORT_S, "agent"),
    Disturbance("docker stop of Hummingbot", _compose("stop", EXECUTOR), _up(EXECUTOR), SHORT_S, "executor"),
    Disturbance("docker kill of Hummingbot", _kill(EXECUTOR), _up(EXECUTOR), EXPIRY_S, "executor"),
    Disturbance("Hummingbot's process dies", partial(die, EXECUTOR), nothing, SHORT_S, "executor"),
    Disturbance("docker stop of both", _compose("stop", AGENT, EXECUTOR), _up(AGENT, EXECUTOR), SHORT_S, "agent"),
    Disturbance("volume full", fill, free, EXPIRY_S, "executor"),
    Disturbance("network lost: agent", *_lost(AGENT), EXPIRY_S, "network"),
    Disturbance("network lost: Hummingbot", *_lost(EXECUTOR), EXPIRY_S, "network"),
    Disturbance("network lost: both", *_lost(AGENT, EXECUTOR), EXPIRY_S, "network"),
    Disturbance("agent's clock 5 min ahead", *_wrong(AGENT, 300), EXPIRY_S, "clock"),
    Disturbance("agent's clock 5 min behind", *_wrong(AGENT, -300), EXPIRY_S, "clock"),
    Disturbance("Hummingbot's clock 5 min ahead", *_wrong(EXECUTOR, 300), EXPIRY_S, "executor-clock"),
    Disturbance("Hummingbot's clock 5 min behind", *_wrong(EXECUTOR, -300), EXPIRY_S, "executor-clock"),
    Disturbance("engine restarted", partial(by_variable, RESTART), nothing, SHORT_S, "engine"),
    Disturbance("engine killed", partial(by_variable, KILL), nothing, SHORT_S, "engine"),
)
