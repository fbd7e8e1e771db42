"""Placebo panels: what the screen finds where there is nothing to be found."""

from collections.abc import Callable
from typing import Final, Literal

import numpy as np
import pandas as pd

from perpfut_lib.cointegration.scan import Screen, candidates
from perpfut_lib.config import CointegrationConfig
from perpfut_lib.errors import DegenerateSeriesError
from perpfut_lib.types import Float1D, Float2D

Null = Literal["unrelated", "one factor"]
NULLS: Final[tuple[Null, ...]] = ("unrelated", "one factor")
"""``unrelated``: the increments of each column are Fourier-transformed, every coefficient keeps its size and gets a
random phase, independently of the other columns, and the result is cumulated from the column's first price. (The
coefficients of frequency zero and, for an even count, of the highest one are real: they get a random sign.) The
null hypothesis behind it: log prices are integrated, each with the linear autocorrelation of its own increments
(bid-ask bounce, slow reversion), and independent of one another. Then hardly two prices correlate.

``one factor``: the same is done to what is left of the increments after regression on their market factor, the
mean of all columns' standardised increments; then the factor's share is added again, as it was. The null
hypothesis: one random walk moves all prices, what else moves each of them is integrated and its own. Prices
correlate as much as a common factor makes them, and no pair is cointegrated.
"""
ANY_CORRELATION: Final = -1.0
SEED: Final = 20_250_101  # the placebos of one panel are always the same


def phase_randomised(log_prices: Float2D, rng: np.random.Generator, null: Null = "unrelated") -> Float2D:
    """Return surrogate log prices: each series keeps its own spectrum, and what ties them together is destroyed.

    Lost with the phases are clustered volatility and jumps: a surrogate is a stationary Gaussian process.

    Parameters
    ----------
    log_prices : Float2D
        (T, N); NaN before a column's first and after its last price, not between.
    rng : Generator
        Source of the phases.
    null : {"unrelated", "one factor"}
        What the surrogates have in common, see :data:`NULLS`.

    Returns
    -------
    Float2D
        (T, N), NaN where ``log_prices`` is.

    Raises
    ------
    DegenerateSeriesError
        A column has NaN between two prices.

    References
    ----------
    Theiler, J., Eubank, S., Longtin, A., Galdrikian, B. and Farmer, J.D. (1992), "Testing for nonlinearity in time
    series: the method of surrogate data", Physica D 58, 77-94.
    """
    steps = np.diff(log_prices, axis=0)
    kept = _market_share(steps) if null == "one factor" else np.zeros_like(steps)
    surrogate = np.full_like(log_prices, np.nan)
    for column, path in enumerate(log_prices.T):
        first, stop = _listed(path, column)
        if first == stop:
            continue
        own = steps[first : stop - 1, column] - kept[first : stop - 1, column]
        moved = kept[first : stop - 1, column] + _random_phases(own, rng)
        surrogate[first:stop, column] = path[first] + np.concatenate([[0.0], np.cumsum(moved)])
    return surrogate


def _listed(path: Float1D, column: int) -> tuple[int, int]:
    """Return the first row of a column with a price and the row after the last; equal where it has none."""
    known = np.flatnonzero(np.isfinite(path))
    first, stop = (int(known[0]), int(known[-1]) + 1) if len(known) else (0, 0)
    if len(known) != stop - first:
        found = f"column {column} with {stop - first - len(known)} NaN between its prices"
        raise DegenerateSeriesError(found, "none", "fill the gaps first")
    return first, stop


def _market_share(steps: Float2D) -> Float2D:
    """Return the part of each column's increments that its regression on the market factor explains, (T, N)."""
    known = np.isfinite(steps)
    filled = np.where(known, steps, 0.0)
    scale = np.sqrt((filled**2).sum(axis=0) / np.maximum(known.sum(axis=0), 1))
    standardised = filled / np.where(scale > 0.0, scale, 1.0)
    factor = standardised.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    square = known.T @ factor**2
    return np.outer(factor, filled.T @ factor / np.where(square > 0.0, square, 1.0))


