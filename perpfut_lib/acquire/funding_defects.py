"""Funding rates that are valid numbers and still cannot be what an exchange settled."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd

from perpfut_lib.acquire.bar_defects import Defect
from perpfut_lib.config import QualityConfig, format_duration
from perpfut_lib.types import HOUR_MS, MINUTE_MS, Float1D, Int1D

LEAST_RATES: Final = 12
"""Fewer settlements of a symbol say nothing about its unit, its sign and its interval."""
CONSTANT_SHARE: Final = 0.1
"""Exchanges clamp funding to a constant interest rate: the most frequent one, in a tenth of settlements or more."""
REPEATED: Final = (8, 4)
"""Intervals, in hours, whose rates may have been repeated every hour."""
PASSED_ON: Final = 0.05
"""Share of changes off the interval up to which hourly rates still count as repeated ones."""


def funding_defects(symbol: str, settlements: pd.DataFrame, config: QualityConfig) -> list[Defect]:
    """Return what is wrong with one symbol's settlements.

    Parameters
    ----------
    symbol : str
        Named in the findings.
    settlements : DataFrame
        Checked settlements, sorted by time.
    config : QualityConfig
        Limits.
    """
    time, rate = settlements["funding_time"].to_numpy(), settlements["funding_rate"].to_numpy()
    found = [*_beyond_cap(symbol, time, rate, config)]
    if len(rate) >= LEAST_RATES:
        units = [*_units(symbol, time, rate, config)]
        # Rates in per cent are all beyond the cap: their unit says it once.
        found = [*(units or found), *_sign(symbol, time, rate), *_repeated(symbol, time, rate)]
    return [*found, *_clock(symbol, time)]


def _beyond_cap(symbol: str, time: Int1D, rate: Float1D, config: QualityConfig) -> Iterator[Defect]:
    beyond = np.flatnonzero(np.abs(rate) > config.funding_cap)
    if len(beyond):
        row = int(beyond[0])
        detail = f"rate {rate[row]:g} beyond ±{config.funding_cap:g} ({len(beyond)} such settlements)"
        yield Defect(symbol, "funding_beyond_cap", int(time[row]), float(rate[row]), detail)


def _units(symbol: str, time: Int1D, rate: Float1D, config: QualityConfig) -> Iterator[Defect]:
    median = float(np.median(np.abs(rate)))
    if median > config.funding_median:
        detail = f"median rate {median:g} per settlement: per cent or basis points, not a fraction?"
        yield Defect(symbol, "funding_units", int(time[0]), median, detail)


def _sign(symbol: str, time: Int1D, rate: Float1D) -> Iterator[Defect]:
    values, counts = np.unique(np.round(rate, 9), return_counts=True)
    most = int(counts.argmax())
    share = float(counts[most] / len(rate))
    if values[most] < 0 and share >= CONSTANT_SHARE:
        detail = f"the most frequent rate is {values[most]:g} ({share:.0%}); an exchange's interest rate is positive"
        yield Defect(symbol, "funding_sign", int(time[0]), float(values[most]), detail)


def _repeated(symbol: str, time: Int1D, rate: Float1D) -> Iterator[Defect]:
    """Yield hourly rates that change (nearly) only every eight or four hours, and do change then."""
    hour = (time + MINUTE_MS // 2) // HOUR_MS
    if len(hour) < 2 or np.median(np.diff(hour)) != 1:
        return
    changed = hour[1:][np.diff(rate) != 0]
    if len(changed) < LEAST_RATES:
        return
    for hours in REPEATED:
        phases = np.bincount(changed % hours, minlength=hours)
        off = 1.0 - float(phases.max()) / len(changed)
        if off <= PASSED_ON:
            detail = f"hourly rates that change only every {format_duration(hours * HOUR_MS)}: repeated, not settled"
            yield Defect(symbol, "funding_repeated", int(time[0]), float(hours), detail)
            return


def _clock(symbol: str, time: Int1D) -> Iterator[Defect]:
    late = (time + MINUTE_MS // 2) // MINUTE_MS * MINUTE_MS % HOUR_MS
    off = np.flatnonzero(late)
    if len(off):
        first = int(time[off[0]])
        detail = f"{len(off)} settlements off the full hour UTC, the first by {format_duration(int(late[off[0]]))}"
        yield Defect(symbol, "funding_clock", first, float(late[off[0]] // MINUTE_MS), detail)
