"""Websockets through the unmodified ccxt.pro client, and frame by frame through a plain one."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import ccxt.pro
import numpy as np
import pytest

from perpfut_lib.types import DAY_MS, HOUR_MS, MINUTE_MS
from perpfut_lib.venue.faults import Disconnect
from perpfut_lib.venue.server import RunningExchange, serve
from perpfut_lib.venue.settings import VenueConfig
from perpfut_lib.venue.tape import Tape

SYMBOL, ID = "SIM01/USDT:USDT", "SIM01USDT"


@pytest.fixture
def middle(tape: Tape) -> Iterator[RunningExchange]:
    """Yield an exchange that stands in the middle of its tape, ten seconds into a minute."""
    config = VenueConfig(start=tape.start + 2 * DAY_MS + 6 * HOUR_MS + 10_000, stream_interval=0.02)
    with serve(config, tape) as running:
        yield running


def with_client(venue: RunningExchange, work: Callable[[Any], Awaitable[Any]]) -> Any:
    """Run ``work`` with a ccxt.pro client that is closed afterwards."""

    async def run() -> Any:
        binance = ccxt.pro.binanceusdm(venue.binance_settings())
        try:
            return await asyncio.wait_for(work(binance), 20)
        finally:
            await binance.close()

    return asyncio.run(run())


def test_watched_candles_become_the_tape(middle: RunningExchange, tape: Tape) -> None:
    """Stepping ten minutes on, ccxt.pro's watch_ohlcv ends with exactly the bars of the tape."""

    async def work(binance: Any) -> list[list[float]]:
        await binance.watch_ohlcv(SYMBOL, "1m")
        rows: dict[int, list[float]] = {}
        middle.exchange.clock.advance(10 * MINUTE_MS)
        while len(rows) < 11 or max(rows) < middle.exchange.clock.now() - MINUTE_MS:
            for row in await binance.watch_ohlcv(SYMBOL, "1m", None, 20):
                rows[row[0]] = row
        return [rows[time] for time in sorted(rows)]

    rows = np.array(with_client(middle, work))
    bars = tape.series[ID].bars
    k = int(np.searchsorted(bars.open_time, rows[0, 0]))
    assert np.array_equal(rows[:-1, 1:5], bars.prices[k : k + len(rows) - 1])
    assert np.array_equal(rows[:-1, 5], bars.volume[k : k + len(rows) - 1])
    assert rows[-1, 5] < bars.volume[k + len(rows) - 1]


def test_watched_order_book_equals_the_snapshot(middle: RunningExchange) -> None:
    """After many differences the client's best levels are those that REST shows: no stale level is left over."""

    async def work(binance: Any) -> None:
        await binance.watch_order_book(SYMBOL)
        for _ in range(20):
            middle.exchange.clock.advance(7_000)
            book = await binance.watch_order_book(SYMBOL)
        while book["timestamp"] < middle.exchange.clock.now():
            book = await binance.watch_order_book(SYMBOL)
        snapshot = await binance.fetch_order_book(SYMBOL, 20)
        assert book["bids"][:20] == snapshot["bids"]
        assert book["asks"][:20] == snapshot["asks"]

    with_client(middle, work)


def test_watched_orders_positions_and_balance_follow_a_trade(middle: RunningExchange) -> None:
    """An order, its trade, the position and the wallet arrive on the private stream."""
    quote, rules = middle.exchange.quote(ID), middle.exchange.series(ID).instrument
    quantity = float(rules.quantity_text(1000 / quote.last))

    async def work(binance: Any) -> tuple[Any, Any, Any]:
        await binance.load_markets()
        watching = [
            asyncio.ensure_future(one)
            for one in (binance.watch_orders(SYMBOL), binance.watch_positions(), binance.watch_balance())
        ]
        while not middle.matching.listeners:  # the private stream is connected
            await asyncio.sleep(0.01)
        await binance.create_order(SYMBOL, "market", "buy", quantity)
        orders = await watching[0]
        while orders[-1]["status"] != "closed":
            orders = await binance.watch_orders(SYMBOL)
        return orders[-1], await watching[1], await watching[2]

    order, positions, balance = with_client(middle, work)
    assert (order["filled"], order["average"]) == (quantity, quote.ask)
    assert positions[0]["contracts"] == quantity
    assert balance["USDT"]["total"] == pytest.approx(100_000, rel=1e-3)


