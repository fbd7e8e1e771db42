"""The scheduler: one fast tick a bar, the slow tick at window starts and in between, the governor after every bar.

The slow tick runs in a process of its own, so that it neither delays a fast tick nor brings its libraries into it. At
the start of a window the fast tick waits for it, up to a limit; afterwards the two do not know each other.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import Final, NoReturn

from agent.feed.bar_hint import BarHint
from agent.graphs.slow_tick import selection_due
from agent.operation.session import Session, session
from agent.operation.warm_up import compile_ahead
from perpfut_lib.artifacts import write_json
from perpfut_lib.config import Profile

log = logging.getLogger(__name__)

BEAT_MS: Final = 5_000
SELECTION_MS: Final = 45_000
"""Longest wait of a fast tick for the selection that its window needs."""


class SlowProcess:
    """The slow tick in a process of its own; one at a time.

    Parameters
    ----------
    command : sequence of str
        How to run it; the bar is appended.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, bar_close: int) -> None:
        """Start one, unless one is still running."""
        if not self.busy():
            self._process = subprocess.Popen([*self._command, "--at", str(bar_close)], stdin=subprocess.DEVNULL)

    def busy(self) -> bool:
        """Return whether one is running."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Terminate it, and kill it if it does not end."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Scheduler:
    """Drives the ticks of one agent until it is stopped.

    Parameters
    ----------
    opened : Session
        The process.
    slow : SlowProcess
        Runs slow ticks.
    hint : BarHint or None
        Announces closed bars.
    """

    def __init__(self, opened: Session, slow: SlowProcess, hint: BarHint | None) -> None:
        self._session, self._slow, self._hint = opened, slow, hint
        self._context = opened.ticks.context
        self._tested = 0

    def run(self) -> None:
        """Tick until the session is stopped."""
        timeframe, settled = self._context.timeframe, False
        while not self._session.clock.stop.is_set():
            now = self._context.clock.wall()
            bar_close = max(now // timeframe * timeframe, self._context.memory.bar_close + timeframe)
            if self._wait_for(bar_close):
                return
            self._tick(bar_close)
            if self._context.memory.bar_close < bar_close:  # nothing could be written: try the bar again, in a while
                self._context.clock.wait(BEAT_MS)
            if not settled:
                self._session.ticks.settle()
                settled = True

    def _tick(self, bar_close: int) -> None:
        """Run the ticks that one closed bar calls for."""
        self._select(bar_close)
        self._beat(bar_close, "ticking")
        self._session.ticks.fast_tick(bar_close)
        self._session.ticks.govern(self._context.clock.wall())
        if self._hint is not None:
            self._hint.follow(
                sorted({leg for followed in self._context.memory.followed_pairs.values() for leg in followed.legs})
            )

    def _select(self, bar_close: int) -> None:
        """Start a slow tick if one is due, and wait for it if this bar needs its pairs."""
        selection = selection_due(self._context, bar_close)
        if selection or bar_close - self._tested >= self._context.profile.agent.retest:
            self._slow.start(bar_close)
            self._tested = bar_close
        waited = 0
        while selection and self._slow.busy() and waited < SELECTION_MS and not self._context.clock.wait(100):
            waited += 100

    def _wait_for(self, bar_close: int) -> bool:
        """Wait until a bar may be fetched, with a heartbeat; return True if the agent is stopped meanwhile."""
        due = bar_close + self._context.profile.agent.grace_ms
        while (now := self._context.clock.wall()) < due:
            self._beat(bar_close, "waiting")
            if self._hint is not None and now >= bar_close - BEAT_MS:
                if self._hint.wait(bar_close, due - now) and self._context.clock.wall() >= bar_close:
                    break
            elif self._context.clock.wait(min(BEAT_MS, due - now)):
                return True
        return self._session.clock.stop.is_set()

    def _beat(self, bar_close: int, doing: str) -> None:
        beat = {"time": self._context.clock.wall(), "bar_close": bar_close, "doing": doing}
        try:
            write_json(self._context.folder.heartbeat, beat)
        except OSError as error:  # the health check tells that it is missing
            log.warning("no heartbeat", extra={"cause": str(error)})


def run_agent(profile: Profile, slow_command: Sequence[str]) -> None:
    """Run the agent until SIGTERM or SIGINT.

    Parameters
    ----------
    profile : Profile
        Settings.
    slow_command : sequence of str
        How to run one slow tick in another process.
    """
    with session(profile, "fast") as opened:
        settings = profile.agent
        hint = BarHint(settings.source, settings.exchange, settings.timeframe) if settings.hint else None
        slow = SlowProcess(slow_command)

        def stop() -> None:
            log.info("told to stop")
            opened.stop()
            if hint is not None:
                hint.close()

        def handle(_number: int, _frame: FrameType | None) -> None:
            # Not here: the signal may have come while this very thread holds a lock that stopping needs.
            threading.Thread(target=stop, name="stop", daemon=True).start()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, handle)
        log.info("agent started", extra={"profile": profile.name, "folder": opened.ticks.context.folder.path.name})
        try:
            # Beside the wait for the first bar, so that heartbeats go out and a signal is answered meanwhile.
            threading.Thread(target=compile_ahead, args=(opened.ticks.context,), name="compile", daemon=True).start()
            Scheduler(opened, slow, hint).run()
        finally:
            slow.stop()
    log.info("agent stopped")


def slow_command(profile: str, settings: Sequence[str]) -> list[str]:
    """Return the command of one slow tick with the same profile and overrides."""
    overrides = [part for setting in settings for part in ("--set", setting)]
    code = "from perpfut_lib.cli import main; main()"
    return [sys.executable, "-c", code, "agent", "slow-tick", "--profile", profile, *overrides]


def leave() -> NoReturn:
    """End the process at once: everything is on disk, and an orderly exit of the interpreter can take seconds."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
