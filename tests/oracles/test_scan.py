"""The scan against one test at a time, against statsmodels' multiple-testing rules, and against the future."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from perpfut_lib.cointegration import engle_granger, scan
from perpfut_lib.cointegration.scan import benjamini_yekutieli
from perpfut_lib.cointegration.windows import LagRule, scan_windows
from perpfut_lib.config import ComputeConfig
from perpfut_lib.errors import DegenerateSeriesError
from perpfut_lib.types import Float2D


def _log_prices(bars: int = 900, seed: int = 3) -> pd.DataFrame:
    """Return five symbols: A and B share a trend, C and D another, E walks alone."""
    rng = np.random.default_rng(seed)
    walks = 0.01 * rng.standard_normal((bars, 3)).cumsum(axis=0)
    noise = 0.01 * rng.standard_normal((bars, 5))
    columns = walks[:, [0, 0, 1, 1, 2]] * [1.0, 0.7, 1.0, 1.5, 1.0] + noise
    return pd.DataFrame(columns, columns=list("ABCDE"), index=pd.RangeIndex(1000, 1000 + bars))


def test_every_row_is_one_engle_granger_test() -> None:
    """H0: the scan is a loop over windows and ordered pairs of the public test, to the last bit."""
    prices = _log_prices()
    table = scan_windows(prices.to_numpy(), np.array([300, 450, 900]), 300, LagRule(autolag="bic"))
    assert len(table) == 3 * 20
    for row in table.itertuples():
        stop = (300, 450, 900)[row.window]
        block = prices.iloc[stop - 300 : stop]
        y, x = block.iloc[:, row.y], block.iloc[:, row.x]
        alone = engle_granger(y, x, autolag="bic")
        assert alone == (row.stat, row.pvalue, row.alpha, row.beta, row.lag, row.half_life, row.hurst)
        assert row.correlation == pytest.approx(np.corrcoef(y, x)[0, 1], abs=1e-12)
        spread = y - row.alpha - row.beta * x
        assert (row.spread_mean, row.spread_std) == pytest.approx((spread.mean(), spread.std()), abs=1e-12)


def test_workers_do_not_change_a_byte() -> None:
    """H0: sharing the windows out to processes changes nothing."""
    prices = _log_prices()
    keywords = {"window": 200, "step": 50, "min_corr": 0.3, "max_pvalue": 0.2}
    alone = scan(prices, **keywords, compute=ComputeConfig(workers=1))
    pd.testing.assert_frame_equal(alone, scan(prices, **keywords, compute=ComputeConfig(workers=2)), check_exact=True)


def test_a_dask_cluster_does_not_change_a_byte() -> None:
    """H0: one setting moves the scan to a Dask cluster, and every byte of its tests stays the same."""
    prices, stops = _log_prices().to_numpy(), np.arange(200, 901, 50)
    here, there = (
        scan_windows(prices, stops, 200, LagRule(), ComputeConfig(backend=backend, workers=2))
        for backend in ("local", "dask")
    )
    assert here.dtypes.equals(there.dtypes)
    assert all(here[name].to_numpy().tobytes() == there[name].to_numpy().tobytes() for name in here)


def test_a_correlation_that_comes_later_is_not_seen() -> None:
    """Symbols that move as one after the formation window only do not pass its correlation screen, nor a longer one's.

    Over all bars, future included, they correlate far above the bound that they miss in formation.
    """
    prices = _log_prices(1200)
    trend = np.concatenate([np.zeros(300), 0.05 * np.random.default_rng(0).standard_normal(900).cumsum()])
    prices["A"] += trend
    prices["E"] += trend
    keywords = {"window": 300, "step": 900, "min_corr": 0.9, "max_pvalue": 1.0}
    chosen = scan(prices, **keywords)
    pair = chosen["y"].isin(["A", "E"]) & chosen["x"].isin(["A", "E"])
    assert chosen.loc[pair, "first"].tolist() == [1900]
    assert prices["A"].corr(prices["E"]) > 0.9


def test_selects_the_planted_pairs_and_ranks_by_correlation() -> None:
    """The planted pairs pass in every window, once each, the most correlated first; labels are the window's bars."""
    chosen = scan(_log_prices(), window=600, step=300, min_corr=0.5, max_pvalue=1e-4)
    assert chosen["first"].unique().tolist() == [1000, 1300]
    assert chosen["last"].unique().tolist() == [1599, 1899]
    for _, rows in chosen.groupby("first"):
        assert {frozenset(pair) for pair in zip(rows["y"], rows["x"], strict=True)} == {
            frozenset("AB"),
            frozenset("CD"),
        }
        assert rows["rank"].tolist() == [1, 2]
        assert rows["correlation"].is_monotonic_decreasing
    assert len(scan(_log_prices(), window=600, step=300, min_corr=0.5, max_pvalue=1e-4, top=1)) == 2


