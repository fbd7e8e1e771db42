"""Hyperliquid through the unmodified ccxt clients: data, signed orders, refusals, websockets."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import ccxt
import ccxt.async_support
import ccxt.pro
import numpy as np
import pytest
import requests
from coincurve import PrivateKey

from perpfut_lib.types import DAY_MS, HOUR_MS, MINUTE_MS
from perpfut_lib.venue.ethereum import address_of, keccak
from perpfut_lib.venue.hyperliquid_market import price_text
from perpfut_lib.venue.instruments import Instrument
from perpfut_lib.venue.server import RunningExchange, serve
from perpfut_lib.venue.settings import DEFAULT_WALLET, DEFAULT_WALLET_KEY, VenueConfig
from perpfut_lib.venue.tape import Tape

SYMBOL, ID = "SIM01/USDC:USDC", "SIM01USDT"


@pytest.fixture
def middle(tape: Tape) -> Iterator[RunningExchange]:
    """Yield an exchange that stands in the middle of its tape."""
    config = VenueConfig(start=tape.start + 2 * DAY_MS + 6 * HOUR_MS + 10_000, stream_interval=0.02)
    with serve(config, tape) as running:
        yield running


def client(venue: RunningExchange, **options: Any) -> ccxt.hyperliquid:
    hyperliquid = ccxt.hyperliquid({**venue.hyperliquid_settings(), "enableRateLimit": False, **options})
    hyperliquid.load_markets()
    return hyperliquid


def put(venue: RunningExchange, **fault: Any) -> None:
    requests.post(f"{venue.url}/control/faults", json=fault, timeout=5).raise_for_status()


def amount_of(venue: RunningExchange, notional: float) -> float:
    quote, rules = venue.exchange.quote(ID), venue.exchange.series(ID).instrument
    return float(rules.quantity_text(notional / quote.last))


@pytest.mark.parametrize("length", [0, 1, 55, 135, 136, 137, 1000])
def test_keccak_equals_the_one_that_ccxt_carries(length: int) -> None:
    """The hash equals ccxt's at every padding boundary, and the well-known address follows from its key."""
    from ccxt.static_dependencies import keccak as reference

    message = bytes(k % 251 for k in range(length))
    assert keccak(message) == bytes(reference.SHA3(message))
    key = PrivateKey(bytes.fromhex(DEFAULT_WALLET_KEY[2:]))
    assert address_of(key.public_key) == DEFAULT_WALLET


@pytest.mark.parametrize(
    ("price", "text"),
    [(103243.1, "103243.0"), (2094.64, "2094.6"), (0.0700612, "0.07006"), (38.2951, "38.295"), (1.5, "1.5000")],
)
def test_prices_have_five_significant_figures(price: float, text: str) -> None:
    """Prices are cut to five figures, whole numbers end with a zero behind the point."""
    assert price_text(Instrument("AUSDT", price_decimals=6, lot_decimals=1), price) == text


