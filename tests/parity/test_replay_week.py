"""A week of the test span through the local exchange and ccxt: a trained policy, a restart a day, not a bit lost.

Bars of 15 minutes let seven calendar days, with their selections, settlements and window changes, fit into a test;
`perpfut agent replay` runs a week of any profile, and `--keep` publishes the comparison.
"""

import pandas as pd
import pytest

from agent import replay
from agent.report import evaluated, load_signals, parity_table
from perpfut_lib import pipeline
from perpfut_lib.artifacts import Run
from perpfut_lib.config import SimulationConfig, load_profile
from perpfut_lib.types import DAY_MS
from perpfut_lib.venue.market import simulate
from tests.agent.world import World

BAR = 15 * 60_000
SETTINGS = (
    "data.source=files",
    "data.timeframe=15m",
    "cointegration.min_correlation=-1",
    "cointegration.max_pvalue=1.0",
    "cointegration.top=2",
    "costs.fees_bps=[0]",
    "train.total_steps=8192",
    "agent.policy=fee-0_seed-42",
    "agent.timeframe=15m",
    "agent.patience_ms=0",
)


def quarter_hours(candles):
    """Return one-minute bars as bars of 15 minutes."""
    keys = [candles["symbol"].astype(str), candles["open_time"] // BAR * BAR]
    rules = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    return candles.groupby(keys, sort=True).agg(rules).reset_index()


def trained(folder, *settings):
    """Return a world whose policy PPO has trained; it trades."""
    profile, run = load_profile("smoke", (*SETTINGS, *settings)), Run(folder / "smoke")
    pipeline.ensure("train", profile, run)
    return World(profile, run)


@pytest.fixture
def simulated(tmp_path):
    """Fifteen simulated days in bars of 15 minutes, the last eight to test on."""
    market = simulate(SimulationConfig(days=15, symbols=4, planted_pairs=2, tick_bps=0.1))
    quarter_hours(market.candles).to_parquet(tmp_path / "candles.parquet")
    pd.DataFrame(market.funding).to_parquet(tmp_path / "funding.parquet")
    files = (f"data.files={tmp_path / 'candles.parquet'}", f"data.funding={tmp_path / 'funding.parquet'}")
    dates = ("split.train_end=2025-01-06", "split.validate_end=2025-01-08")
    return trained(tmp_path, *files, *dates, "cointegration.formation=1d")


def assert_a_week_is_equal(world):
    """Replay the first seven days of the test span with six restarts; every decision is the evaluation's, and stood."""
    start, _ = replay.tested_span(world.run)
    folder = replay.replay(world.profile, world.run, start, start + 7 * DAY_MS, restarts=6)
    table = parity_table(world.profile, world.run, load_signals(folder))
    starts = world.episodes.pair_days["start"]
    assert len(table) == (starts < start + 7 * DAY_MS).sum() >= 7
    assert table["window"].nunique() == 7
    assert (table["decisions"] == DAY_MS // BAR).all()
    assert (table["equal"] == table["decisions"]).all()
    assert (table["interventions"] == 0).all()
    _, research = evaluated(world.profile, world.run, world.brain)
    assert (research.action != 0.0).mean() > 0.9


def test_a_simulated_week_replays_to_the_bit(simulated):
    """Null hypothesis: in a week some decision of the live path differs from the evaluation's. None does."""
    assert_a_week_is_equal(simulated)
