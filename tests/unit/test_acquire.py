"""Stage "acquire" on files: what is read is what was there, and each planted defect ends in its named error."""

import re

import numpy as np
import pandas as pd
import pytest

from perpfut_lib.acquire import stage
from perpfut_lib.acquire.partitions import candle_symbols, read_candles, read_funding
from perpfut_lib.artifacts import Run
from perpfut_lib.config import DataConfig, Profile
from perpfut_lib.errors import (
    DuplicateBarError,
    FundingError,
    GapError,
    MissingInputError,
    PriceError,
    SchemaError,
    SplitError,
    TimestampError,
    UniverseError,
)

MINUTE = 60_000
T0 = pd.Timestamp("2025-01-01", tz="UTC").value // 1_000_000


@pytest.fixture
def acquire(tmp_path, make_candles, make_funding):
    """Return a function that runs the stage on tables and returns its folder."""

    def run(candles=None, funding=None, suffix=".parquet", universe=None, split=None, **settings):
        tables = {"files": make_candles() if candles is None else candles}
        if settings.get("funding_none"):
            settings["funding"] = settings.pop("funding_none")
        else:
            tables["funding"] = make_funding() if funding is None else funding
        for role, table in tables.items():
            path = tmp_path / f"{role}{suffix}"
            {".parquet": table.to_parquet, ".feather": table.to_feather}.get(suffix, table.to_csv)(
                path, **({"index": False} if suffix != ".feather" else {})
            )
            settings[role] = path
        sections = {"data": {"source": "files", **settings}, "universe": universe or {}, "split": split or {}}
        profile = Profile.model_validate(sections)
        runs = Run(tmp_path / "run")
        stage.fingerprint(profile)
        with runs.commit("acquire", {}) as folder:
            stage.run_stage(profile, runs, folder)
        return runs.stage("acquire")

    yield run
    left = [path.name for path in (tmp_path / "run").glob("*")] if (tmp_path / "run").exists() else []
    assert left in ([], ["acquire"])  # a failed stage leaves nothing behind


@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".csv"])
def test_every_format_comes_back_as_it_went_in(acquire, make_candles, suffix):
    """Shuffled rows and foreign columns change nothing: the bytes of every number survive."""
    candles = make_candles()
    shuffled = candles.assign(source="x").sample(frac=1, random_state=1).reset_index(drop=True)
    folder = acquire(shuffled, suffix=suffix)
    assert candle_symbols(folder.path) == ("AAA", "BBB", "CCC")
    for symbol in ("AAA", "BBB", "CCC"):
        expected = candles[candles["symbol"] == symbol].drop(columns="symbol").reset_index(drop=True)
        pd.testing.assert_frame_equal(read_candles(folder.path, symbol), expected, check_exact=True)


def test_date_times_count_as_utc(acquire, make_candles):
    candles = make_candles()
    folder = acquire(candles.assign(open_time=pd.to_datetime(candles["open_time"], unit="ms")))
    assert read_candles(folder.path, "AAA")["open_time"].iloc[0] == T0


def test_partitions_are_months(acquire, make_candles, make_funding):
    folder = acquire(make_candles(start="2025-01-31"), make_funding(start="2025-01-31"))
    names = sorted(path.name for path in (folder.path / "candles" / "AAA").iterdir())
    assert names == ["2025-01.parquet", "2025-02.parquet"]


def test_funding_jitter_is_rounded_down_and_kept_apart(acquire, make_funding):
    funding = make_funding()
    late = np.random.default_rng(0).integers(0, 21, len(funding))
    folder = acquire(funding=funding.assign(funding_time=funding["funding_time"] + late))
    stored = read_funding(folder.path, "AAA")
    assert (stored["funding_time"] % MINUTE == 0).all()
    raw = (funding["funding_time"] + late)[:12].tolist()
    assert (stored["funding_time"] + stored["jitter_ms"]).tolist() == raw[: len(stored)]
    assert len(stored) == 10  # the window's 50 hours and a day after it


