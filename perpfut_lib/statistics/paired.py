"""Differences between two portfolios over the same calendar, with intervals that pair them window by window."""

from typing import Final

import numpy as np

from perpfut_lib.errors import SchemaError
from perpfut_lib.statistics.bootstrap import Interval
from perpfut_lib.statistics.metrics import DAYS_PER_YEAR
from perpfut_lib.statistics.student import jackknife_interval
from perpfut_lib.types import Float2D, Int1D

MEASURES: Final = ("return", "sharpe", "break_even_bps")
PER_DAY: Final = ("return", "gross", "traded")


def window_sums(keys: Int1D, window: Int1D, days: Float2D) -> Float2D:
    """Return what the measures need of each trading window: sums, so that any resample of windows is a sum of rows.

    Parameters
    ----------
    keys : ndarray of int64, shape (W,)
        Start of every window, sorted.
    window : ndarray of int64, shape (n,)
        Window that each day belongs to; several days may share one.
    days : ndarray of float64, shape (n, 3)
        Net return, gross P&L and traded notional of each day, as :data:`PER_DAY` names them.

    Returns
    -------
    ndarray of float64, shape (W, 6)
        Number of days, Σ r, Σ r², Σ ln(1 + r), Σ gross and Σ traded.

    Raises
    ------
    SchemaError
        A day belongs to no window.
    """
    place = np.searchsorted(keys, window)
    if len(window) and (place.max() >= len(keys) or np.any(keys[place] != window)):
        raise SchemaError("a day outside all windows", "the windows of the test span", "evaluate again")
    returns = days[:, 0]
    terms = np.stack([np.ones(len(days)), returns, returns**2, np.log1p(returns), days[:, 1], days[:, 2]], axis=1)
    sums = np.zeros((len(keys), terms.shape[1]))
    np.add.at(sums, place, terms)
    return sums


def measures_of(sums: Float2D) -> Float2D:
    """Return cumulative return, annualised Sharpe ratio and break-even cost (..., 3) of summed windows (..., 6).

    Sharpe ratio NaN where the returns do not vary, break-even cost NaN where nothing is traded.
    """
    count, total, square, growth, gross, traded = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
        variance = np.maximum(square - count * mean**2, 0.0) / (count - 1.0)
        sharpe = np.where(variance > 1e-28, mean / np.sqrt(variance), np.nan) * np.sqrt(DAYS_PER_YEAR)
        break_even = np.where(traded > 0.0, 1e4 * gross / traded, np.nan)
    return np.stack([np.expm1(growth), sharpe, break_even], axis=-1)


def paired_changes(before: Float2D, after: Float2D, level: float = 0.95) -> dict[str, Interval]:
    """Return the change of each measure from one portfolio to another, with paired jackknife intervals.

    The same trading window is left out of both, so that what the market did to both alike cancels.

    Parameters
    ----------
    before, after : ndarray of float64, shape (W, 6)
        Sums of the same W windows, from :func:`window_sums`.
    level : float
        Coverage.

    Returns
    -------
    dict
        By the names in :data:`MEASURES`; bounds are NaN where a measure is not defined without some window.
    """
    if before.shape != after.shape:
        raise SchemaError(f"{len(before)} and {len(after)} windows", "the same windows", "evaluate both on one span")
    estimate, left_out = (
        measures_of(_without(after, one)) - measures_of(_without(before, one)) for one in (False, True)
    )
    return {
        name: jackknife_interval(float(estimate[number]), left_out[:, number], level)
        for number, name in enumerate(MEASURES)
    }


def _without(sums: Float2D, one: bool) -> Float2D:
    """Return the sums of all windows (6,), or of all but each in turn (W, 6)."""
    total: Float2D = sums.sum(axis=0)
    return total - sums if one else total
