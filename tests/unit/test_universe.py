"""Universe: names on both venues, listings from history, ragged panels, and eligibility that knows no future."""

import csv

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perpfut_lib.acquire.listings import match_names, read_listings
from perpfut_lib.artifacts import Run
from perpfut_lib.cointegration.stage import window_tests
from perpfut_lib.config import Profile, UniverseConfig, format_time
from perpfut_lib.errors import MissingInputError, SchemaError
from perpfut_lib.pipeline import ensure
from perpfut_lib.store.panel import Panel
from perpfut_lib.store.stage import load_panel, load_quality, load_universe
from perpfut_lib.types import DAY_MS, HOUR_MS
from perpfut_lib.universe import eligible_at, eligible_windows

T0 = 1_735_689_600_000


def test_thousands_are_matched_and_names_need_not_be_guessed():
    coins = ["BTC", "kPEPE", "kNEIRO", "PURR", "kBONK"]
    symbols = ["BTCUSDT", "1000PEPEUSDT", "NEIROUSDT", "1000BONKUSDT", "PEPEUSDC"]
    expected = {"1000BONKUSDT": "kBONK", "1000PEPEUSDT": "kPEPE", "BTCUSDT": "BTC", "NEIROUSDT": "kNEIRO"}
    assert match_names(coins, symbols) == expected


def test_every_pair_of_the_recorded_overlap_is_matched(shared_data):
    with (shared_data / "universe" / "hyperliquid_binance_overlap.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["binance_symbol"]]
    matched = match_names([row["hyperliquid"] for row in rows], [row["binance_symbol"] for row in rows])
    assert matched == {row["binance_symbol"]: row["hyperliquid"] for row in rows}


def test_listings_come_from_hyperliquids_own_history(shared_data):
    spans = read_listings(shared_data / "market" / "hyperliquid_funding_1h_2024-05_2025-04.parquet")
    assert len(spans) == 179
    assert format_time(spans["AI16Z"].start) == "2025-01-01 05:00"
    assert format_time(spans["BNT"].end) == "2025-04-03 19:00"


def test_listings_that_are_not_there_are_named(tmp_path):
    with pytest.raises(MissingInputError, match=r"universe\.hyperliquid"):
        read_listings(tmp_path / "none.parquet")
    with pytest.raises(SchemaError, match="no downloads in"):
        read_listings(tmp_path)


def _profile(shared_data, **universe):
    market = shared_data / "market"
    data = {
        "source": "files",
        "files": (
            market / "binance_usdm_1h_2024-05_2025-04_50sym_complete.parquet",
            market / "binance_usdm_1h_2024-05_2025-04_partial_and_late_listings.parquet",
        ),
        "funding": "none",
        "coverage": "ragged",
    }
    return Profile.model_validate({"data": data, "universe": universe})


def test_a_ragged_panel_knows_when_each_symbol_was_listed_on_both_venues(shared_data, tmp_path):
    """TRUMP came to Hyperliquid before Binance, ALGO after; a coin that Hyperliquid never had is out."""
    run = Run(tmp_path)
    listing = shared_data / "market" / "hyperliquid_funding_1h_2024-05_2025-04.parquet"
    ensure("quality", _profile(shared_data, hyperliquid=listing), run)
    panel, table = load_panel(run), load_universe(run).set_index("symbol")

    def first_bar(symbol):
        return format_time(int(panel.open_time[np.flatnonzero(~np.isnan(panel.close[:, panel.column(symbol)]))[0]]))

    assert (first_bar("TRUMPUSDT"), first_bar("ALGOUSDT")) == ("2025-01-18 13:00", "2024-12-04 13:00")
    assert first_bar("1000PEPEUSDT") == "2024-05-01 00:00"
    assert "HIGHUSDT" not in panel.symbols
    assert table.loc["HIGHUSDT", "reason"] == "Hyperliquid's listing does not cover the window (nothing)"
    assert table.loc["TRUMPUSDT", "reason"].startswith("2025-01-18 13:00 to 2025-05-01 00:00; candles do not cover")
    assert not panel.filled.any()
    summary = load_quality(run).summary.set_index("symbol")
    assert summary.loc["TRUMPUSDT", "bars"] == 2459


def _panel(rng, bars=72, symbols=4, listed=None):
    price, volume = rng.uniform(1, 2, (bars, symbols)), rng.uniform(0, 9, (bars, symbols))
    price[: rng.integers(0, bars) if listed is None else listed, 0] = np.nan
    arrays = {name: price.copy() for name in ("open", "high", "low", "close")}
    names = tuple(f"S{k}" for k in range(symbols))
    time = T0 + HOUR_MS * np.arange(bars)
    filled = np.zeros((bars, symbols), bool)
    return Panel(time, names, HOUR_MS, volume=volume, filled=filled, funding={}, **arrays)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 2))
def test_nothing_after_the_moment_changes_the_verdict(seed, days):
    """Null hypothesis: some change of bars at or after ``as_of`` changes what is eligible."""
    panel, as_of, config = _panel(np.random.default_rng(seed)), T0 + 2 * DAY_MS, UniverseConfig(min_turnover=140)
    before = eligible_at(panel, as_of, days * DAY_MS, config)
    later = {name: getattr(panel, name).copy() for name in ("open", "high", "low", "close", "volume")}
    for values in later.values():
        values[48:] = np.random.default_rng(seed + 1).choice([np.nan, 1e9], values[48:].shape)
    after = eligible_at(Panel(**(vars(panel) | later)), as_of, days * DAY_MS, config)
    pd.testing.assert_frame_equal(before, after)


def test_reasons_tell_missing_bars_from_thin_trading():
    panel = _panel(np.random.default_rng(3), listed=44)
    table = eligible_at(panel, T0 + 2 * DAY_MS, DAY_MS, UniverseConfig(min_turnover=165))
    turnover = (panel.close * panel.volume)[24:48].sum(axis=0)
    assert np.allclose(table["turnover"][1:], turnover[1:])
    assert table["eligible"].tolist() == [reason.startswith("in: ") for reason in table["reason"]]
    assert table["reason"][0] == "out: 4 of 24 bars"


def test_a_formation_window_outside_the_panel_is_refused():
    with pytest.raises(MissingInputError, match="24 on the panel"):
        eligible_at(_panel(np.random.default_rng(3)), T0, DAY_MS, UniverseConfig())


def test_the_scan_tests_only_pairs_that_traded_enough_before_the_window():
    """S1 stops trading for a day: no pair with it in the window after, all pairs in the window before."""
    panel = _panel(np.random.default_rng(4), bars=24 * 6, listed=0)
    volume = panel.volume.copy()
    volume[72:96, 1] = 0.0
    panel = Panel(**(vars(panel) | {"volume": volume}))
    starts = T0 + DAY_MS * np.array([3, 4])
    windows = pd.DataFrame({"row": [72, 96], "start": starts, "end": starts + DAY_MS, "split": "train"})
    settings_ = {"cointegration": {"formation": "1d", "maxlag": 1, "autolag": None}, "universe": {"min_turnover": 50}}
    tests = window_tests(panel, windows, Profile.model_validate(settings_))
    symbols = [set(tests[tests["window"] == window][["y", "x"]].to_numpy().ravel()) for window in (0, 1)]
    assert symbols == [{0, 1, 2, 3}, {0, 2, 3}]
    assert eligible_windows(panel, starts, DAY_MS, UniverseConfig(min_turnover=50)).tolist() == [
        [True] * 4,
        [True, False, True, True],
    ]
