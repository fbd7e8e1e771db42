"""Acquisition over the wire: a local exchange downloaded by our code, and by a plain loop over ccxt."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import ccxt
import numpy as np
import pandas as pd

from perpfut_lib.acquire.budget import WeightBudget
from perpfut_lib.acquire.download import Order, download
from perpfut_lib.acquire.exchange import Exchange
from perpfut_lib.acquire.history import CANDLES, History
from perpfut_lib.acquire.wires import BINANCE, BINANCE_KLINE_TIERS
from perpfut_lib.bench.harness import BenchRow, Contest
from perpfut_lib.config import ExchangeConfig, SimulationConfig
from perpfut_lib.types import MINUTE_MS
from perpfut_lib.venue.server import serve
from perpfut_lib.venue.settings import VenueConfig
from perpfut_lib.venue.tape import Tape

MARKET: Final = SimulationConfig(days=14, symbols=8, planted_pairs=2)
PLENTY: Final = 10_000_000
YEAR: Final = 525_600


def run() -> Iterator[BenchRow]:
    """Measure a download into the store (durable, verified) against pages kept in memory, and the weight it takes."""
    tape = Tape.simulated(MARKET)
    with serve(VenueConfig(start=tape.end + 2 * MINUTE_MS, weight_limit=PLENTY), tape) as venue:
        order = Order((CANDLES,), tuple(tape.series), tape.start, tape.end, MINUTE_MS)
        bars = len(order.symbols) * MARKET.days * 1440
        contest = Contest(
            "acquire",
            f"{bars} bars over the wire into the store",
            ours=lambda: _ours(venue.url, order),
            peer=lambda: _plain_loop(venue.binance_urls(), order),
            peer_name="ccxt fetch_ohlcv loop, limit 1000, kept in memory",
            error=_difference,
            repeats=3,
        )
        row = contest.run()
        yield row
        yield _per_second(row, bars)
    yield _weight()
    yield _pacing()


def _ours(url: str, order: Order) -> dict[str, pd.DataFrame]:
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder))
        download(Exchange(replace(BINANCE, weight_per_minute=PLENTY), ExchangeConfig(url=url)), history, order)
        return {symbol: history.read(CANDLES, symbol, order.start, order.end) for symbol in order.symbols}


def _plain_loop(urls: dict[str, str], order: Order) -> dict[str, list[Any]]:
    """Return every bar as the usual loop gets it: one symbol after the other, 1,000 bars per page."""
    client = ccxt.binanceusdm({"urls": {"api": urls}, "enableRateLimit": False})
    client.load_markets()
    names = {market["id"]: name for name, market in client.markets.items()}
    held = {}
    for symbol in order.symbols:
        rows: list[Any] = []
        since = order.start
        while since < order.end:
            page = client.fetch_ohlcv(names[symbol], "1m", since, 1000)
            rows += [row for row in page if row[0] < order.end]
            since = page[-1][0] + MINUTE_MS
        held[symbol] = rows
    return held


def _difference(ours: dict[str, pd.DataFrame], peer: dict[str, list[Any]]) -> float:
    return max(float(np.abs(table.to_numpy() - np.array(peer[symbol])).max()) for symbol, table in ours.items())


def _per_second(row: BenchRow, bars: int) -> BenchRow:
    peer = bars / row.peer if row.peer else None
    return replace(row, metric="bars per second", unit="bar/s", ours=bars / row.ours, peer=peer)


def _weight() -> BenchRow:
    """Return the request weight of a symbol-year at our page size and at ccxt's largest."""

    def year(rows: int, weight: int) -> float:
        return float(-(-YEAR // rows) * weight)

    page, largest = BINANCE.candles, BINANCE_KLINE_TIERS[-1]
    ours, peer = year(page.rows - 1, page.weight), year(largest.rows, largest.weight)  # our pages overlap by one row
    name = f"pages of {largest.rows}"
    return BenchRow(
        "acquire", f"weight of a symbol-year, pages of {page.rows}", "", ours, peer, name, peer / ours, None
    )


def _pacing() -> BenchRow:
    """Return the minutes that a year of 25 symbols takes at our share of Binance's limit, on a clock of its own."""
    now, page = _Clock(), BINANCE.candles
    budget = WeightBudget(BINANCE.weight_per_minute * 5 // 6, now.read, now.wait)
    for _ in range(25 * -(-YEAR // (page.rows - 1))):
        budget.spend(page.weight)
    metric = f"a year of 25 symbols at weight {budget.per_minute} a minute"
    return BenchRow("acquire", metric, "min", now.time / 60, None, None, None, None)


class _Clock:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.time = 0.0

    def read(self) -> float:
        return self.time

    def wait(self, seconds: float) -> None:
        self.time += seconds
