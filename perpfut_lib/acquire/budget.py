"""Request weight: what a request costs, which page size is cheapest, and one budget for all threads."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Page(NamedTuple):
    """A page size and the request weight that it costs."""

    rows: int
    weight: int


def cheapest_page(tiers: Sequence[Page]) -> Page:
    """Return the page that brings the most rows per unit of weight.

    Binance charges klines in tiers: up to 99 rows cost 1, 499 cost 2, 1,000 cost 5, 1,500 cost 10. That is 99, 249.5,
    200 and 150 rows per unit, so 499 is cheapest: a symbol-year of minutes costs 2,108 instead of 2,630 at 1,000 rows.
    It takes twice the requests, which does not matter while several symbols are fetched at once and the weight limit
    binds before the round-trip time does.
    """
    return max(tiers, key=lambda page: page.rows / page.weight)


class WeightBudget:
    """Paces requests of several threads so that together they stay below a weight per minute.

    Weight is refilled continuously, with room for a burst of a tenth of a minute's worth, so that no minute, wherever
    the exchange lets it begin, sees more than 1.1 times ``per_minute``.

    Parameters
    ----------
    per_minute : int
        Weight to spend per minute.
    clock, sleep : callable
        Seconds, and how to wait; replaced in tests.
    """

    def __init__(
        self,
        per_minute: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.per_minute = per_minute
        """Weight to spend per minute."""
        self.spent = 0
        """Weight spent so far."""
        self.requests = 0
        """Requests so far."""
        self._rate = per_minute / 60.0
        self._burst = per_minute / 10.0
        self._clock, self._sleep = clock, sleep
        self._free_at = clock()
        self._lock = threading.Lock()

    def spend(self, weight: int) -> None:
        """Take ``weight`` from the budget, waiting until it is there."""
        with self._lock:
            now = self._clock()
            # free_at is the moment at which all weight granted so far has been refilled
            self._free_at = max(self._free_at, now) + weight / self._rate
            wait = self._free_at - now - max(self._burst, weight) / self._rate
            self.spent += weight
            self.requests += 1
        if wait > 0:
            self._sleep(wait)

    def pause(self, seconds: float) -> None:
        """Hold every thread back for ``seconds``: the exchange said so."""
        with self._lock:
            self._free_at = max(self._free_at, self._clock() + seconds + self._burst / self._rate)
