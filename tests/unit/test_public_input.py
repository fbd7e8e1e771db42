"""What the public functions take: pandas with its index, polars and others through Arrow."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from perpfut_lib.cointegration import engle_granger, scan
from perpfut_lib.errors import IndexMismatchError
from perpfut_lib.kalman import filter_hedge_ratio


@pytest.fixture
def prices():
    rng = np.random.default_rng(5)
    walk = 0.01 * rng.standard_normal(600).cumsum()
    noise = 0.003 * rng.standard_normal((600, 3))
    index = pd.date_range("2025-01-01", periods=600, freq="min", tz="UTC")
    return pd.DataFrame(walk[:, None] + noise, index, ["A", "B", "C"])


def test_series_with_one_index_are_taken_as_their_values(prices):
    """The index changes nothing in the answer; an array beside a series has none to compare."""
    y, x = prices["A"], prices["B"]
    assert engle_granger(y, x) == engle_granger(y.to_numpy(), x.to_numpy()) == engle_granger(y, x.to_numpy())


@pytest.mark.parametrize("change", [lambda x: x.shift(1, freq="min"), lambda x: x[::-1], lambda x: x.iloc[1:]])
def test_series_of_different_times_are_refused_by_name(prices, change):
    """Shifted, reversed and shortened: by position they would be compared at different times."""
    with pytest.raises(IndexMismatchError, match=r"share (599|600) labels.*align"):
        engle_granger(prices["A"], change(prices["B"]))
    with pytest.raises(IndexMismatchError, match=r"share (599|600) labels.*align"):
        filter_hedge_ratio(prices["A"], change(prices["B"]), q=1e-8, r=1e-6)


@pytest.mark.parametrize("library", ["pyarrow", "polars"])
def test_a_frame_that_speaks_arrow_is_scanned_like_pandas(prices, library):
    """Rows are numbered, all else is equal, and pandas keeps its index; series are tested like pandas' own."""
    table = pa.table(prices.reset_index(drop=True))
    if library == "polars":
        table = pytest.importorskip("polars", reason="polars is not installed").from_arrow(table)
    settings = {"window": 300, "step": 100, "min_corr": 0.0, "max_pvalue": 1.0}
    ours, theirs = scan(prices, **settings), scan(table, **settings)
    assert engle_granger(table["A"], table["B"]) == engle_granger(prices["A"], prices["B"])
    assert set(ours["first"]) == set(prices.index[[0, 100, 200, 300]])
    assert theirs["first"].tolist() == prices.index.get_indexer(ours["first"]).tolist()
    pd.testing.assert_frame_equal(ours.iloc[:, 2:], theirs.iloc[:, 2:], check_exact=True)