PLANTED_PRICES = {
    "nan": ("close", np.nan, PriceError, "BBB at 2025-01-01 08:20 with close nan"),
    "infinite": ("high", np.inf, PriceError, "BBB at 2025-01-01 08:20 with high inf"),
    "zero": ("low", 0.0, PriceError, "BBB at 2025-01-01 08:20 with low 0"),
    "negative": ("open", -3.0, PriceError, "BBB at 2025-01-01 08:20 with open -3"),
    "negative volume": ("volume", -1.0, PriceError, "BBB at 2025-01-01 08:20 with volume -1"),
    "high too low": ("high", 1.0, PriceError, "BBB at 2025-01-01 08:20 with high 1, open"),
    "low too high": ("low", 1e6, PriceError, "BBB at 2025-01-01 08:20 with high"),
}


@pytest.mark.parametrize("column, value, error, text", PLANTED_PRICES.values(), ids=list(PLANTED_PRICES))
def test_a_planted_price_is_named_with_symbol_time_and_value(acquire, make_candles, column, value, error, text):
    candles = make_candles()
    candles.loc[(candles["symbol"] == "BBB") & (candles["open_time"] == T0 + 500 * MINUTE), column] = value
    with pytest.raises(error, match=text):
        acquire(candles)


def _without(candles, first, bars, symbol="BBB"):
    """Drop ``bars`` bars of a symbol from row ``first``."""
    start = T0 + first * MINUTE
    inside = (candles["open_time"] >= start) & (candles["open_time"] < start + bars * MINUTE)
    return candles[~((candles["symbol"] == symbol) & inside)]


def test_a_gap_is_named_with_its_place_and_length(acquire, make_candles):
    text = r"BBB lacking 90 bars of 1m in 1 gap\(s\): 2025-01-01 08:20 to 2025-01-01 09:49"
    with pytest.raises(GapError, match=text):
        acquire(_without(make_candles(), 500, 90))


def test_a_gap_within_the_allowance_passes_and_one_bar_more_does_not(acquire, make_candles):
    acquire(_without(make_candles(), 500, 3), max_gap_bars=3)
    with pytest.raises(GapError, match="max_gap_bars = 3"):
        acquire(_without(make_candles(), 500, 4), max_gap_bars=3)


def test_gaps_can_be_avoided(acquire, make_candles):
    """With the hole early in BBB, the largest product is all three symbols after the hole."""
    window = acquire(_without(make_candles(), 100, 5), gaps="avoid").read_json("window.json")
    assert window["start"] == T0 + 105 * MINUTE
    assert window["symbols"] == ["AAA", "BBB", "CCC"]


def test_a_window_after_the_gap_is_no_error(acquire, make_candles, make_funding):
    candles = make_candles(bars=5000)
    window = acquire(_without(candles, 500, 90), make_funding(settlements=20), start="2025-01-02")
    assert window.read_json("window.json")["start"] == T0 + 1440 * MINUTE


def test_duplicated_bars_are_counted(acquire, make_candles):
    candles = make_candles()
    with pytest.raises(DuplicateBarError, match="2 duplicated bars of AAA, the first at 2025-01-01 00:10"):
        acquire(pd.concat([candles, candles.iloc[10:12]]))


@pytest.mark.parametrize("column", ["symbol", "open_time", "high", "volume"])
def test_a_missing_column_is_named_with_those_that_are_there(acquire, make_candles, column):
    with pytest.raises(SchemaError, match=f"without column {column} "):
        acquire(make_candles().rename(columns={column: "other"}))


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_text_where_numbers_belong_is_a_schema_error(acquire, make_candles, suffix):
    candles = make_candles().astype({"close": str})
    candles.loc[0, "close"] = "n/k"
    with pytest.raises(SchemaError, match=r"column close of type .*string"):
        acquire(candles, suffix=suffix)


