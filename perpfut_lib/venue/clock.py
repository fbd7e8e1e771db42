"""The exchange's clock: real time, accelerated time, or time that only moves when it is told to."""

import threading
import time
from collections.abc import Callable
from typing import Literal

Mode = Literal["real", "accelerated", "stepped"]


class ExchangeClock:
    """Milliseconds UTC as the exchange counts them.

    Parameters
    ----------
    mode : {'real', 'accelerated', 'stepped'}
        ``real`` follows the machine's clock, ``accelerated`` runs ``speed`` times as fast from ``start``, ``stepped``
        stands at ``start`` until :meth:`advance` moves it.
    start : int
        First instant, ms UTC; without meaning for ``real``.
    speed : float
        Exchange seconds per second of an accelerated clock.
    monotonic : callable, optional
        Source of elapsed seconds, to be replaced in tests.
    """

    def __init__(
        self, mode: Mode, start: int = 0, speed: float = 1.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.mode = mode
        self.skew = 0
        self._lock = threading.Lock()
        self._monotonic = monotonic
        self._speed = {"real": 1.0, "accelerated": speed, "stepped": 0.0}[mode]
        self._origin = int(time.time() * 1000) if mode == "real" else start
        self._since = monotonic()

    def now(self) -> int:
        """Return the exchange's true time, which decides what has happened."""
        elapsed = (self._monotonic() - self._since) * 1000.0 * self._speed
        return self._origin + int(elapsed)

    def shown(self) -> int:
        """Return the time that the exchange claims: true time plus a skew that a fault may set."""
        return self.now() + self.skew

    def run(self, speed: float) -> None:
        """Let the clock run on from where it is, ``speed`` times as fast as real time."""
        with self._lock:
            self._origin, self._since = self.now(), self._monotonic()
            self._speed, self.mode = speed, "accelerated"

    def advance(self, milliseconds: int) -> int:
        """Move a stepped clock forward and return the new time; the other modes jump ahead and run on."""
        if milliseconds < 0:
            raise ValueError(f"a clock cannot go back by {-milliseconds} ms")
        with self._lock:
            self._origin += milliseconds
        return self.now()
