"""A market read window by window from disk gives what the whole panel in memory gives, on any number of workers."""

import numpy as np
import pandas as pd
import pytest

from perpfut_lib.acquire.partitions import write_candles, write_funding
from perpfut_lib.acquire.sim import read_simulation
from perpfut_lib.calendar import trading_windows
from perpfut_lib.cointegration.stage import choose_pair_days, window_tests
from perpfut_lib.cointegration.stored import Stored, stored_pair_days
from perpfut_lib.config import Profile, SimulationConfig
from perpfut_lib.errors import ConfigError
from perpfut_lib.features import compute, feature_spec
from perpfut_lib.features.stored import stored_features
from perpfut_lib.store.build import build_panel
from perpfut_lib.types import DAY_MS, MINUTE_MS

GAP = 3
PROFILE = Profile.model_validate(
    {
        "split": {"train": 0.5, "validate": 0.25},
        "cointegration": {"formation": "1d", "placebos": 0, "min_correlation": 0.0, "max_pvalue": 0.5},
        "compute": {"workers": 1},
    }
)


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    """Write ten days of four symbols to disk, one with gaps on both edges of windows; return store and panel."""
    root = tmp_path_factory.mktemp("stored")
    simulated = read_simulation(SimulationConfig(days=10, symbols=4, planted_pairs=2, half_life="15m", seed=13))
    for symbol, bars in simulated.candles.items():
        minute = (bars["open_time"].to_numpy() // MINUTE_MS) % 1440
        lacking = np.isin(minute, (1438, 1439, 0)) if symbol == "SIM01USDT" else np.zeros(len(bars), bool)
        lacking[[0, -1]] = False  # a gap lies between bars
        write_candles(root, symbol, bars[~lacking])
        write_funding(root, symbol, simulated.funding[symbol])
    symbols = tuple(sorted(simulated.candles))
    start = int(simulated.candles[symbols[0]]["open_time"].iloc[0])
    panel = build_panel(root, symbols, start, start + 10 * DAY_MS, MINUTE_MS)
    return Stored(root, symbols, MINUTE_MS, GAP), panel


@pytest.fixture(scope="module")
def windows(market):
    return trading_windows(market[1].grid(), PROFILE.cointegration, PROFILE.split)


@pytest.fixture(scope="module")
def pair_days(market, windows):
    tests = window_tests(market[1], windows, PROFILE)
    return choose_pair_days(market[1], windows, tests, PROFILE.cointegration)


@pytest.mark.parametrize("compute", [{"workers": 1}, {"workers": 2}, {"backend": "dask", "workers": 2}])
def test_windows_from_disk_select_what_the_whole_panel_selects(market, windows, pair_days, compute):
    """H0: which worker read a window changes no byte of its pair-days, gaps on its edges included."""
    profile = PROFILE.changed({f"compute.{key}": value for key, value in compute.items()})
    found = stored_pair_days(market[0], windows, profile)
    pd.testing.assert_frame_equal(found, pair_days, check_exact=True)
    assert len(found) > 10


def test_features_from_disk_differ_by_what_the_warm_up_forgets(market, pair_days, tmp_path):
    """From the first bar of the data they are equal bit by bit; a day of warm-up leaves less than single precision."""
    stored, panel = market
    whole = compute(feature_spec(PROFILE.features), panel, pair_days, formation=DAY_MS)
    later = pair_days[pair_days["start"] >= panel.open_time[0] + 4 * DAY_MS]
    files = stored_features(stored, later, PROFILE, tmp_path, DAY_MS)
    for start, path in files.items():
        expected = whole[(pair_days["start"] == start).to_numpy()]
        np.testing.assert_allclose(np.load(path), expected, rtol=1e-6, atol=1e-6)
    first = pair_days[pair_days["start"] == pair_days["start"].min()]
    inside = stored._replace(margin=0)
    path = stored_features(inside, first, PROFILE, tmp_path, 0)[int(first["start"].iloc[0])]
    assert np.array_equal(np.load(path), whole[: len(first)], equal_nan=True)


def test_a_screen_that_looks_at_the_whole_data_is_refused(market, windows):
    """The original study's correlation over all days is none that a window knows."""
    with pytest.raises(ConfigError, match=r"cointegration\.correlation=whole"):
        stored_pair_days(market[0], windows, PROFILE.changed({"cointegration.correlation": "whole"}))
