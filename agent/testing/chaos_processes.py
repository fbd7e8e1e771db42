"""What an operator starts, as processes of their own that can be killed: a local exchange and the agent."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from perpfut_lib.config import Profile
from perpfut_lib.errors import ExchangeError, PerpfutError
from perpfut_lib.types import JsonObject

SOURCES: Final = Path(__file__).resolve().parents[2]
PACED: Final = Path(__file__).with_name("paced")
COMMAND: Final = (sys.executable, "-c", "from perpfut_lib.cli import main; main()")
PATIENCE_S: Final = 240.0
"""Longest wait for a process to be ready: a busy machine may need minutes to load its libraries."""


@dataclass(frozen=True)
class Pace:
    """The time that the processes live in: that of an exchange which runs ``speed`` times as fast as this machine."""

    epoch: int
    """Instant of this machine's clock, ms UTC."""
    shown: int
    """What the exchange's clock showed then, ms UTC."""
    speed: float
    """One, and ``shown`` equal to ``epoch``: real time, which changes nothing in any process."""

    @property
    def real(self) -> bool:
        """Return whether this is the machine's own time."""
        return self.speed == 1.0 and self.shown == self.epoch

    def now(self) -> int:
        """Return the time, ms UTC."""
        return self.at(time.time())

    def at(self, seconds: float) -> int:
        """Return the time at an instant of this machine's clock (seconds UTC), ms UTC."""
        return self.shown + int((seconds * 1000 - self.epoch) * self.speed)

    def environment(self) -> dict[str, str]:
        """Return the environment of a process that lives in this time."""
        if self.real:
            return {**os.environ, "PYTHONPATH": str(SOURCES)}
        told = f"{self.epoch} {self.shown} {self.speed}"
        return {**os.environ, "PYTHONPATH": os.pathsep.join([str(PACED), str(SOURCES)]), "PERPFUT_PACE": told}


@dataclass
class ExchangeProcess:
    """``perpfut venue serve`` on a port of its own."""

    profile: Profile
    """Describes the market."""
    pace: Pace
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers; its time goes on where it would be."""
        settings = [f"{name}={json.dumps(value)}" for name, value in self.settings().items()]
        overrides = [part for setting in settings for part in ("--set", setting)]
        clock = "real" if self.pace.real else "accelerated"
        days = str(self.profile.data.simulation.days)
        command = [*COMMAND, "venue", "serve", "--port", str(self.port), "--clock", clock, "--days", days, *overrides]
        environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        patience = time.monotonic() + PATIENCE_S
        while self.state() is None:
            if self.process.poll() is not None or time.monotonic() > patience:
                raise ExchangeError("a local exchange that does not start", "one that answers", "run: perpfut venue")
            time.sleep(0.1)

    def settings(self) -> JsonObject:
        """Return its settings: the profile's market, and the time."""
        market = self.profile.data.simulation.model_dump(mode="json")
        settings: JsonObject = {f"simulation.{name}": value for name, value in market.items() if name != "days"}
        settings["history_days"] = 1
        if not self.pace.real:
            settings |= {"start": self.pace.shown, "epoch": self.pace.epoch, "speed": self.pace.speed}
        return settings

    def state(self) -> JsonObject | None:
        """Return what its control endpoint tells, or none if it does not answer."""
        try:
            with urllib.request.urlopen(f"{self.url}/control/state", timeout=5.0) as answer:
                state: JsonObject = json.load(answer)
                return state
        except (OSError, ValueError):
            return None

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@dataclass(frozen=True)
class Life:
    """One process of the agent, from start to end, seconds UTC of this machine."""

    number: int
    pid: int
    started: float
    ended: float
    code: int
    """Exit code; minus nine is a kill."""


@dataclass
class AgentProcess:
    """``perpfut agent run``, again and again on one folder."""

    profile: str
    """Name of the profile."""
    settings: Sequence[str]
    """Overrides, the exchange's address among them."""
    pace: Pace
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Variables such as the seal key."""
    lives: list[Life] = field(default_factory=list)
    """Those that have ended."""
    started: float = 0.0
    """When the present one was started, seconds UTC of this machine."""
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it in a group of its own, as a shell or a container does."""
        overrides = [part for setting in self.settings for part in ("--set", setting)]
        self.started = time.time()
        self._process = subprocess.Popen(
            [*COMMAND, "agent", "run", "--profile", self.profile, *overrides],
            env=self.pace.environment() | dict(self.secrets),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def running(self) -> bool:
        """Return whether it is alive."""
        return self._process is not None and self._process.poll() is None

    def kill(self, *, group: bool) -> None:
        """End it as a power cut would: the process alone, or with the slow tick that it started."""
        if self._process is None:
            return
        if group and self.running():
            os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.kill()
        self._ended()

    def slow_ticks(self) -> list[psutil.Process]:
        """Return the slow tick that it has started, if one is at work."""
        if self._process is None or not self.running():
            return []
        try:
            children: list[psutil.Process] = psutil.Process(self._process.pid).children()
        except psutil.NoSuchProcess:
            return []
        return children

    def stop(self) -> int:
        """Tell it to stop and return its exit code."""
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        return self._ended()

    def _ended(self) -> int:
        if self._process is None:
            raise PerpfutError("no process", "one that was started", "call start first")
        code = self._process.wait()
        self.lives.append(Life(len(self.lives), self._process.pid, self.started, time.time(), code))
        self._process = None
        return code


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
