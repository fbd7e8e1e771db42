"""A whole slow tick over many assets, their candles fetched through ccxt from a local exchange in its own process."""

import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import numpy as np

from agent.clock import ReplayClock
from agent.decision.context import TickContext
from agent.feed.market import LiveMarket
from agent.graphs.checkpoints import open_checkpoints
from agent.graphs.ticks import Ticks
from agent.replay.replay import LOCAL_WEIGHT, VenueClock, replay_venue, standing_orders
from perpfut_lib.acquire.exchange import Exchange
from perpfut_lib.acquire.wires import BINANCE
from perpfut_lib.artifacts import AgentFolder
from perpfut_lib.bench._five_pairs import SETTINGS, five_pairs
from perpfut_lib.bench.cointegration import FORMATION, log_prices
from perpfut_lib.errors import ArtifactError
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
    assets. The third fetches an hour of bars and tests the active pairs again.
    """
    moments = {
        "first selection": START,
        "a day later": START + DAY_MS,
        "an hour later": START + DAY_MS + 60 * MINUTE_MS,
    }
    with tempfile.TemporaryDirectory() as folder:
        world, agent_folder = five_pairs(Path(folder), SETTINGS), AgentFolder(Path(folder) / "agent")
        profile, clock = world.profile.changed(LIVE), ReplayClock(START)
        panel = _panel(assets, FORMATION + WARMUP + DAY + 120)
        with exchange_process(panel) as venue, open_checkpoints(agent_folder.checkpoints("slow")) as checkpoints:
            config = profile.agent.exchange.model_copy(update={"url": venue.recv()})
            market = LiveMarket(Exchange(replace(BINANCE, weight_per_minute=LOCAL_WEIGHT), config), MINUTE_MS)
            since = int(panel.open_time[0])
            context = TickContext(profile, agent_folder, market, clock, MINUTE_MS, world.policy, history_from=since)
            agent_folder.write(standing_orders(START))
            ticks, seconds = Ticks(context, checkpoints), {}
            for name, moment in moments.items():
                clock.now = moment + profile.agent.grace_ms
                venue.send(clock.now)
                venue.recv()
                began = time.perf_counter()
                if not ticks.slow_tick(moment):
                    raise ArtifactError(f"a slow tick that failed, {name}", "active pairs", "see the log above")
                seconds[name] = time.perf_counter() - began
            market.close()
    return seconds


@contextmanager
def exchange_process(panel: Panel) -> Iterator[Connection]:
    """Serve a panel from another process, as every real exchange is; its address is the first thing to receive.

    A time sent (ms UTC) moves its clock there and is sent back.
    """
    processes = multiprocessing.get_context("spawn")
    here, there = processes.Pipe()
    process = processes.Process(target=_serve, args=(panel, there), daemon=True)
    process.start()
    try:
        yield here
    finally:
        process.terminate()
        process.join()


def _serve(panel: Panel, orders: Connection) -> None:
    with replay_venue(panel, START) as venue:
        orders.send(venue.url)
        while True:
            moment = orders.recv()
            VenueClock(venue.exchange).reach(moment)
            orders.send(moment)


def _panel(assets: int, bars: int) -> Panel:
    """Return random walks with a common trend as candles that end some time after ``START``; no funding is paid."""
    open_time: Int1D = START + (np.arange(bars, dtype=np.int64) - FORMATION - WARMUP) * MINUTE_MS
    close = np.round(100.0 * np.exp(log_prices(bars, assets)), 4)
    opened = np.vstack([close[:1], close[:-1]])
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    names = tuple(f"S{number:03d}USDT" for number in range(assets))
    filled = np.zeros(close.shape, np.bool_)
    return Panel(open_time, names, MINUTE_MS, opened, high, low, close, np.full(close.shape, 10.0), filled, {})
