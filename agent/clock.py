"""Time as the agent sees it: the machine's clocks, or the clock of a replay."""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Wall clock, monotonic clock, and a wait that a stop interrupts."""

    def wall(self) -> int:
        """Return the time, ms UTC."""
        ...

    def monotonic(self) -> int:
        """Return ms that never go back."""
        ...

    def wait(self, milliseconds: int) -> bool:
        """Wait; return True at once when the agent is told to stop."""
        ...


class SystemClock:
    """The machine's clocks."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        """Set it to interrupt every wait."""

    def wall(self) -> int:
        """Return the machine's time, ms UTC."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> int:
        """Return the machine's monotonic clock, ms."""
        return time.monotonic_ns() // 1_000_000

    def wait(self, milliseconds: int) -> bool:
        """Wait in real time."""
        return self.stop.wait(max(0, milliseconds) / 1000)


class ReplayClock:
    """A clock that stands until it is set; it never waits.

    Parameters
    ----------
    now : int
        First instant, ms UTC.
    """

    def __init__(self, now: int) -> None:
        self.now = now
        """The instant that it shows, ms UTC."""

    def wall(self) -> int:
        """Return the instant shown."""
        return self.now

    def monotonic(self) -> int:
        """Return the instant shown: replayed time does not go back."""
        return self.now

    def wait(self, milliseconds: int) -> bool:
        """Return at once: time passes between ticks only."""
        return False
