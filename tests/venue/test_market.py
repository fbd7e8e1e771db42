"""The simulated market: what is planted is what is found, and the tape looks like an exchange's."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.stattools import coint

from perpfut_lib.config import SimulationConfig
from perpfut_lib.types import CANDLE_COLUMNS, DAY_MS, FUNDING_COLUMNS, HOUR_MS, MINUTE_MS
from perpfut_lib.venue.market import SimulatedMarket, simulate

CONFIG = SimulationConfig()


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return simulate(CONFIG)


@pytest.fixture(scope="module")
def log_close(market: SimulatedMarket) -> pd.DataFrame:
    table = market.candles.pivot(index="open_time", columns="symbol", values="close")
    return np.log(table.rename(columns=str))


def test_candles_are_a_full_minute_grid_of_finite_values(market: SimulatedMarket) -> None:
    """Every symbol has every minute of every day, in order, and no value is missing."""
    candles = market.candles
    assert tuple(candles.columns) == CANDLE_COLUMNS
    assert len(candles) == CONFIG.symbols * CONFIG.days * 1440
    assert np.isfinite(candles[list(CANDLE_COLUMNS[1:])].to_numpy()).all()
    for _, rows in candles.groupby("symbol"):
        assert (np.diff(rows["open_time"]) == MINUTE_MS).all()
        assert rows["open_time"].iloc[0] % DAY_MS == 0
    assert candles["symbol"].astype(str).is_monotonic_increasing


def test_open_high_low_close_are_consistent_and_positive(market: SimulatedMarket) -> None:
    """High is the greatest and low the least of a bar; all prices and volumes are positive."""
    candles = market.candles
    body = candles[["open", "close"]]
    assert (candles["high"] >= body.max(axis=1)).all()
    assert (candles["low"] <= body.min(axis=1)).all()
    assert (candles["low"] > 0).all()
    assert (candles["volume"] > 0).all()


def test_prices_are_the_doubles_of_their_decimal_text(market: SimulatedMarket) -> None:
    """Prices lie on the tick grid and volumes on the lot grid exactly, so that text and double carry the same value."""
    for contract in market.truth["contracts"]:
        rows = market.candles[market.candles["symbol"] == contract["symbol"]].iloc[:2000]
        for column, decimals in (("close", "price_decimals"), ("high", "price_decimals"), ("volume", "lot_decimals")):
            values = rows[column].to_numpy()
            assert [float(f"{value:.{contract[decimals]}f}") for value in values] == values.tolist()


def test_same_seed_gives_the_same_bytes_and_another_seed_others(market: SimulatedMarket) -> None:
    """The market is a function of its settings."""
    again = simulate(CONFIG)
    pd.testing.assert_frame_equal(market.candles, again.candles, check_exact=True)
    pd.testing.assert_frame_equal(market.funding, again.funding, check_exact=True)
    assert market.truth == again.truth
    assert not simulate(SimulationConfig(seed=8)).candles["close"].equals(market.candles["close"])


def test_truth_is_json(market: SimulatedMarket) -> None:
    """The truth survives strict JSON."""
    assert json.loads(json.dumps(market.truth, allow_nan=False)) == market.truth


def test_planted_coefficients_and_half_life_are_recovered() -> None:
    """Null: the planted α, β, half-life and standard deviation are true. Long samples must not reject it."""
    market = simulate(SimulationConfig(days=60, symbols=4, planted_pairs=2))
    table = np.log(market.candles.pivot(index="open_time", columns="symbol", values="close").rename(columns=str))
    for pair in market.truth["pairs"]:
        y, x = table[pair["y"]].to_numpy(), table[pair["x"]].to_numpy()
        beta, alpha = np.polyfit(x, y, 1)
        assert beta == pytest.approx(pair["beta"], rel=0.02)
        spread = y - pair["alpha"] - pair["beta"] * x
        assert spread.std() == pytest.approx(pair["spread_std"], rel=0.08)
        lag = 30
        phi = np.corrcoef(spread[:-lag], spread[lag:])[0, 1] ** (1 / lag)
        assert np.log(0.5) / np.log(phi) == pytest.approx(pair["half_life_bars"], rel=0.15)
        assert alpha == pytest.approx(pair["alpha"], abs=0.02 * abs(np.mean(x)))


def test_planted_pairs_pass_the_default_screen_daily(market: SimulatedMarket, log_close: pd.DataFrame) -> None:
    """Most planted pairs pass p ≤ 0.05 and correlation ≥ 0.85 on three-day windows, and every day offers two."""
    passed = []
    for day in range(3, CONFIG.days):
        window = log_close.iloc[(day - 3) * 1440 : day * 1440]
        for pair in market.truth["pairs"]:
            y, x = window[pair["y"]], window[pair["x"]]
            passed.append((day, y.corr(x) >= 0.85 and coint(y, x, maxlag=5, autolag=None)[1] <= 0.05))
    table = pd.DataFrame(passed, columns=["day", "passed"])
    assert table["passed"].mean() >= 0.9
    assert (table.groupby("day")["passed"].sum() >= 2).all()


def test_bounce_makes_returns_negatively_autocorrelated_at_lag_one_only() -> None:
    """With a coarse tick, trade returns have the autocorrelation -c²/(σ² + 2c²) of a bounce at lag 1, none at 2."""
    market = simulate(SimulationConfig(days=10, symbols=4, planted_pairs=0, tick_bps=8, jumps_per_day=0))
    close = market.candles.pivot(index="open_time", columns="symbol", values="close")
    returns = np.log(close).diff().iloc[1:]
    assert (returns.apply(lambda column: column.autocorr(1)) < -0.04).all()
    assert (returns.apply(lambda column: abs(column.autocorr(2))) < 0.05).all()


def test_returns_cluster_and_correlate_as_recorded_markets_do(log_close: pd.DataFrame) -> None:
    """Absolute returns are autocorrelated, returns are not, tails are heavy, symbols move together."""
    returns = log_close.diff().iloc[1:]
    size = returns.abs()
    assert returns.apply(lambda column: column.autocorr(5)).abs().max() < 0.05
    assert size.apply(lambda column: column.autocorr(1)).median() > 0.1
    assert size.apply(lambda column: column.autocorr(60)).median() > 0.03
    assert returns.kurt().median() > 3
    correlations = [returns[a].corr(returns[b]) for a, b in itertools.combinations(returns.columns, 2)]
    assert 0.5 < np.median(correlations) < 0.85


def test_funding_settles_at_whole_multiples_of_each_contract_s_interval(market: SimulatedMarket) -> None:
    """Settlements come every 8, 4 or 1 hours from the first bar on; low premia leave the interest as the rate's cap."""
    assert tuple(market.funding.columns) == FUNDING_COLUMNS
    hours = {contract["symbol"]: contract["funding_hours"] for contract in market.truth["contracts"]}
    assert set(hours.values()) == {8, 4, 1}
    for symbol, rows in market.funding.groupby("symbol"):
        assert (np.diff(rows["funding_time"]) == hours[symbol] * HOUR_MS).all()
        assert (rows["funding_time"] % (hours[symbol] * HOUR_MS) == 0).all()
        assert rows["funding_time"].iloc[0] == market.candles["open_time"].iloc[0]
        assert rows["funding_rate"].max() <= 1e-4 * hours[symbol] / 8 + 1e-12
        assert rows["funding_rate"].std() > 0
    at_interest = market.funding["funding_rate"] * 8 / market.funding["symbol"].astype(str).map(hours)
    assert 0.2 < (at_interest.round(6) == 1e-4).mean() < 0.8


