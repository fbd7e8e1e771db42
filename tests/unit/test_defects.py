"""Data that lie: each planted defect is found, with its time and what was done; data without one raise no alarm."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from perpfut_lib.acquire.defects import examine, find_defects
from perpfut_lib.acquire.files import read_files
from perpfut_lib.acquire.grid import timeframe_of
from perpfut_lib.acquire.market import Market
from perpfut_lib.acquire.sim import read_simulation
from perpfut_lib.config import DataConfig, QualityConfig, SimulationConfig
from perpfut_lib.errors import SuspectDataError
from perpfut_lib.types import DAY_MS, HOUR_MS, MINUTE_MS, PRICE_COLUMNS

PRICES = list(PRICE_COLUMNS)
QUALITY, DATA = QualityConfig(), DataConfig()
SYMBOL = "CCCUSDT"


@pytest.fixture(scope="module")
def clean():
    """Return eight simulated days of seven symbols, with funding."""
    market = read_simulation(SimulationConfig(days=8, symbols=7, planted_pairs=2, seed=3))
    names = dict(
        zip(market.candles, ("AAAUSDT", "BBBUSDT", SYMBOL, "DDDUSDT", "EEEUSDT", "FFFUSDT", "GGGUSDT"), strict=True)
    )
    funding = {names[symbol]: table for symbol, table in market.funding.items()}
    return Market({names[symbol]: bars for symbol, bars in market.candles.items()}, funding)


def cut(market):
    """Return the middle of the data, ms UTC."""
    return int(market.candles[SYMBOL]["open_time"].iloc[0]) + 4 * DAY_MS


def with_bars(market, change, symbol=SYMBOL):
    """Return the market with ``change(bars, rows after the middle)`` made to a copy of a symbol's bars."""
    bars = market.candles[symbol].copy()
    change(bars, (bars["open_time"] >= cut(market)).to_numpy())
    return replace(market, candles={**market.candles, symbol: bars})


def with_rates(market, change):
    """Return the market with ``change`` made to the rates of every symbol."""
    funding = {symbol: table.assign(funding_rate=change(table)) for symbol, table in market.funding.items()}
    return replace(market, funding=funding)


def scaled(factor):
    def change(bars, later):
        bars.loc[later, PRICES] /= factor
        bars.loc[later, "volume"] *= factor

    return change


def halt(bars, later):
    day = later & (bars["open_time"] < bars["open_time"][later.argmax()] + DAY_MS)
    bars.loc[day, PRICES] = bars["close"][later.argmax()]
    bars.loc[day, "volume"] = 0.0


def low_wick(bars, later):
    bars.loc[later.argmax(), "low"] = 0.1 * bars["close"][later.argmax()]


def high_wick(bars, later):
    bars.loc[later.argmax(), "high"] = 10 * bars["close"][later.argmax()]


def spike(bars, later):
    bars.loc[later.argmax(), ["high", "close"]] *= 10


def absurd_volume(bars, later):
    bars.loc[later.argmax(), "volume"] = 1e9 * bars["volume"].median()


def rescaled_volume(bars, later):
    bars.loc[later, "volume"] *= 1000


def mark_prices(bars, _):
    bars["volume"] = 0.0


def stable(bars, _):
    bars[PRICES] = 1 + 1e-3 * (bars[PRICES] / bars[PRICES].mean() - 1)


def later_by(bars_by):
    def change(bars, _):
        bars["open_time"] += bars_by * MINUTE_MS

    return change


LEFT, TOLD, HALTED = "symbol left out", "reported", "no order is filled in it, and no formation window with it counts"


@pytest.mark.parametrize(
    ("change", "kind", "value", "done"),
    [
        (scaled(1000), "redenominated", 1e-3, LEFT),
        (scaled(1e-3), "redenominated", 1e3, LEFT),
        (halt, "halted", 1440, HALTED),
        (low_wick, "wicked", 0.1, TOLD),
        (high_wick, "wicked", 10, TOLD),
        (spike, "spike", 10, LEFT),
        (absurd_volume, "absurd_volume", 1e9, TOLD),
        (rescaled_volume, "volume_rescaled", 1e3, LEFT),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_defect_from_the_middle_on_is_found_where_it_is(clean, change, kind, value, done):
    """The finding names symbol, kind and time, its value is the planted one within what prices move in a bar or day."""
    table = examine(with_bars(clean, change), MINUTE_MS, DATA, QUALITY).defects
    row = table[table["kind"] == kind].iloc[0]
    assert (row["symbol"], row["time"], row["done"]) == (SYMBOL, cut(clean), done)
    assert row["value"] == pytest.approx(value, rel=0.5)
    assert set(table["symbol"]) == {SYMBOL}


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (mark_prices, "no_volume"),
        (stable, "stable_coin"),
        (later_by(1), "shifted"),
        (later_by(-1), "shifted"),
        (later_by(9 * 60), "shifted"),
        (later_by(-330), "shifted"),
    ],
)
def test_a_symbol_that_is_wrong_throughout_is_left_out(clean, change, kind):
    """Only that symbol is named, and it is gone from the market that goes on."""
    examined = examine(with_bars(clean, change), MINUTE_MS, DATA, QUALITY)
    assert set(zip(examined.defects["symbol"], examined.defects["kind"], strict=True)) == {(SYMBOL, kind)}
    assert SYMBOL not in examined.market.candles and len(examined.market.candles) == len(clean.candles) - 1
    assert examined.left_out[SYMBOL].startswith(f"out: {kind} at ")


