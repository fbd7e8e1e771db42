"""Replay of recorded candles, and the shapes of recorded payloads: what real clients got, they get here."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import ccxt
import numpy as np
import pandas as pd
import pytest
import requests

from perpfut_lib.types import MINUTE_MS
from perpfut_lib.venue.server import RunningExchange, serve
from perpfut_lib.venue.settings import VenueConfig
from perpfut_lib.venue.tape import Tape

SHARED = Path(os.environ.get("PERPFUT_SHARED_DATA", "../shared/data"))
FIXTURES = SHARED / "fixtures" / "nautilus"
needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason="recorded market data is absent (PERPFUT_SHARED_DATA)")


def recorded(name: str) -> Any:
    return json.loads((FIXTURES / f"http_{name}.json").read_text())


def get(venue: RunningExchange, path: str, **parameters: Any) -> Any:
    answer = requests.get(f"{venue.url}/fapi/v1/{path}", params=parameters, timeout=5)
    answer.raise_for_status()
    return answer.json()


def ask(venue: RunningExchange, **request: Any) -> Any:
    answer = requests.post(f"{venue.url}/info", json=request, timeout=5)
    answer.raise_for_status()
    return answer.json()


def kinds(row: dict[str, Any] | list[Any]) -> Any:
    """Return the JSON types of a payload, field by field."""
    return {key: type(row[key]) for key in row} if isinstance(row, dict) else [type(value) for value in row]


@needs_data
def test_recorded_candles_come_back_bit_for_bit() -> None:
    """Two symbols and four days of real 1-minute candles, and their funding, through the unmodified client."""
    candles = pd.read_parquet(SHARED / "market" / "binance_usdm_1m_2025-05-04_2025-06-24.parquet")
    funding = pd.read_parquet(SHARED / "market" / "binance_usdm_funding_2024-05_2025-06.parquet")
    start = pd.Timestamp("2025-05-10").value // 10**6
    span = range(start, start + 4 * 1440 * MINUTE_MS)
    names = ["BTCUSDT", "XRPUSDT"]
    candles = candles[candles["symbol"].isin(names) & candles["open_time"].between(span.start, span.stop - 1)]
    funding = funding[funding["symbol"].isin(names) & funding["funding_time"].between(span.start, span.stop - 1)]
    with serve(VenueConfig(start=span.stop), Tape.recorded(candles, funding)) as venue:
        binance = ccxt.binanceusdm({**venue.binance_settings(), "enableRateLimit": False})
        for name in names:
            symbol, rows, since = f"{name.removesuffix('USDT')}/USDT:USDT", [], span.start
            while since < span.stop:
                page = binance.fetch_ohlcv(symbol, "1m", since, 1000)
                rows, since = rows + page, page[-1][0] + MINUTE_MS
            columns = ["open_time", "open", "high", "low", "close", "volume"]
            expected = candles.loc[candles["symbol"] == name, columns].to_numpy(np.float64)
            assert np.array_equal(np.array(rows), expected)
            rates = [row["fundingRate"] for row in binance.fetch_funding_rate_history(symbol, span.start, 1000)]
            assert rates == funding.loc[funding["symbol"] == name, "funding_rate"].tolist()


@needs_data
def test_binance_payloads_have_the_recorded_shapes(venue: RunningExchange) -> None:
    """Every field of the recorded payloads is there, with the same JSON type: a text stays a text."""
    ours = get(venue, "exchangeInfo")
    real = recorded("futures_market_exchange_info")
    assert real.keys() <= ours.keys()
    left_out = {"settlePlan"}
    for symbol in ours["symbols"]:
        assert real["symbols"][0].keys() - symbol.keys() <= left_out
        shared = real["symbols"][0].keys() & symbol.keys()
        assert {key: type(symbol[key]) for key in shared} == {key: type(real["symbols"][0][key]) for key in shared}
        filters = {one["filterType"]: one for one in symbol["filters"]}
        for one in real["symbols"][0]["filters"]:
            assert kinds(one).items() <= kinds(filters[one["filterType"]]).items()
    page = {"symbol": "SIM01USDT", "interval": "1m", "limit": 3}
    assert kinds(get(venue, "klines", **page)[0]) == kinds(recorded("futures_market_klines")[0])
    assert kinds(get(venue, "markPriceKlines", **page)[0]) == kinds(recorded("futures_market_mark_price_klines")[0])
    one = {"symbol": "SIM01USDT"}
    rate = kinds(get(venue, "fundingRate", **one)[0])
    assert kinds(recorded("futures_market_funding_rate")[0]).items() <= rate.items()
    assert kinds(get(venue, "premiumIndex", **one)) == kinds(recorded("futures_market_premium_index"))
    assert kinds(get(venue, "ticker/bookTicker", **one)) == kinds(recorded("futures_market_book_ticker"))


@needs_data
def test_hyperliquid_payloads_have_the_recorded_shapes(venue: RunningExchange) -> None:
    """Contracts, contexts, books and funding carry the fields that the real exchange sends."""
    contract = recorded("meta_perp_sample")["universe"][0]
    optional = {"isDelisted", "onlyIsolated"}
    meta, contexts = ask(venue, type="metaAndAssetCtxs")
    assert contract.keys() - optional <= meta["universe"][0].keys()
    real = json.loads((FIXTURES / "ws_all_dexs_asset_ctxs.json").read_text())["data"]["ctxs"][0][1][0]
    assert kinds(real) == {key: kind for key, kind in kinds(contexts[0]).items() if key in real}
    funding = recorded("funding_history")[0]
    start = venue.exchange.tape.start
    assert kinds(ask(venue, type="fundingHistory", coin="SIM01", startTime=start)[0]) == kinds(funding)
    level = recorded("l2_book_btc")["levels"][0][0]
    assert level.keys() <= ask(venue, type="l2Book", coin="SIM01")["levels"][0][0].keys()


def test_the_command_serves_until_it_is_asked_to_stop() -> None:
    """``perpfut venue serve`` says where it listens, answers there, and stops on SIGTERM with exit code 0."""
    command = "import sys; from perpfut_lib.cli import main; sys.argv = ['perpfut', *sys.argv[1:]]; main()"
    settings = ["--set", "simulation.symbols=2", "--set", "simulation.planted_pairs=1", "--set", "history_days=2"]
    arguments = ["venue", "serve", "--port", "0", "--days", "5", *settings]
    process = subprocess.Popen([sys.executable, "-c", command, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[0]
        assert requests.get(f"{url}/fapi/v1/ping", timeout=5).json() == {}
        now = requests.get(f"{url}/fapi/v1/time", timeout=5).json()["serverTime"]
        rows = requests.get(
            f"{url}/fapi/v1/klines", params={"symbol": "SIM01USDT", "interval": "1m", "limit": 2}, timeout=5
        ).json()
        assert 0 <= now - rows[-1][0] < 2 * MINUTE_MS
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
