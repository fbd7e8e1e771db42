"""The screen: which of all tested pairs are traded, seeing nothing but the formation window."""

from typing import Literal, NamedTuple, Self

import numpy as np
import pandas as pd

from perpfut_lib.cointegration.windows import LagRule, scan_windows
from perpfut_lib.config import CointegrationConfig, ComputeConfig
from perpfut_lib.store.frames import ArrowTable, as_frame
from perpfut_lib.types import Bool1D, Float1D, Int1D

Direction = Literal["best", "both", "listed"]


class Screen(NamedTuple):
    """What a pair has to pass; fields as in :class:`~perpfut_lib.config.CointegrationConfig`."""

    min_corr: float
    """Least Pearson correlation of log prices inside the window."""
    max_pvalue: float
    """Largest p-value of the Engle-Granger test."""
    fdr: float | None = None
    """Benjamini-Yekutieli false-discovery rate over all tests of a window, the uncorrelated pairs' included."""
    top: int | None = None
    """Pairs kept per window, the most correlated first; all by default."""
    direction: Direction = "best"
    """Which regression a pair is judged by: the one with the smaller statistic (``best``), ``both`` (each must pass),
    or the one of the columns' order (``listed``)."""

    @classmethod
    def of(cls, config: CointegrationConfig) -> Self:
        """Return the screen that a configuration asks for."""
        return cls(config.min_correlation, config.max_pvalue, config.fdr, config.top, config.direction)


def scan(  # noqa: PLR0913 (all keyword-only: this is the public signature)
    log_prices: pd.DataFrame | ArrowTable,
    *,
    window: int,
    step: int,
    min_corr: float,
    max_pvalue: float,
    fdr: float | None = None,
    top: int | None = None,
    direction: Direction = "best",
    rule: LagRule = LagRule(),  # noqa: B008 (immutable)
    compute: ComputeConfig | None = None,
) -> pd.DataFrame:
    """Screen all pairs of symbols in rolling windows.

    Parameters
    ----------
    log_prices : DataFrame
        Log prices, one column per symbol, one row per bar, or any Arrow table, such as a polars frame, whose rows are
        then numbered. A symbol that has a NaN in a window, or is constant there, is left out of that window.
    window, step : int
        Bars in a window, and from one window to the next.
    min_corr, max_pvalue, fdr, top, direction
        What a pair has to pass: the fields of :class:`Screen`.
    rule, compute : LagRule and ComputeConfig, optional
        How the residuals' lag is chosen, and where windows are shared out to; by default this process does them all.

    Returns
    -------
    DataFrame
        One row per selected pair, by window and rank: ``first``, ``last`` (index labels of the window's bars), ``y``,
        ``x``, ``correlation``, ``alpha``, ``beta``, ``stat``, ``pvalue``, ``lag``, ``half_life`` (bars), ``hurst``,
        ``spread_mean``, ``spread_std``, ``rank`` (from 1).

    Raises
    ------
    DegenerateSeriesError
        The window is too short for the lags.
    """
    return _screened(log_prices, (window, step), Screen(min_corr, max_pvalue, fdr, top, direction), rule, compute)


def _screened(
    prices: pd.DataFrame | ArrowTable,
    rolling: tuple[int, int],
    screen: Screen,
    rule: LagRule,
    compute: ComputeConfig | None,
) -> pd.DataFrame:
    """Return the pairs that pass ``screen``; ``rolling`` is the window and the step of :func:`scan`."""
    log_prices, (window, step) = as_frame(prices), rolling
    stops = np.arange(window, len(log_prices) + 1, step, dtype=np.int64)
    tests = scan_windows(log_prices.to_numpy(np.float64), stops, window, rule, compute)
    return _labelled(select(tests, screen), log_prices, stops, window)


def _labelled(chosen: pd.DataFrame, log_prices: pd.DataFrame, stops: Int1D, window: int) -> pd.DataFrame:
    """Return selected pairs with the names of their symbols, and the labels of their windows' first and last bars."""
    labels, names, number = log_prices.index, log_prices.columns, chosen.pop("window").to_numpy()
    chosen.insert(0, "first", labels[stops[number] - window])
    chosen.insert(1, "last", labels[stops[number] - 1])
    return chosen.assign(y=names[chosen["y"]], x=names[chosen["x"]])


def select(tests: pd.DataFrame, screen: Screen) -> pd.DataFrame:
    """Return the rows of ``tests`` that pass the screen, one per pair and window, with their ``rank`` from 1."""
    passed = candidates(tests, screen)
    order = ["window", "correlation", "y", "x"]
    passed = passed.sort_values(order, ascending=[True, False, True, True], ignore_index=True)
    passed["rank"] = passed.groupby("window").cumcount().to_numpy(np.int64) + 1
    return passed if screen.top is None else passed[passed["rank"] <= screen.top].reset_index(drop=True)


def candidates(tests: pd.DataFrame, screen: Screen) -> pd.DataFrame:
    """Return the tests that pass, one direction per pair and window, before ranking.

    A collinear pair (statistic minus infinity) never passes: its spread is rounding noise.
    """
    kept = tests[passing(tests, screen)]
    if screen.direction == "listed":
        return kept[kept["y"] < kept["x"]]
    pair = pd.DataFrame(
        {"window": kept["window"], "low": kept[["y", "x"]].min(axis=1), "high": kept[["y", "x"]].max(axis=1)}
    )
    if screen.direction == "both":
        kept, pair = kept[pair.duplicated(keep=False)], pair[pair.duplicated(keep=False)]
    best = kept.sort_values(["window", "stat", "y", "x"])
    return best[~pair.loc[best.index].duplicated()]


def passing(tests: pd.DataFrame, screen: Screen) -> pd.Series:
    """Return which tests pass correlation, p-value and false-discovery rate, each direction for itself."""
    passes = (tests["correlation"] >= screen.min_corr) & (tests["pvalue"] <= screen.max_pvalue)
    passes &= np.isfinite(tests["stat"])
    if screen.fdr is not None:
        counted = tests if screen.direction != "listed" else tests[tests["y"] < tests["x"]]
        discovered = counted.groupby("window")["pvalue"].transform(
            lambda pvalues: benjamini_yekutieli(pvalues.to_numpy(), screen.fdr or 0.0)
        )
        passes &= discovered.astype(bool).reindex(tests.index, fill_value=False)
    return passes


def benjamini_yekutieli(pvalues: Float1D, rate: float) -> Bool1D:
    """Return which hypotheses are rejected at a false-discovery rate, whatever the dependence between the tests.

    The k smallest of m p-values are rejected, k the largest with p_(k) ≤ k q / (m Σ_{i≤m} 1/i); NaN counts as 1.

    References
    ----------
    Benjamini, Y. and Yekutieli, D. (2001), "The control of the false discovery rate in multiple testing under
    dependency", Annals of Statistics 29, 1165-1188.
    """
    count = len(pvalues)
    ordered = np.sort(np.nan_to_num(pvalues, nan=1.0))
    ranks = np.arange(1, count + 1)
    under = np.flatnonzero(ordered <= ranks * rate / (count * np.sum(1.0 / ranks)))
    return pvalues <= ordered[under[-1]] if len(under) else np.zeros(count, bool)