def test_one_market_under_two_names_stays_under_the_first(clean):
    """A contract of a thousand coins, or another symbol's prices in a file, repeat the moves of the first name."""
    copy = clean.candles[SYMBOL].copy()
    copy[PRICES] *= 1024.0
    examined = examine(replace(clean, candles={**clean.candles, "XXXUSDT": copy}), MINUTE_MS, DATA, QUALITY)
    assert list(examined.left_out) == ["XXXUSDT"] and SYMBOL in examined.left_out["XXXUSDT"]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda table: 100 * np.maximum(table["funding_rate"].abs(), 1e-4), "funding_units"),
        (lambda table: 0.3 + 0 * table["funding_rate"], "funding_units"),
        (lambda table: 0 * table["funding_rate"] - 1e-4, "funding_sign"),
    ],
)
def test_funding_in_another_unit_or_with_another_sign_is_refused(clean, change, kind):
    """Per cent, and basis points a third of one per cent, and the interest rate with a minus: refused by name."""
    with pytest.raises(SuspectDataError, match=rf"AAAUSDT at .*quality\.{kind}=report"):
        examine(with_rates(clean, change), MINUTE_MS, DATA, QUALITY)
    taken = examine(with_rates(clean, change), MINUTE_MS, DATA, QualityConfig(**{kind: "report"}))
    assert set(taken.defects["kind"]) == {kind} and set(taken.market.candles) == set(clean.candles)


def test_rates_of_eight_hours_repeated_every_hour_are_refused(clean):
    """A file that fills eight-hour rates forward by the hour would be paid eight times."""
    hours = np.arange(8 * 24)
    start = int(clean.candles[SYMBOL]["open_time"].iloc[0])
    rates = np.repeat(np.random.default_rng(1).normal(1e-4, 1e-5, 24), 8)
    table = pd.DataFrame({"funding_time": start + hours * HOUR_MS, "funding_rate": rates, "jitter_ms": 0})
    with pytest.raises(SuspectDataError, match="change only every 8h"):
        examine(replace(clean, funding={SYMBOL: table}), MINUTE_MS, DATA, QUALITY)
    table["funding_rate"] = np.random.default_rng(1).normal(1e-5, 1e-6, len(table))
    assert not find_defects(replace(clean, funding={SYMBOL: table}), MINUTE_MS, QUALITY)


def test_a_rate_beyond_every_cap_takes_its_symbol_out_and_a_crooked_clock_is_told(clean):
    """One rate of 10 %, and settlements half an hour off, each on one symbol."""
    rates = clean.funding[SYMBOL].copy()
    rates.loc[3, "funding_rate"] = 0.1
    late = clean.funding["DDDUSDT"].assign(funding_time=lambda table: table["funding_time"] + 30 * MINUTE_MS)
    market = replace(clean, funding={**clean.funding, SYMBOL: rates, "DDDUSDT": late})
    examined = examine(market, MINUTE_MS, DATA, QUALITY)
    kinds = dict(zip(examined.defects["symbol"], examined.defects["kind"], strict=True))
    assert kinds == {SYMBOL: "funding_beyond_cap", "DDDUSDT": "funding_clock"}
    assert list(examined.left_out) == [SYMBOL]


def test_a_symbol_asked_for_by_name_is_refused_instead_of_left_out(clean):
    """Symbols that are named come back whole or as an error; defects of others, or outside the dates, do not matter."""
    market = with_bars(clean, scaled(1000))
    with pytest.raises(SuspectDataError, match=f"{SYMBOL} at .*times 0.001"):
        examine(market, MINUTE_MS, DataConfig(symbols=("AAAUSDT", SYMBOL)), QUALITY)
    assert examine(market, MINUTE_MS, DataConfig(symbols=("AAAUSDT", "BBBUSDT")), QUALITY).defects.empty
    before = pd.Timestamp(cut(market), unit="ms").date()
    assert examine(market, MINUTE_MS, DataConfig(end=before), QUALITY).defects.empty


def test_clean_simulated_data_raise_no_alarm(clean):
    """Neither does the market as it is: jumps, changes of the interval and late listings are no defects."""
    assert find_defects(clean, MINUTE_MS, QUALITY) == []
    eventful = SimulationConfig(
        days=6, symbols=8, planted_pairs=2, late_listings=2, interval_changes=2, breaking_pairs=1
    )
    assert find_defects(read_simulation(eventful), MINUTE_MS, QUALITY) == []


RECORDED = [  # file, funding, what is really there
    ("binance_usdm_15m_2024-05_2025-01-14_8sym", "2024-05_2025-06", 8 * ["halted"]),  # the archive's bad hour
    ("binance_usdm_1h_2024-05_2025-04_50sym_complete", "2024-05_2025-06", []),
    ("binance_usdm_1h_2024-05_2025-04_partial_and_late_listings", "2024-05_2025-06", []),
    ("binance_usdm_1m_2023-07-03_2023-08-17", "2023-06_2023-08", ["stable_coin"]),  # USDCUSDT
    ("binance_usdm_1m_2025-01-27_2025-02-28", "2024-05_2025-06", []),
    ("binance_usdm_1m_2025-05-04_2025-06-24", "2024-05_2025-06", []),
    ("binance_usdm_1m_scattered_months_2024-06_2025-04", "2024-05_2025-06", ["halted"]),  # FIL, the same bad hour
]


@pytest.mark.parametrize(("file", "funding", "known"), RECORDED)
def test_recorded_data_raise_no_false_alarm(shared_data, file, funding, known):
    """4.0 million recorded bars of 124 symbol series: nothing but the defects that they are known to have."""
    market = shared_data / "market"
    rates = market / f"binance_usdm_funding_{funding}.parquet"
    found = read_files(DataConfig(source="files", files=market / f"{file}.parquet", funding=rates))
    defects = find_defects(found, timeframe_of(found.candles, "auto"), QUALITY)
    assert [defect.kind for defect in defects] == known