def test_directions() -> None:
    """``best`` keeps the smaller statistic of both directions, ``both`` needs both to pass, ``listed`` tests one."""
    keywords = {"window": 300, "step": 100, "min_corr": -1.0, "max_pvalue": 0.1}
    every = scan_windows(_log_prices().to_numpy(), np.arange(300, 901, 100), 300, LagRule())
    passes = every[every["pvalue"] <= 0.1]
    pair = [passes["window"], passes[["y", "x"]].min(axis=1), passes[["y", "x"]].max(axis=1)]
    best = scan(_log_prices(), **keywords)
    assert sorted(best["stat"]) == sorted(passes.groupby(pair)["stat"].min())
    both = passes.groupby(pair)["stat"].agg(["min", "size"]).query("size == 2")
    assert sorted(scan(_log_prices(), **keywords, direction="both")["stat"]) == sorted(both["min"])
    listed = scan(_log_prices(), **keywords, direction="listed")
    assert (listed["y"] < listed["x"]).all()
    assert len(listed) == (passes["y"] < passes["x"]).sum()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0.001, 0.5))
def test_benjamini_yekutieli_is_that_of_statsmodels(pvalues: list[float], rate: float) -> None:
    """H0: the same hypotheses are rejected as by ``multipletests(method="fdr_by")``."""
    expected = multipletests(pvalues, alpha=rate, method="fdr_by")[0]
    assert benjamini_yekutieli(np.array(pvalues), rate).tolist() == expected.tolist()


def test_false_discovery_rate_counts_every_test_of_a_window() -> None:
    """With ``fdr`` a pair passes only if its p-value survives Benjamini-Yekutieli over all 20 tests of its window."""
    every = scan_windows(_log_prices().to_numpy(), np.array([300]), 300, LagRule())
    survivors = every[benjamini_yekutieli(every["pvalue"].to_numpy(), 0.05)]
    chosen = scan(_log_prices().iloc[:300], window=300, step=1, min_corr=-1.0, max_pvalue=1.0, fdr=0.05)
    assert 0 < len(chosen) == len({frozenset(pair) for pair in zip(survivors["y"], survivors["x"], strict=True)})


@given(st.integers(0, 2**32 - 1))
def test_the_future_changes_no_test(seed: int) -> None:
    """H0 (no look-ahead): prices after a window do not change its tests, the correlation included."""
    prices = _log_prices(400).to_numpy()
    changed = prices.copy()
    changed[250:] += np.random.default_rng(seed).standard_normal((150, 5))
    before, after = (scan_windows(panel, np.array([200, 250]), 200, LagRule()) for panel in (prices, changed))
    pd.testing.assert_frame_equal(before, after, check_exact=True)


def _with(column: int, values: object) -> Float2D:
    prices = _log_prices().to_numpy().copy()
    prices[100:200, column] = values
    return prices


@pytest.mark.parametrize("values", [np.nan, 1.0])
def test_symbols_that_cannot_be_tested_are_left_out_of_their_window_only(values: float) -> None:
    """A symbol with NaN, or constant, is left out of the windows it spoils; the others' tests do not change."""
    table = scan_windows(_with(4, values), np.array([200, 900]), 100, LagRule())
    clean = scan_windows(_log_prices().to_numpy(), np.array([200, 900]), 100, LagRule())
    first = clean[(clean["window"] == 0) & (clean["y"] != 4) & (clean["x"] != 4)]
    expected = pd.concat([first, clean[clean["window"] == 1]], ignore_index=True)
    pd.testing.assert_frame_equal(table, expected, check_exact=True)


def test_collinear_pairs_never_pass() -> None:
    """A copy of a symbol has statistic minus infinity and p-value 0, and is not selected: its spread is noise."""
    prices = _log_prices().assign(F=lambda table: 2.0 * table["A"] + 1.0)
    chosen = scan(prices, window=900, step=1, min_corr=0.9, max_pvalue=0.05)
    assert not ((chosen["y"].isin(["A", "F"])) & (chosen["x"].isin(["A", "F"]))).any()


def test_a_window_too_short_for_the_lags_is_an_error() -> None:
    """Twenty bars leave no degree of freedom for nine lags."""
    with pytest.raises(DegenerateSeriesError, match="20 bars"):
        scan(_log_prices(), window=20, step=1, min_corr=0.0, max_pvalue=1.0)