def _random_phases(steps: Float1D, rng: np.random.Generator) -> Float1D:
    """Return a real series whose Fourier coefficients have the size of those of ``steps`` and random phases."""
    spectrum = np.fft.rfft(steps)
    turns = np.exp(2j * np.pi * rng.random(len(spectrum)))
    signs = rng.choice([-1.0, 1.0], 2)
    turns[0] = signs[0]
    if len(steps) % 2 == 0:
        turns[-1] = signs[1]
    return np.fft.irfft(spectrum * turns, len(steps))


def screening_rules(config: CointegrationConfig) -> dict[str, Screen]:
    """Return the screens that are compared, by name: with and without correlation, with and without control.

    Controlled ones use the false-discovery rate of the configuration, or its p-value where it sets none.
    """
    rate = config.fdr or config.max_pvalue
    screens = {
        "p-value": (ANY_CORRELATION, config.max_pvalue, None),
        "p-value, correlation": (config.min_correlation, config.max_pvalue, None),
        "Benjamini-Yekutieli": (ANY_CORRELATION, 1.0, rate),
        "Benjamini-Yekutieli, correlation": (config.min_correlation, 1.0, rate),
    }
    return {name: Screen(*numbers, None, config.direction) for name, numbers in screens.items()}


def count_passes(tests: pd.DataFrame, windows: int, config: CointegrationConfig) -> pd.DataFrame:
    """Return one row per window: pairs ``tested``, and those that pass each of :func:`screening_rules`."""
    listed = tests["window"][tests["y"] < tests["x"]]
    passed = {name: candidates(tests, screen)["window"] for name, screen in screening_rules(config).items()}
    counts = {
        name: np.bincount(numbers, minlength=windows).astype(np.int64)
        for name, numbers in {"tested": listed, **passed}.items()
    }
    return pd.DataFrame({"window": np.arange(windows), **counts})


def placebo_counts(
    log_prices: Float2D, test: Callable[[Float2D], pd.DataFrame], windows: int, config: CointegrationConfig
) -> pd.DataFrame:
    """Return :func:`count_passes` of ``config.placebos`` surrogate panels of each null hypothesis.

    Parameters
    ----------
    log_prices : Float2D
        The data, (T, N).
    test : callable
        Takes log prices (T, N) and returns the tests of all pairs and windows.
    windows : int
        Number of windows.
    config : CointegrationConfig
        The screen, and how many placebos.

    Returns
    -------
    DataFrame
        Columns ``null``, ``placebo`` (number), and those of :func:`count_passes`.
    """
    tables = []
    for kind, null in enumerate(NULLS):
        for number in range(config.placebos):
            surrogate = phase_randomised(log_prices, np.random.default_rng([SEED, kind, number]), null)
            counts = count_passes(test(surrogate), windows, config)
            tables.append(counts.assign(null=null, placebo=number))
    names = ["null", "placebo", "window", "tested", *screening_rules(config)]
    return pd.concat(tables, ignore_index=True)[names] if tables else pd.DataFrame(columns=names)


def false_discoveries(data: pd.DataFrame, placebo: pd.DataFrame) -> pd.DataFrame:
    """Return what passes in the data beside what passes in placebos, by rule.

    Parameters
    ----------
    data : DataFrame
        :func:`count_passes` of the data.
    placebo : DataFrame
        Table of :func:`placebo_counts`.

    Returns
    -------
    DataFrame
        By rule: ``passed`` (pairs of the data) and ``share`` (of those tested); for each null hypothesis the share of
        a placebo's pairs that passes, and the false-discovery rate: passes of a placebo over passes of the data, at
        most 1. It supposes that no pair is cointegrated, so it errs upwards by the share of pairs that are.
    """
    rules = [name for name in data.columns if name not in ("window", "tested")]
    found = data[rules].sum()
    columns = {"passed": found, "share": found / max(int(data["tested"].sum()), 1)}
    for null, rows in placebo.groupby("null", sort=False):
        chance = rows[rules].sum().astype(float) / rows["placebo"].nunique()
        columns[f"share, {null}"] = rows[rules].sum().astype(float) / max(int(rows["tested"].sum()), 1)
        columns[f"FDR, {null}"] = (chance / found.where(found > 0)).clip(upper=1.0)
    return pd.DataFrame(columns).rename_axis("rule")