def test_days_are_no_times(acquire, make_candles):
    candles = make_candles()
    with pytest.raises(TimestampError, match="open_time = 20089 in row 0"):
        acquire(candles.assign(open_time=candles["open_time"] // 86_400_000))


def test_bars_off_the_grid_are_named(acquire, make_candles):
    candles = make_candles()
    late = candles["open_time"] + 7 * (candles["symbol"] == "CCC")
    with pytest.raises(TimestampError, match=r"CCC at 2025-01-01 00:00:00.007, 7 ms off the grid \(3000 such bars\)"):
        acquire(candles.assign(open_time=late))


def test_symbols_of_another_timeframe_are_named(acquire, make_candles):
    hourly = make_candles(symbols=("HHH",), bars=50, timeframe=60 * MINUTE)
    with pytest.raises(TimestampError, match="bars of HHH that are 1h apart; expected bars of 1m throughout"):
        acquire(pd.concat([make_candles(), hourly]))


def test_a_symbol_that_changes_its_timeframe_is_named(acquire, make_candles):
    candles = make_candles()
    coarse = candles["open_time"] % (5 * MINUTE) == 0
    mixed = candles[(candles["symbol"] != "BBB") | (candles["open_time"] < T0 + 2000 * MINUTE) | coarse]
    with pytest.raises(TimestampError, match="bars of BBB that are 5m apart from 2025-01-02 09:20"):
        acquire(mixed)


def test_another_timeframe_than_asked_for_is_refused(acquire):
    with pytest.raises(TimestampError, match="1m apart; expected bars of 1h"):
        acquire(timeframe="1h")


def test_symbols_asked_for_must_be_there(acquire):
    with pytest.raises(MissingInputError, match="no candles of ZZZ; expected some of AAA, BBB, CCC"):
        acquire(symbols=["AAA", "ZZZ"])


@pytest.mark.parametrize("dates", [{"start": "2024-12-31"}, {"end": "2025-01-09"}, {"start": "2025-03-01"}])
def test_dates_outside_the_data_are_refused(acquire, dates):
    with pytest.raises(MissingInputError, match="between 2025-01-01 00:00 and 2025-01-03 02:00"):
        acquire(**dates)


def test_files_must_exist(acquire, tmp_path):
    with pytest.raises(MissingInputError, match=re.escape(str(tmp_path / "no.parquet"))):
        profile = Profile.model_validate(
            {"data": {"source": "files", "files": tmp_path / "no.parquet", "funding": "none"}}
        )
        stage.fingerprint(profile)


@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".csv"])
def test_a_broken_file_is_a_schema_error(tmp_path, suffix):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(b"")
    profile = Profile.model_validate({"data": {"source": "files", "files": path, "funding": "none"}})
    with pytest.raises(SchemaError, match="cannot be read"):
        stage.read_source(profile.data)


def test_an_unknown_ending_is_a_schema_error(tmp_path):
    path = tmp_path / "candles.xlsx"
    path.write_bytes(b"x")
    profile = Profile.model_validate({"data": {"source": "files", "files": path, "funding": "none"}})
    with pytest.raises(SchemaError, match=r"expected a name ending in \.parquet"):
        stage.read_source(profile.data)


def test_an_empty_table_is_a_schema_error(acquire, make_candles):
    with pytest.raises(SchemaError, match="without rows"):
        acquire(make_candles().iloc[:0])


@pytest.mark.parametrize("rate", [np.nan, np.inf, 1.5])
def test_a_bad_funding_rate_is_named(acquire, make_funding, rate):
    funding = make_funding()
    funding.loc[3, "funding_rate"] = rate
    with pytest.raises(FundingError, match=f"funding rate {rate} of AAA at 2025-01-02 00:00"):
        acquire(funding=funding)


def test_a_settlement_twice_is_named(acquire, make_funding):
    funding = make_funding()
    with pytest.raises(FundingError, match="of AAA that share a minute, first 2025-01-01 08:00"):
        acquire(funding=pd.concat([funding, funding.iloc[1:2]]))


def test_a_symbol_without_funding_is_left_out_with_its_reason(acquire, make_funding):
    folder = acquire(funding=make_funding(("AAA", "CCC")))
    window = folder.read_json("window.json")
    assert window["symbols"] == ["AAA", "CCC"]
    assert window["source"]["BBB"]["reason"] == "out: funding rates do not cover the window (nothing)"