def test_markets_candles_and_funding_equal_the_tape(middle: RunningExchange, tape: Tape) -> None:
    """Contracts, the candles of the last days and hourly funding arrive as the tape has them."""
    hyperliquid = client(middle)
    assert {market["base"] for market in hyperliquid.markets.values()} >= {"SIM01", "SIM02", "SIM03", "SIM04"}
    since, series = tape.start + DAY_MS, tape.series[ID]
    rows = np.array(hyperliquid.fetch_ohlcv(SYMBOL, "1m", since, None, {"until": since + 499 * MINUTE_MS}))
    k = int(np.searchsorted(series.bars.open_time, since))
    assert np.array_equal(rows[:, 0], series.bars.open_time[k : k + 500])
    assert np.array_equal(rows[:, 1:5], series.bars.prices[k : k + 500])
    assert np.array_equal(rows[:, 5], series.bars.volume[k : k + 500])
    rates = hyperliquid.fetch_funding_rate_history(SYMBOL, tape.start, 40)
    assert np.ptp(np.diff([row["timestamp"] // HOUR_MS for row in rates])) == 0
    paid = sum(row["fundingRate"] for row in rates[1:33])
    settled = series.funding_time <= rates[32]["timestamp"]
    assert paid == pytest.approx(series.funding_rate[settled][1:].sum(), abs=1e-8)


def test_only_the_newest_5000_candles_are_served(middle: RunningExchange, tape: Tape) -> None:
    """History beyond 5,000 candles is gone, whatever is asked for."""
    middle.exchange.clock.advance(DAY_MS + 12 * HOUR_MS)
    rows = client(middle).fetch_ohlcv(SYMBOL, "1m", tape.start, None, {"until": middle.exchange.clock.now()})
    assert len(rows) == 5000
    assert rows[0][0] > tape.start


def test_a_market_order_opens_and_a_reduce_only_order_closes(middle: RunningExchange) -> None:
    """An IOC order with slippage fills at the best price, and the position shows and goes."""
    hyperliquid, quote = client(middle), middle.exchange.quote(ID)
    quantity = amount_of(middle, 1000)
    bought = hyperliquid.create_order(SYMBOL, "market", "buy", quantity, quote.last)
    assert bought["filled"] == quantity
    (position,) = hyperliquid.fetch_positions([SYMBOL])
    assert (position["side"], position["contracts"], position["entryPrice"]) == ("long", quantity, quote.ask)
    hyperliquid.create_order(SYMBOL, "market", "sell", quantity, quote.last, {"reduceOnly": True})
    assert hyperliquid.fetch_positions([SYMBOL]) == []
    fills = hyperliquid.fetch_my_trades(SYMBOL)
    assert [fill["info"]["dir"] for fill in fills] == ["Open Long", "Close Long"]
    paid = sum(fill["fee"]["cost"] for fill in fills) - sum(float(fill["info"]["closedPnl"]) for fill in fills)
    assert hyperliquid.fetch_balance()["USDC"]["total"] == pytest.approx(100_000 - paid, abs=1e-3)


def test_funding_is_settled_every_hour(middle: RunningExchange, tape: Tape) -> None:
    """A short receives the hourly rate on its notional, hour by hour."""
    hyperliquid, series = client(middle), tape.series[ID]
    quantity = amount_of(middle, 5000)
    hyperliquid.create_order(SYMBOL, "market", "sell", quantity, middle.exchange.quote(ID).last)
    middle.exchange.clock.advance(5 * HOUR_MS)
    paid = hyperliquid.fetch_funding_history(SYMBOL, tape.start)
    assert len(paid) == 5
    hours, rates = series.hourly_funding
    for row in paid:
        k = int(np.searchsorted(hours, row["timestamp"]))
        mark = series.mark.prices[int(np.searchsorted(series.bars.open_time, row["timestamp"])) - 1, 3]
        assert float(row["info"]["delta"]["usdc"]) == pytest.approx(rates[k] * quantity * mark, abs=1e-5)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"notional": 9}, ccxt.InvalidOrder, "minimum value of"),
        ({"notional": 3_000_000}, ccxt.InsufficientFunds, "Insufficient margin"),
        ({"params": {"reduceOnly": True}}, ccxt.InvalidOrder, "Reduce only order would increase"),
        ({"kind": "limit", "share": 0.9, "params": {"timeInForce": "Ioc"}}, ccxt.InvalidOrder, "immediately match"),
        ({"kind": "limit", "share": 1.01, "params": {"timeInForce": "Alo"}}, ccxt.InvalidOrder, "Post only"),
    ],
)
def test_orders_that_break_a_rule_are_refused_in_hyperliquid_s_words(
    middle: RunningExchange, change: dict[str, Any], error: type[Exception], text: str
) -> None:
    """Refusals come with HTTP status 200 and a text that ccxt knows."""
    hyperliquid, quote = client(middle), middle.exchange.quote(ID)
    quantity, price = amount_of(middle, change.get("notional", 1000)), quote.last * change.get("share", 1.0)
    with pytest.raises(error, match=text):
        hyperliquid.create_order(SYMBOL, change.get("kind", "market"), "buy", quantity, price, change.get("params", {}))
    assert hyperliquid.fetch_positions([SYMBOL]) == []


