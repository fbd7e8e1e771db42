"""Stage "quality": the panel holds what was acquired, fills are masked, and each planted defect is found."""

import numpy as np
import pandas as pd
import pytest

from perpfut_lib.acquire.partitions import write_candles, write_funding
from perpfut_lib.store.build import build_panel
from perpfut_lib.store.panel import FundingEvents
from perpfut_lib.store.quality import audit

MINUTE = 60_000
T0 = pd.Timestamp("2025-01-01", tz="UTC").value // 1_000_000
BARS = 3000


@pytest.fixture
def panel_of(tmp_path):
    """Return a function that stores tables and builds the panel from them."""

    def build(candles, funding=None):
        for symbol, bars in candles.groupby("symbol"):
            write_candles(tmp_path, str(symbol), bars.drop(columns="symbol"))
        for symbol, rows in () if funding is None else funding.groupby("symbol"):
            write_funding(tmp_path, str(symbol), rows.assign(jitter_ms=0))
        return build_panel(tmp_path, candles["symbol"].unique(), T0, T0 + BARS * MINUTE, MINUTE)

    return build


def test_the_panel_holds_what_was_stored(panel_of, make_candles, make_funding):
    candles, funding = make_candles(), make_funding()
    panel = panel_of(candles, funding)
    assert panel.symbols == ("AAA", "BBB", "CCC")
    assert not panel.filled.any() and not panel.close.flags.writeable
    for column, symbol in enumerate(panel.symbols):
        rows = candles[candles["symbol"] == symbol]
        for field in ("open", "high", "low", "close", "volume"):
            assert np.array_equal(getattr(panel, field)[:, column], rows[field])
        assert np.array_equal(panel.funding[symbol].time, funding["funding_time"][:12])


def test_a_hole_repeats_the_last_close_with_zero_volume_and_a_mask(panel_of, make_candles):
    candles = make_candles(symbols=("AAA",))
    panel = panel_of(candles.drop(index=[7, 8]))
    assert np.flatnonzero(panel.filled).tolist() == [7, 8]
    for field in ("open", "high", "low", "close"):
        assert (getattr(panel, field)[7:9] == candles["close"][6]).all()
    assert (panel.volume[7:9] == 0).all()


def test_before_listing_and_after_the_end_the_panel_is_nan_not_filled(panel_of, make_candles):
    panel = panel_of(make_candles(symbols=("AAA",)).iloc[5:-3])
    assert np.isnan(panel.close[:5]).all() and np.isnan(panel.close[-3:]).all()
    assert not panel.filled.any()


def _plant(candles, rows, **values):
    planted = candles.copy()
    for column, value in values.items():
        planted.loc[rows, column] = value
    return planted


def test_a_dead_and_frozen_stretch_is_found_with_place_and_length(panel_of, make_candles):
    """Twenty flat bars without volume: a zero-volume run and a frozen run from 08:20 on."""
    candles = make_candles(symbols=("AAA",))
    price = float(candles["close"][499])
    flat = dict.fromkeys(("open", "high", "low", "close"), price) | {"volume": 0.0}
    report = audit(panel_of(_plant(candles, range(500, 520), **flat)), pays_funding=False)
    found = report.findings[["kind", "start", "bars"]].values.tolist()
    assert found == [["frozen", T0 + 500 * MINUTE, 20], ["zero_volume", T0 + 500 * MINUTE, 20]]
    assert report.summary.loc[0, ["zero_volume", "longest_zero_volume", "longest_frozen"]].tolist() == [20, 20, 20]


def test_a_bad_tick_is_an_outlier_that_comes_back(panel_of, make_candles):
    candles = make_candles(symbols=("AAA",))
    spike = candles["close"][700] * 1.2
    report = audit(panel_of(_plant(candles, [700], close=spike, high=spike)), pays_funding=False)
    assert report.findings["kind"].tolist() == ["outlier", "outlier"]
    assert report.findings["start"].tolist() == [T0 + 700 * MINUTE, T0 + 701 * MINUTE]
    assert report.findings["detail"][0].endswith("and back")


def test_a_filled_gap_is_a_gap_and_neither_dead_nor_frozen(panel_of, make_candles):
    report = audit(panel_of(make_candles(symbols=("AAA",)).drop(index=range(100, 130))), pays_funding=False)
    assert report.findings[["kind", "bars"]].values.tolist() == [["gap", 30]]
    row = report.summary.loc[0]
    assert row[["bars", "missing", "gaps", "longest_gap", "filled"]].tolist() == [BARS - 30, 30, 1, 30, 30]


def test_clean_candles_have_no_findings(panel_of, make_candles, make_funding):
    report = audit(panel_of(make_candles(), make_funding()))
    assert report.findings.empty
    assert (report.summary["settlements"] == 7).all() and (report.summary["funding_interval"] == "8h").all()


def test_funding_that_is_absent_is_a_finding_unless_left_out_on_purpose(panel_of, make_candles, make_funding):
    panel = panel_of(make_candles(), make_funding(("AAA", "BBB")))
    assert audit(panel).findings[["symbol", "kind"]].values.tolist() == [["CCC", "no_funding"]]
    assert audit(panel, pays_funding=False).findings.empty


def _settled(panel, hours):
    time = T0 + np.array(hours) * 3_600_000
    events = FundingEvents(time, np.full(len(time), 1e-4))
    return type(panel)(**(vars(panel) | {"funding": {"AAA": events}}))


@pytest.mark.parametrize(
    "hours, kinds",
    [
        ([0, 8, 16, 24, 32, 40, 48], []),
        ([0, 8, 16, 32, 40, 48, 56], ["missing_settlement"]),
        ([0, 8, 16, 24, 28, 32, 36, 40, 44, 48], ["interval_change"]),
        ([0, 4, 8, 12, 16, 20, 21, 22, 23, 24, 25, *range(26, 51)], ["interval_change"]),
        ([0, 8, 16, 24, 32], ["missing_settlement"]),  # 40 and 48 never came
        ([16, 24, 32, 40, 48], ["missing_settlement"]),  # nor did 8
    ],
)
def test_settlements_that_are_missing_are_told_from_intervals_that_change(panel_of, make_candles, hours, kinds):
    panel = _settled(panel_of(make_candles(symbols=("AAA",))), hours)
    assert audit(panel).findings["kind"].tolist() == kinds
