"""A whole slow tick over many assets, their candles fetched from the local exchange through ccxt."""

import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np

from agent.checkpoint import open_checkpoints
from agent.replay import replay_stand, standing_orders
from agent.ticks import Ticks
from perpfut_lib.artifacts import AgentFolder
from perpfut_lib.bench.cointegration import FORMATION, log_prices
from perpfut_lib.bench.fast_tick import SETTINGS, five_pairs
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import DAY_MS, MINUTE_MS, Int1D

DAY: Final = 1440
WARMUP: Final = 1440
START: Final = 20_000 * DAY_MS
LIVE: Final = {
    "cointegration.formation": "3d",
    "cointegration.trading": "1d",
    "cointegration.min_correlation": 0.0,
    "cointegration.max_pvalue": 0.5,
}


def seconds_of_slow_ticks(assets: int) -> dict[str, float]:
    """Return how long three slow ticks of one agent take, seconds: its first one, a day's and an hour's.

    The first one fetches formation window and warm-up, the second one a day of bars; both select pairs among all
    assets. The third one fetches an hour of bars and tests the active pairs again.
    """
    moments = {
        "first selection": START,
        "a day later": START + DAY_MS,
        "an hour later": START + DAY_MS + 60 * MINUTE_MS,
    }
    with tempfile.TemporaryDirectory() as folder:
        world = five_pairs(Path(folder), SETTINGS)
        profile, agent_folder = world.profile.changed(LIVE), AgentFolder(Path(folder) / "agent")
        panel = _panel(assets, FORMATION + WARMUP + DAY + 120)
        with (
            replay_stand(profile, panel, agent_folder, START, world.brain) as stand,
            open_checkpoints(agent_folder.checkpoints("slow")) as checkpoints,
        ):
            agent_folder.write(standing_orders(START))
            ticks, seconds = Ticks(stand.desk, checkpoints), {}
            for name, moment in moments.items():
                stand.clock.reach(moment + profile.agent.grace_ms)
                began = time.perf_counter()
                ticks.slow_tick(moment)
                seconds[name] = time.perf_counter() - began
    return seconds


def _panel(assets: int, bars: int) -> Panel:
    """Return random walks with a common trend as candles that end some time after ``START``; no funding is paid."""
    open_time: Int1D = START + (np.arange(bars, dtype=np.int64) - FORMATION - WARMUP) * MINUTE_MS
    close = np.round(100.0 * np.exp(log_prices(bars, assets)), 4)
    opened = np.vstack([close[:1], close[:-1]])
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    names = tuple(f"S{number:03d}USDT" for number in range(assets))
    filled = np.zeros(close.shape, np.bool_)
    return Panel(open_time, names, MINUTE_MS, opened, high, low, close, np.full(close.shape, 10.0), filled, {})
