"""What a market may do at any moment: prices that jump or slide away, and a settlement of funding out of turn."""

from dataclasses import replace

import numpy as np

from perpfut_lib.venue.tape import Bars, Series


def jumped(series: Series, factor: float, at: int, steps: int) -> Series:
    """Return a series whose prices are multiplied by ``factor`` from ``at`` on.

    Parameters
    ----------
    series : Series
        As it would have been.
    factor : float
        Above zero.
    at : int
        Open time of the first bar that is concerned, ms UTC.
    steps : int
        Bars within which prices slide there without a gap; zero: the first one opens there.
    """
    bars, numbers = series.bars, np.arange(len(series.bars))
    since = numbers - int(np.searchsorted(bars.open_time, at))
    if steps:
        before = 1.0 + (factor - 1.0) * np.clip(since / steps, 0.0, 1.0)
        after = 1.0 + (factor - 1.0) * np.clip((since + 1) / steps, 0.0, 1.0)
    else:
        before = after = np.where(since < 0, 1.0, factor)
    opened, closed = bars.prices[:, 0] * before, bars.prices[:, 3] * after
    high = np.maximum.reduce([bars.prices[:, 1] * before, bars.prices[:, 1] * after])
    low = np.minimum.reduce([bars.prices[:, 2] * before, bars.prices[:, 2] * after])
    prices = np.round(np.column_stack([opened, high, low, closed]), series.instrument.price_decimals)
    return replace(series, bars=Bars(bars.open_time, prices, bars.volume))


def charged(series: Series, at: int, rate: float) -> Series:
    """Return a series with one more settlement of funding at ``at``, ms UTC; a regular one then is replaced."""
    others = series.funding_time != at
    row = int(np.searchsorted(series.funding_time[others], at))
    times = np.insert(series.funding_time[others], row, at)
    rates = np.insert(series.funding_rate[others], row, rate)
    return replace(series, funding_time=times, funding_rate=rates, off_schedule=(*series.off_schedule, at))
