"""Gives a process of the agent the clock of an accelerated local exchange; Python imports this when it starts.

``PERPFUT_PACE`` holds three numbers: an instant of this machine's clock (ms UTC), what the exchange's clock showed then
(ms UTC), and how many of its seconds pass in one. Nothing else of the process is changed.
"""

import os
import time

from agent.clock import SystemClock


def pace(clocks: type[SystemClock], epoch: int, shown: int, speed: float) -> None:
    """Let a class of clocks run at this pace."""

    def wall(self: SystemClock) -> int:
        return shown + int((time.time_ns() / 1e6 - epoch) * speed)

    def wait(self: SystemClock, milliseconds: int) -> bool:
        return self.stop.wait(max(0, milliseconds) / 1000 / speed)

    clocks.wall, clocks.monotonic, clocks.wait = wall, wall, wait  # type: ignore[method-assign]


if os.environ.get("PERPFUT_PACE"):
    _epoch, _shown, _speed = os.environ["PERPFUT_PACE"].split()
    pace(SystemClock, int(_epoch), int(_shown), float(_speed))
