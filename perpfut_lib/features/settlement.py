"""Funding as it is known at a bar's close: the last rate, and when the next one is due."""

from typing import Final, NamedTuple

import numpy as np

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
    """Return what is known of one symbol's funding at ``times`` (ms UTC), from settlements at or before them.

    The interval is that of the last two settlements, in whole hours from 1 to 8 (8 before there are two), and the next
    settlement is due that long after the last one: an exchange announces a change of interval, but not here.
    """
    stamps = np.zeros(0, np.int64) if events is None else np.asarray(events.time)
    rates = np.zeros(0) if events is None else np.asarray(events.rate)
    last = np.searchsorted(stamps, times, side="right") - 1
    # Stamps carry up to 20 ms of jitter; the schedule is in whole minutes.
    schedule = np.concatenate([[0], (stamps + MINUTE_MS // 2) // MINUTE_MS * MINUTE_MS])
    gaps = np.clip(np.round(np.diff(schedule) / HOUR_MS) * HOUR_MS, HOUR_MS, LONGEST_INTERVAL).astype(np.int64)
    gaps = np.concatenate([[LONGEST_INTERVAL, LONGEST_INTERVAL], gaps[1:]])[: len(stamps) + 1]
    interval, settled = gaps[last + 1], schedule[last + 1]
    left = interval - (times - settled) % interval
    rate = np.concatenate([[0.0], rates])[last + 1]
    return KnownFunding(rate, left / MINUTE_MS, interval / MINUTE_MS)
