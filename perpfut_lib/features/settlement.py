"""Funding as it is known at a bar's close: the last rate, and when the next one is due."""

from typing import Final, NamedTuple

import numpy as np
from numba import njit

from perpfut_lib.store.panel import FundingEvents
from perpfut_lib.types import HOUR_MS, MINUTE_MS, Float1D, Int1D

LONGEST_INTERVAL: Final = 8 * HOUR_MS


class KnownFunding(NamedTuple):
    """Funding known at each of T times."""

    rate: Float1D
    """Last settled rate, a fraction; 0 before the first settlement."""
    minutes: Float1D
    """Minutes to the next settlement, above 0."""
    interval: Float1D
    """Minutes between settlements."""


def known_funding(events: FundingEvents | None, times: Int1D) -> KnownFunding:
    """Return what is known of one symbol's funding at rising ``times`` (ms UTC), from settlements at or before each.

    The interval is that of the last two settlements, in whole hours from 1 to 8 (8 before there are two), and the next
    settlement is due that long after the last one: an exchange announces a change of interval, but not here.
    """
    known = KnownFunding(*(np.empty(len(times)) for _ in KnownFunding._fields))
    walk_funding(*settlements(events), np.ascontiguousarray(times), known)
    return known


def settlements(events: FundingEvents | None) -> tuple[Int1D, Float1D]:
    """Return times (ms UTC) and rates of one symbol's settlements; both empty where it has none."""
    if events is None:
        return np.zeros(0, np.int64), np.zeros(0)
    return np.ascontiguousarray(events.time), np.ascontiguousarray(events.rate)


@njit(cache=True)
def walk_funding(stamps: Int1D, rates: Float1D, times: Int1D, known: KnownFunding) -> None:
    """Write what is known at each of ``times``, which rise."""
    # Only the last two settlements count, so that those long before the first time are skipped.
    last = max(np.searchsorted(stamps, times[0], side="right") - 2, 0) - 1 if times.shape[0] else -1
    settled, interval, minutes = 0, LONGEST_INTERVAL, LONGEST_INTERVAL / MINUTE_MS
    for t in range(times.shape[0]):
        while last + 1 < stamps.shape[0] and stamps[last + 1] <= times[t]:
            last += 1
            # Stamps carry up to 20 ms of jitter; the schedule is in whole minutes.
            previous, settled = settled, (stamps[last] + MINUTE_MS // 2) // MINUTE_MS * MINUTE_MS
            if last > 0:
                hours = (settled - previous + HOUR_MS // 2) // HOUR_MS
                interval = min(max(hours, 1) * HOUR_MS, LONGEST_INTERVAL)
                minutes = interval / MINUTE_MS
        passed = times[t] - settled
        left = interval - (passed if 0 <= passed < interval else passed % interval)
        known.rate[t] = rates[last] if last >= 0 else 0.0
        known.minutes[t] = left / MINUTE_MS
        known.interval[t] = minutes