EVENTFUL = SimulationConfig(
    days=20, symbols=8, planted_pairs=2, breaking_pairs=1, late_listings=2, outages=3, interval_changes=2
)


@pytest.fixture(scope="module")
def eventful() -> SimulatedMarket:
    return simulate(EVENTFUL)


def test_events_leave_what_comes_before_them_untouched(eventful: SimulatedMarket) -> None:
    """Listings, outages, breaks and changes of funding are added to the same market, they do not draw another one."""
    calm = simulate(SimulationConfig(days=20, symbols=8, planted_pairs=2))
    before = calm.candles["open_time"].iloc[0] + DAY_MS
    early = [market.candles[market.candles["open_time"] < before] for market in (calm, eventful)]
    listed = set(early[1]["symbol"])
    kept = early[0][early[0]["symbol"].isin(listed)].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, early[1].reset_index(drop=True), check_exact=True)


def test_a_broken_bond_wanders_away(eventful: SimulatedMarket) -> None:
    """After its break a spread leaves the band that it kept before; the other pair keeps its own."""
    table = np.log(eventful.candles.pivot(index="open_time", columns="symbol", values="close").rename(columns=str))
    broken, whole = eventful.truth["pairs"]
    assert broken["break_time"] is not None
    assert whole["break_time"] is None
    ratios = []
    for pair in (broken, whole):
        spread = table[pair["y"]] - pair["alpha"] - pair["beta"] * table[pair["x"]]
        after = spread.index >= broken["break_time"]
        ratios.append(spread[after].std() / spread[~after].std())
    assert ratios[0] > 3
    assert ratios[1] == pytest.approx(1, abs=0.2)


def test_late_listings_outages_and_interval_changes_are_where_the_truth_says(eventful: SimulatedMarket) -> None:
    """First bars, silent minutes and settlement times follow the truth to the minute."""
    candles, funding, truth = eventful.candles, eventful.funding, eventful.truth
    first = {contract["symbol"]: contract["listed"] for contract in truth["contracts"]}
    assert len(set(first.values())) == 2
    assert candles.groupby("symbol", observed=True)["open_time"].min().to_dict() == first
    assert (funding.groupby("symbol", observed=True)["funding_time"].min() >= pd.Series(first)).all()
    silent = np.unique(candles["open_time"][candles["volume"] == 0])
    inside = np.zeros(silent.size, dtype=bool)
    for start, end in truth["outages"]:
        inside |= (silent >= start) & (silent < end)
        assert np.isin(np.arange(start, end, MINUTE_MS), silent).all()
    assert inside.all()
    flat = candles[candles["volume"] == 0]
    assert (flat["high"] == flat["low"]).all()
    changing = [contract for contract in truth["contracts"] if contract["funding_change"]]
    assert len(changing) == EVENTFUL.interval_changes
    for contract in changing:
        times = funding.loc[funding["symbol"] == contract["symbol"], "funding_time"]
        steps = np.diff(times) // HOUR_MS
        at = contract["funding_change"]
        assert set(steps[times[1:] <= at]) == {contract["funding_hours"]}
        assert set(steps[times[1:] > at]) == {contract["later_hours"]}


def test_impossible_settings_are_refused() -> None:
    """More events than symbols or pairs to bear them is an error that says so."""
    with pytest.raises(ValueError, match="unpaired"):
        SimulationConfig(symbols=4, planted_pairs=2, late_listings=1)
    with pytest.raises(ValueError, match="breaking"):
        SimulationConfig(planted_pairs=1, breaking_pairs=2)
    with pytest.raises(ValueError, match="exceeds 1"):
        SimulationConfig(common_share=0.9, sector_share=0.2)