def test_a_symbol_without_funding_stays_where_funding_is_not_required(acquire, make_funding):
    folder = acquire(funding=make_funding(("AAA", "CCC")), universe={"require_funding": False})
    assert folder.read_json("window.json")["symbols"] == ["AAA", "BBB", "CCC"]


def test_a_symbol_asked_for_must_have_funding(acquire, make_funding):
    with pytest.raises(FundingError, match="no funding rates of BBB"):
        acquire(funding=make_funding(("AAA", "CCC")), symbols=["AAA", "BBB"])


@pytest.mark.parametrize("missing, symbols", [([6], ["AAA", "BBB", "CCC"]), ([6, 7], ["AAA", "CCC"])])
def test_one_missing_settlement_passes_and_two_do_not(acquire, make_candles, make_funding, missing, symbols):
    """Two symbols for 100 hours hold more bars than three for the 56 hours up to the hole."""
    funding = make_funding(settlements=13)
    hole = (funding["symbol"] == "BBB") & funding.groupby("symbol").cumcount().isin(missing)
    folder = acquire(make_candles(bars=6000), funding[~hole])
    assert folder.read_json("window.json")["symbols"] == symbols


def test_funding_of_another_year_covers_nothing(acquire, make_funding):
    with pytest.raises(FundingError, match="funding rates only here"):
        acquire(funding=make_funding(start="2024-01-01"))


def test_too_few_symbols_in_common_is_a_universe_error(acquire, make_candles):
    late = make_candles(symbols=("DDD",), start="2025-02-01")
    apart = pd.concat([make_candles(symbols=("AAA",)), late])
    with pytest.raises(UniverseError, match="no common window: AAA 2025-01-01 00:00 to 2025-01-03 02:00"):
        acquire(apart, funding_none="none")


def test_the_window_holds_the_most_symbol_bars(acquire, make_candles):
    """DDD joins at bar 2,900 of 3,000: three symbols for long beat four for an hour."""
    late = make_candles(symbols=("DDD",), start="2025-01-03", bars=3000)
    window = acquire(pd.concat([make_candles(), late]), funding_none="none").read_json("window.json")
    assert (window["start"], window["end"]) == (T0, T0 + 3000 * MINUTE)
    assert window["symbols"] == ["AAA", "BBB", "CCC"]
    assert "candles do not cover the window (2025-01-03 00:00 to" in window["source"]["DDD"]["reason"]


def test_a_folder_stands_for_its_files(tmp_path, make_candles, make_funding):
    candles, folder = make_candles(), tmp_path / "candles"
    folder.mkdir()
    for symbol, part in candles.groupby("symbol"):
        part.to_parquet(folder / f"{symbol}.parquet", index=False)
    make_funding().to_csv(tmp_path / "funding.csv", index=False)
    config = DataConfig(source="files", files=folder, funding=tmp_path / "funding.csv")
    assert sorted(stage.read_source(config).candles) == ["AAA", "BBB", "CCC"]


def test_freqtrade_files_are_read_by_their_names(shared_data):
    """Of a folder with several lengths and mark prices, only the candles of the length asked for are taken."""
    folder = shared_data / "fixtures" / "freqtrade"
    config = DataConfig(source="files", files=folder, funding=folder, timeframe="5m")
    market = stage.read_source(config)
    assert list(market.candles) == ["XRPUSDT"] and len(market.candles["XRPUSDT"]) == 1999
    raw = pd.read_feather(folder / "XRP_USDT_USDT-8h-funding_rate.feather")
    assert market.funding["XRPUSDT"]["funding_rate"].tolist() == raw["open"].tolist()
    assert market.funding["XRPUSDT"]["jitter_ms"].tolist() == (raw["date"].dt.microsecond // 1000).tolist()


def test_a_split_outside_the_data_is_refused_before_anything_is_written(acquire):
    with pytest.raises(SplitError, match=r"2026-01-01.*dates inside 2025-01-01"):
        acquire(split={"train_end": "2026-01-01", "validate_end": "2026-02-01"})
