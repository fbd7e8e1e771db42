"""The simulated market beside a recorded one: the statistics are right, and they are near each other."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from perpfut_lib.artifacts import file_sha256, read_json
from perpfut_lib.cli.application import application
from perpfut_lib.config import SimulationConfig
from perpfut_lib.errors import SchemaError
from perpfut_lib.types import DAY_MS, MINUTE_MS
from perpfut_lib.venue.calibration import market_statistics, side_by_side
from perpfut_lib.venue.market import simulate

RECORDED = Path(os.environ.get("PERPFUT_SHARED_DATA", "../shared/data")) / "market"


def plain(days: int = 6) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return independent Gaussian walks of 10 bps a minute, and funding of 1 bp every four hours."""
    rng, frames, funding = np.random.default_rng(1), [], []
    time = MINUTE_MS * np.arange(days * 1440, dtype=np.int64)
    for symbol in ("AUSDT", "BUSDT", "CUSDT"):
        close = np.exp(np.cumsum(1e-3 * rng.standard_normal(time.size)))
        bars = {"open": close, "high": close, "low": close, "close": close, "volume": 1.0}
        frames.append(pd.DataFrame({"symbol": symbol, "open_time": time, **bars}))
        settled = time[:: 4 * 60]
        funding.append(pd.DataFrame({"symbol": symbol, "funding_time": settled, "funding_rate": 1e-4}))
    return pd.concat(frames), pd.concat(funding)


def test_statistics_of_a_known_market() -> None:
    """For independent Gaussian walks the closed-form values come out."""
    found = market_statistics(*plain())
    assert found["volatility, median"] == pytest.approx(1e-3 * np.sqrt(525_600), rel=0.03)
    assert found["excess kurtosis of returns"] == pytest.approx(0, abs=0.2)
    assert found["autocorrelation of returns, lag 1"] == pytest.approx(0, abs=0.03)
    assert found["correlation of returns, median"] == pytest.approx(0, abs=0.05)
    assert found["high-low range over |return|"] == 0
    assert found["funding per 8 h, mean (bps)"] == pytest.approx(2.0)
    assert found["symbols not settled every 8 h"] == 1


def test_too_little_or_other_data_is_refused() -> None:
    """Less than three common days, or another schema, is a named error."""
    candles, funding = plain()
    with pytest.raises(SchemaError, match="three days"):
        market_statistics(candles[candles["open_time"] < 2 * DAY_MS], funding)
    with pytest.raises(SchemaError, match="volume"):
        market_statistics(candles.drop(columns="volume"), funding)


def test_the_command_writes_both_markets_with_the_inputs_hashes(tmp_path: Path) -> None:
    """``perpfut venue compare`` takes the symbols that are complete, and names its inputs by SHA-256."""
    market = simulate(SimulationConfig(days=6, symbols=4, planted_pairs=1, late_listings=1))
    paths = {name: tmp_path / f"{name}.parquet" for name in ("candles", "funding")}
    market.candles.to_parquet(paths["candles"])
    market.funding.to_parquet(paths["funding"])
    output = tmp_path / "comparison.json"
    span = ["--start", "2025-01-01", "--end", "2025-01-06", "--output", str(output)]
    arguments = ["venue", "compare", *map(str, paths.values()), *span]
    CliRunner().invoke(application(), arguments, catch_exceptions=False)
    content = read_json(output)
    assert content["inputs"] == {path.name: file_sha256(path) for path in paths.values()}
    late = {one["symbol"] for one in market.truth["contracts"] if one["listed"] > market.candles["open_time"].min()}
    assert len(content["symbols"]) == 3
    assert not late & set(content["symbols"])
    assert content["statistics"]["correlation of returns, median"].keys() == {"recorded", "simulated"}


@pytest.mark.skipif(not RECORDED.is_dir(), reason="recorded market data is absent (PERPFUT_SHARED_DATA)")
def test_the_simulated_market_is_near_the_recorded_one() -> None:
    """The default settings give statistics within stated distances of 1-minute Binance data of May 2025."""
    candles = pd.read_parquet(RECORDED / "binance_usdm_1m_2025-05-04_2025-06-24.parquet")
    funding = pd.read_parquet(RECORDED / "binance_usdm_funding_2024-05_2025-06.parquet")
    start = pd.Timestamp("2025-05-05").value // 10**6
    candles = candles[candles["open_time"].between(start, start + 12 * DAY_MS - 1)]
    whole = candles["symbol"].map(candles["symbol"].value_counts()) == 12 * 1440
    market = simulate(SimulationConfig(symbols=12))
    table = side_by_side(
        {"recorded": (candles[whole], funding), "simulated": (market.candles, market.funding)}, tests=40
    )
    distance = (table["simulated"] - table["recorded"]).abs()
    assert distance["autocorrelation of returns, lag 1"] < 0.03
    assert distance["autocorrelation of |returns|, lag 1"] < 0.1
    assert distance["autocorrelation of |returns|, lag 60"] < 0.06
    assert distance["correlation of returns, median"] < 0.15
    assert distance["high-low range over |return|"] < 0.3
    assert distance["correlation of log volume and |return|"] < 0.2
    assert distance["funding per 8 h, mean (bps)"] < 0.5
    assert 0.6 < table.loc["volatility, median", "simulated"] / table.loc["volatility, median", "recorded"] < 1.6
