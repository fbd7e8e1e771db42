"""Differences between two portfolios over the same calendar, with intervals that pair them window by window."""

from typing import Final

import numpy as np

from perpfut_lib.errors import SchemaError
from perpfut_lib.statistics.bootstrap import Interval, Resampling, resample_indices
from perpfut_lib.statistics.metrics import DAYS_PER_YEAR
from perpfut_lib.types import Float1D, Float2D, Int1D

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


def paired_changes(before: Float2D, after: Float2D, resampling: Resampling) -> dict[str, Interval]:
    """Return the change of each measure from one portfolio to another, with paired block-bootstrap intervals.

    The same trading windows are drawn for both, so that what the market did to both alike cancels.

    Parameters
    ----------
    before, after : ndarray of float64, shape (W, 6)
        Sums of the same W windows, from :func:`window_sums`.
    resampling : Resampling
        Block length in windows, resamples, level and seed.

    Returns
    -------
    dict
        By the names in :data:`MEASURES`; bounds are NaN where fewer than half of the resamples define the measure.
    """
    if before.shape != after.shape:
        raise SchemaError(f"{len(before)} and {len(after)} windows", "the same windows", "evaluate both on one span")
    drawn = resample_indices(len(before), resampling)
    estimate = measures_of(after.sum(axis=0)) - measures_of(before.sum(axis=0))
    changes = measures_of(after[drawn].sum(axis=1)) - measures_of(before[drawn].sum(axis=1))
    return {name: _interval(float(estimate[k]), changes[:, k], resampling.level) for k, name in enumerate(MEASURES)}


def _interval(estimate: float, values: Float1D, level: float) -> Interval:
    defined = values[np.isfinite(values)]
    if 2 * len(defined) < len(values):
        return Interval(estimate, float("nan"), float("nan"), level)
    lower, upper = np.quantile(defined, ((1.0 - level) / 2.0, (1.0 + level) / 2.0))
    return Interval(estimate, float(lower), float(upper), level)