async def frames(url: str, requests: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Return the first frames that a plain client gets."""
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        for request in requests:
            await socket.send_json(request)
        return [json.loads((await socket.receive(5)).data) for _ in range(count)]


def socket_url(venue: RunningExchange, path: str) -> str:
    return venue.url.replace("http", "ws", 1) + path


def test_combined_streams_are_wrapped_and_acknowledged(middle: RunningExchange) -> None:
    """The combined endpoint acknowledges the subscription and names the stream of each message."""
    names = ["sim01usdt@markPrice", "sim01usdt@bookTicker", "sim01usdt@kline_1m", "nothere@kline_1m"]
    subscribe = {"method": "SUBSCRIBE", "params": names, "id": 7}
    got = asyncio.run(frames(socket_url(middle, "/market/stream"), [subscribe], 4))
    assert got[0] == {"result": None, "id": 7}
    assert {message["stream"] for message in got[1:]} == set(names[:3])
    (kline,) = (message["data"]["k"] for message in got[1:] if message["data"]["e"] == "kline")
    assert kline["x"] is False
    assert kline["t"] % MINUTE_MS == 0


def test_on_an_accelerated_clock_every_bar_is_closed_exactly_once(tape: Tape) -> None:
    """However fast time runs, the stream reports each bar as closed once, in order, with its final values."""
    config = VenueConfig(clock="accelerated", speed=6000, history_days=1, stream_interval=0.02)
    subscribe = {"method": "SUBSCRIBE", "params": ["sim02usdt@kline_1m"], "id": 1}
    with serve(config, tape) as venue:
        got = asyncio.run(frames(socket_url(venue, "/market/ws"), [subscribe], 120))
    closed = [message["k"] for message in got[1:] if message["k"]["x"]]
    times = [candle["t"] for candle in closed]
    assert len(times) > 30
    assert set(np.diff(times)) == {MINUTE_MS}
    bars = tape.series["SIM02USDT"].bars
    k = int(np.searchsorted(bars.open_time, times[0]))
    values = [[float(candle[name]) for name in "ohlc"] for candle in closed]
    assert values == bars.prices[k : k + len(closed)].tolist()


def test_wrong_requests_get_an_error_and_the_connection_lives(middle: RunningExchange) -> None:
    """Nonsense is answered as the exchange answers it."""
    nonsense = [{"method": "DANCE", "id": 1}, {"method": "LIST_SUBSCRIPTIONS", "id": 2}]
    got = asyncio.run(frames(socket_url(middle, "/public/ws"), nonsense, 2))
    assert got[0]["error"]["code"] == 2
    assert got[1] == {"result": [], "id": 2}


def test_private_stream_needs_the_listen_key_and_greets(middle: RunningExchange) -> None:
    """Without the key the door stays shut; with it, a first frame comes at once."""
    with pytest.raises(aiohttp.WSServerHandshakeError):
        asyncio.run(frames(socket_url(middle, "/private/ws?listenKey=guess"), [], 1))
    key = "venue" * 12 + "0001"
    (greeting,) = asyncio.run(frames(socket_url(middle, f"/private/ws?listenKey={key}"), [], 1))
    assert greeting["e"] == "ACCOUNT_CONFIG_UPDATE"


def test_a_disconnected_client_reconnects_and_misses_no_closed_bar(middle: RunningExchange, tape: Tape) -> None:
    """After a cut, ccxt.pro raises a network error; watching again goes on, and REST fills what was missed."""

    async def work(binance: Any) -> None:
        await binance.watch_ohlcv(SYMBOL, "1m")
        middle.exchange.add_fault(Disconnect())
        with pytest.raises(ccxt.NetworkError):
            while True:
                middle.exchange.clock.advance(1_000)
                await binance.watch_ohlcv(SYMBOL, "1m")
        middle.exchange.clock.advance(3 * MINUTE_MS)
        rows = await binance.watch_ohlcv(SYMBOL, "1m")
        since = rows[-1][0] - 5 * MINUTE_MS
        fetched = await binance.fetch_ohlcv(SYMBOL, "1m", since, 5)
        k = int(np.searchsorted(tape.series[ID].bars.open_time, since))
        assert [row[1:5] for row in fetched] == tape.series[ID].bars.prices[k : k + 5].tolist()

    with_client(middle, work)