def test_resting_orders_are_found_and_cancelled(middle: RunningExchange) -> None:
    """An order rests, is found by number and by the client's id, and is cancelled once."""
    hyperliquid, quote = client(middle), middle.exchange.quote(ID)
    cloid = "0x" + "ab" * 16
    order = hyperliquid.create_order(
        SYMBOL, "limit", "buy", amount_of(middle, 500), quote.bid * 0.98, {"clientOrderId": cloid}
    )
    assert [one["id"] for one in hyperliquid.fetch_open_orders(SYMBOL)] == [order["id"]]
    assert hyperliquid.fetch_order(order["id"], SYMBOL)["status"] == "open"
    assert hyperliquid.fetch_order(None, SYMBOL, {"clientOrderId": cloid})["id"] == order["id"]
    hyperliquid.cancel_order(order["id"], SYMBOL)
    assert hyperliquid.fetch_open_orders(SYMBOL) == []
    with pytest.raises(ccxt.OrderNotFound):
        hyperliquid.cancel_order(order["id"], SYMBOL)
    with pytest.raises(ccxt.OrderNotFound):
        hyperliquid.fetch_order("1", SYMBOL)


def test_another_key_a_changed_order_and_a_replay_are_refused(middle: RunningExchange) -> None:
    """The signature covers the whole action: another signer, a changed size or a used nonce do nothing."""
    stranger = client(middle, privateKey="0x" + "22" * 32)
    quantity, last = amount_of(middle, 1000), middle.exchange.quote(ID).last
    with pytest.raises(ccxt.InvalidOrder, match="does not exist"):
        stranger.create_order(SYMBOL, "market", "buy", quantity, last)
    hyperliquid = client(middle)
    orders = [{"symbol": SYMBOL, "type": "market", "side": "buy", "amount": quantity, "price": last}]
    request = hyperliquid.create_orders_request(orders)
    changed = json.loads(json.dumps(request))
    changed["action"]["orders"][0]["s"] = str(2 * quantity)
    url = f"{middle.url}/exchange"
    assert "does not exist" in requests.post(url, json=changed, timeout=5).json()["response"]
    assert requests.post(url, json=request, timeout=5).json()["status"] == "ok"
    assert "duplicate nonce" in requests.post(url, json=request, timeout=5).json()["response"]
    assert hyperliquid.fetch_positions([SYMBOL])[0]["contracts"] == quantity
    assert requests.post(url, json={"action": {}}, timeout=5).status_code == 422
    assert requests.post(f"{middle.url}/info", json={"type": "weather"}, timeout=5).status_code == 422


def test_faults_are_named_and_weights_are_limited(tape: Tape) -> None:
    """Gateway errors, lost connections and too many requests reach ccxt as network errors."""
    with serve(VenueConfig(hyperliquid_weight_limit=100), tape) as venue:
        instant = time.time()
        venue.exchange.wall = lambda: instant  # no minute ends in the middle of this test
        hyperliquid = client(venue)
        put(venue, kind="status", status=502, count=1, path="/info")
        with pytest.raises(ccxt.ExchangeNotAvailable):
            hyperliquid.fetch_time()
        put(venue, kind="drop", count=1, path="/info")
        with pytest.raises(ccxt.NetworkError):
            hyperliquid.fetch_time()
        with pytest.raises(ccxt.NetworkError, match="429"):
            for _ in range(60):
                hyperliquid.fetch_time()


