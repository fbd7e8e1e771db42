"""A week of the test span through the local exchange and ccxt, with a restart a day: not a bit is lost.

Bars of half an hour let seven calendar days, with their selections, settlements and window changes, fit into a test;
`perpfut agent replay` runs a week of any profile minute by minute, and `--keep` publishes the comparison.
"""

import pandas as pd
import pytest

from agent.replay import replay
from agent.replay.report import evaluated, load_signals, parity_table
from perpfut_lib.config import SimulationConfig, load_profile
from perpfut_lib.types import DAY_MS
from perpfut_lib.venue.market import simulate
from tests.agent.world import world_of

BAR = 30 * 60_000
DAYS = 15
SETTINGS = (
    "data.source=files",
    "data.timeframe=30m",
    "split.train=0.3",
    "split.validate=0.15",
    "cointegration.formation=1d",
    "cointegration.min_correlation=-1",
    "cointegration.max_pvalue=1.0",
    "cointegration.top=2",
    "features.lookback=3",
    "agent.timeframe=30m",
    "agent.patience_ms=0",
)


def half_hours(candles):
    """Return one-minute bars as bars of half an hour."""
    keys = [candles["symbol"].astype(str), candles["open_time"] // BAR * BAR]
    rules = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    return candles.groupby(keys, sort=True).agg(rules).reset_index()


def simulated():
    """Return simulated candles of one minute and their funding settlements."""
    market = simulate(SimulationConfig(days=DAYS, symbols=4, planted_pairs=2, tick_bps=0.1))
    return market.candles, pd.DataFrame(market.funding)


def recorded(folder):
    """Return recorded candles of one minute and their funding settlements; both files are Binance's."""
    market = folder / "market"
    candles = pd.read_parquet(market / "binance_usdm_1m_2025-05-04_2025-06-24.parquet")
    start = candles["open_time"].min() // DAY_MS * DAY_MS + DAY_MS
    wanted = candles["symbol"].isin(["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"])
    wanted &= candles["open_time"].between(start, start + DAYS * DAY_MS, inclusive="left")
    return candles[wanted], pd.read_parquet(market / "binance_usdm_funding_2024-05_2025-06.parquet")


@pytest.fixture(params=["simulated", "recorded"])
def world(request, tmp_path):
    """Return fifteen days in bars of half an hour, the last eight to test on; the recorded ones where there are any."""
    market = simulated() if request.param == "simulated" else recorded(request.getfixturevalue("shared_data"))
    candles, funding = market
    half_hours(candles).to_parquet(tmp_path / "candles.parquet")
    funding.to_parquet(tmp_path / "funding.parquet")
    files = (f"data.files={tmp_path / 'candles.parquet'}", f"data.funding={tmp_path / 'funding.parquet'}")
    return world_of(load_profile("smoke", (*SETTINGS, *files)), tmp_path)


def test_a_week_replays_to_the_bit(world):
    """Null hypothesis: in a week some decision of the live path differs from the evaluation's. None does.

    The first seven days of the test span, six restarts, a policy that trades at nearly every bar.
    """
    start, _ = replay.tested_span(world.run)
    folder = replay.replay(world.profile, world.run, start, start + 7 * DAY_MS, restarts=6)
    table = parity_table(world.profile, world.run, load_signals(folder))
    starts = world.episodes.pair_days["start"]
    assert len(table) == (starts < start + 7 * DAY_MS).sum() >= 7
    assert table["window"].nunique() == 7
    assert (table["decisions"] == DAY_MS // BAR).all()
    assert (table["equal"] == table["decisions"]).all()
    assert (table["interventions"] == 0).all()
    _, research = evaluated(world.profile, world.run, world.policy)
    assert (research.action != 0.0).mean() > 0.9
