"""Inputs as people have them: each file holds the same market, and what is read is the same to the bit."""

import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from perpfut_lib.acquire.dialects import milliseconds, plain_symbol, symbol_of_file
from perpfut_lib.acquire.files import read_files
from perpfut_lib.config import DataConfig
from perpfut_lib.errors import SchemaError, TimestampError
from perpfut_lib.types import HOUR_MS, MINUTE_MS

START = 1_735_689_600_000
TIME = START + MINUTE_MS * np.arange(50)
PRICES = 100.0 + np.random.default_rng(0).random(50)
BARS = pd.DataFrame(
    {"open_time": TIME, "open": PRICES, "high": PRICES + 1, "low": PRICES - 1, "close": PRICES, "volume": 2.5}
)


def read(path, funding="none"):
    market = read_files(DataConfig(source="files", files=path, funding=funding))
    pd.testing.assert_frame_equal(market.candles["AAAUSDT"], BARS, check_exact=True)
    return market


@pytest.mark.parametrize(
    ("unit", "times"),
    [
        ("seconds", TIME // 1000),
        ("seconds", TIME / 1000),
        ("milliseconds", TIME),
        ("microseconds", TIME * 1000),
        ("nanoseconds", TIME * 1_000_000),
        ("text, ISO 8601", pd.to_datetime(TIME, unit="ms", utc=True).strftime("%Y-%m-%dT%H:%M:%S%z")),
        ("text, ISO 8601", pd.to_datetime(TIME + 2 * HOUR_MS, unit="ms").strftime("%Y-%m-%d %H:%M:%S+02:00")),
        ("date-times, taken as UTC", pd.to_datetime(TIME, unit="ms")),
    ],
)
def test_ccxt_s_header_with_times_in_any_unit(tmp_path, unit, times):
    """``timestamp,open,high,low,close,volume`` with the symbol in the file's name; the unit is noted."""
    table = BARS.drop(columns="open_time").assign(timestamp=times)
    table.to_parquet(tmp_path / "AAA_USDT_USDT.parquet")
    (note,) = read(tmp_path / "AAA_USDT_USDT.parquet").notes
    assert note == f"AAA_USDT_USDT.parquet: symbol AAAUSDT from the file's name; timestamp as open_time, {unit}"


def test_binance_s_own_csv_with_and_without_header_zipped_or_not(tmp_path):
    """Twelve columns, of which the older files name none; funding beside them."""
    names = [
        "open_time",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "close_time",
        "quote_volume",
        "count",
        "a",
        "b",
        "ignore",
    ]
    rows = BARS.assign(close_time=TIME + MINUTE_MS - 1, quote_volume=1.0, count=1, a=1.0, b=1, c=0, d=0, ignore=0)[
        names
    ]
    for header in (True, False):
        text = rows.to_csv(index=False, header=names if header else False)
        (tmp_path / "AAAUSDT-1m-2025-01.csv").write_text(text)
        read(tmp_path / "AAAUSDT-1m-2025-01.csv")
        with zipfile.ZipFile(tmp_path / "AAAUSDT-1m-2025-01.zip", "w") as packed:
            packed.writestr("AAAUSDT-1m-2025-01.csv", text)
        read(tmp_path / "AAAUSDT-1m-2025-01.zip")
    funding = tmp_path / "AAAUSDT-fundingRate-2025-01.csv"
    funding.write_text(f"calc_time,funding_interval_hours,last_funding_rate\n{START + 3},8,0.0001\n")
    rates = read(tmp_path / "AAAUSDT-1m-2025-01.zip", funding).funding["AAAUSDT"]
    assert rates.to_dict("records") == [{"funding_time": START, "funding_rate": 0.0001, "jitter_ms": 3}]
    (tmp_path / "x.csv").write_text("1,2,3,4\n")
    with pytest.raises(SchemaError, match="4 columns and no header row"):
        read(tmp_path / "x.csv")


def test_freqtrade_s_candles_with_funding_by_the_hour(tmp_path):
    """Since December 2025 funding is kept in 1-hour files without filling: rows are settlements, whatever apart."""
    dated = BARS.rename(columns={"open_time": "date"}).assign(date=pd.to_datetime(TIME, unit="ms", utc=True))
    dated.to_feather(tmp_path / "AAA_USDT_USDT-1m-futures.feather")
    dated.assign(volume=0.0).to_feather(tmp_path / "AAA_USDT_USDT-1m-mark.feather")
    stamps = pd.to_datetime(START + HOUR_MS * np.array([0, 8, 16, 20]), unit="ms", utc=True)
    rates = pd.DataFrame({"date": stamps, "open": [1e-4, 2e-4, 3e-4, 4e-4], "high": 0.0, "low": 0.0, "close": 0.0})
    rates.assign(volume=0.0).to_feather(tmp_path / "AAA_USDT_USDT-1h-funding_rate.feather")
    market = read(tmp_path, tmp_path)
    assert market.funding["AAAUSDT"]["funding_rate"].tolist() == [1e-4, 2e-4, 3e-4, 4e-4]
    assert (market.funding["AAAUSDT"]["funding_time"].to_numpy() - START).tolist() == [
        0,
        8 * HOUR_MS,
        16 * HOUR_MS,
        20 * HOUR_MS,
    ]


def test_hummingbot_s_candles(tmp_path):
    """Seconds as decimals, the pair with a dash in the name."""
    table = BARS.drop(columns="open_time").assign(timestamp=TIME / 1000, quote_asset_volume=1.0, n_trades=3.0)
    table.to_csv(tmp_path / "candles_binance_perpetual_AAA-USDT_1m.csv", index=False)
    read(tmp_path / "candles_binance_perpetual_AAA-USDT_1m.csv")


def test_ccxt_s_symbols_are_those_of_the_funding_file(tmp_path):
    """``AAA/USDT:USDT`` in the candles and ``AAAUSDT`` in the rates are one symbol."""
    BARS.assign(symbol="AAA/USDT:USDT").to_parquet(tmp_path / "candles.parquet")
    pd.DataFrame({"symbol": ["AAAUSDT"], "funding_time": [START], "funding_rate": [1e-4]}).to_csv(tmp_path / "f.csv")
    assert list(read(tmp_path / "candles.parquet", tmp_path / "f.csv").funding) == ["AAAUSDT"]


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("AAA/USDT:USDT", "AAAUSDT"),
        ("1000PEPE-USDT", "1000PEPEUSDT"),
        ("BTC/USDC:USDC", "BTCUSDC"),
        ("kPEPE", "kPEPE"),
        ("BTCUSDT_250627", "BTCUSDT_250627"),
    ],
)
def test_symbols_in_unified_notation(name, symbol):
    """Only a quote currency of letters behind a separator is joined; a delivery contract keeps its date."""
    assert plain_symbol(name) == symbol


@pytest.mark.parametrize(
    "name", ["BTCUSDT.csv", "BTCUSDT-1m-2025-01-31.zip", "BTC_USDT-1h.csv", "BTC-USDT.csv", "BTCUSDT_1m.csv"]
)
def test_symbols_in_file_names(tmp_path, name):
    """One symbol a file, by its name."""
    assert symbol_of_file(tmp_path / name) == "BTCUSDT"


@pytest.mark.parametrize("times", [[START, START // 1000], [19_000, 19_001], [4_200_000_000_000, START]])
def test_times_that_no_unit_fits_are_refused(tmp_path, times):
    """Mixed units, days, and beyond 2099: no guess is made."""
    with pytest.raises(TimestampError, match="in row"):
        milliseconds(pa.chunked_array([pa.array(times)]), "open_time", tmp_path / "x.csv")


def test_words_are_no_times(tmp_path):
    """Text that is not ISO 8601 is named with its file and column."""
    with pytest.raises(SchemaError, match=r"x\.csv with column open_time as text"):
        milliseconds(pa.chunked_array([pa.array(["31/01/2025"])]), "open_time", tmp_path / "x.csv")