def test_async_client_reads_the_same_candles(middle: RunningExchange) -> None:
    """The asynchronous client gets what the synchronous one gets."""
    until = {"until": middle.exchange.clock.now()}

    async def fetch() -> Any:
        later = ccxt.async_support.hyperliquid(middle.hyperliquid_settings())
        try:
            return await later.fetch_ohlcv(SYMBOL, "5m", until["until"] - DAY_MS, None, until)
        finally:
            await later.close()

    rows = asyncio.run(fetch())
    assert rows == client(middle).fetch_ohlcv(SYMBOL, "5m", until["until"] - DAY_MS, None, until)
    assert len(rows) == 288


def test_watched_candles_orders_and_fills(middle: RunningExchange, tape: Tape) -> None:
    """Ccxt.pro's candles become the tape; orders and fills arrive on the private channels."""
    quantity, last = amount_of(middle, 1000), middle.exchange.quote(ID).last

    async def work() -> tuple[list[list[float]], Any, Any]:
        hyperliquid = ccxt.pro.hyperliquid(middle.hyperliquid_settings())
        try:
            await hyperliquid.watch_ohlcv(SYMBOL, "1m")
            middle.exchange.clock.advance(5 * MINUTE_MS)
            rows: dict[int, list[float]] = {}
            while len(rows) < 6:
                for row in await hyperliquid.watch_ohlcv(SYMBOL, "1m", None, 20):
                    rows[int(row[0])] = row
            watching = [
                asyncio.ensure_future(one)
                for one in (hyperliquid.watch_orders(SYMBOL), hyperliquid.watch_my_trades(SYMBOL))
            ]
            while not {"orderUpdates", "userFills"} <= private_channels(middle):
                await asyncio.sleep(0.01)
            await hyperliquid.create_order(SYMBOL, "market", "buy", quantity, last)
            orders, trades = await watching[0], await watching[1]
            while orders[-1]["status"] != "closed":
                orders = await hyperliquid.watch_orders(SYMBOL)
            return [rows[time] for time in sorted(rows)], orders[-1], trades[-1]
        finally:
            await hyperliquid.close()

    rows, order, trade = asyncio.run(asyncio.wait_for(work(), 20))
    bars = tape.series[ID].bars
    k = int(np.searchsorted(bars.open_time, rows[0][0]))
    assert [row[1:5] for row in rows[:-1]] == bars.prices[k : k + len(rows) - 1].tolist()
    assert (order["filled"], trade["amount"], trade["side"]) == (quantity, quantity, "buy")


def private_channels(venue: RunningExchange) -> set[str]:
    """Return the private subscriptions of all connected clients."""
    clients = [getattr(hear, "__self__", None) for hear in venue.matching.listeners]
    return {kind for one in clients for kind in getattr(one, "private", ())}


def test_frames_ping_post_books_and_wrong_subscriptions(middle: RunningExchange) -> None:
    """Ping is answered, a request by post is carried out, an unknown subscription is an error on the channel."""

    async def frames() -> list[Any]:
        url = middle.url.replace("http", "ws", 1) + "/ws"
        post = {"method": "post", "id": 3, "request": {"type": "info", "payload": {"type": "allMids"}}}
        asked = [
            {"method": "ping"},
            post,
            {"method": "subscribe", "subscription": {"type": "weather", "coin": "SIM01"}},
            {"method": "subscribe", "subscription": {"type": "l2Book", "coin": "SIM01"}},
        ]
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
            for one in asked:
                await socket.send_json(one)
            return [json.loads((await socket.receive(5)).data) for _ in range(5)]

    pong, post, error, confirmed, book = asyncio.run(frames())
    assert pong == {"channel": "pong"}
    assert set(post["data"]["response"]["payload"]["data"]) == {"SIM01", "SIM02", "SIM03", "SIM04"}
    assert error["channel"] == "error"
    assert confirmed["channel"] == "subscriptionResponse"
    bids, asks = book["data"]["levels"]
    assert float(bids[0]["px"]) < float(asks[0]["px"])
    assert len(bids) == len(asks) == 20
