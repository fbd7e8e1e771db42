"""Public data through the unmodified ccxt client: what the tape holds is what the client reads, bit by bit."""

import asyncio
import time
from typing import Any

import ccxt
import ccxt.async_support
import numpy as np
import pytest

from perpfut_lib.types import DAY_MS, HOUR_MS, MINUTE_MS
from perpfut_lib.venue.server import RunningExchange, serve
from perpfut_lib.venue.settings import VenueConfig
from perpfut_lib.venue.tape import Tape


def client(venue: RunningExchange, **options: Any) -> ccxt.binanceusdm:
    return ccxt.binanceusdm({"urls": {"api": venue.binance_urls()}, "enableRateLimit": False, **options})


def paged(binance: ccxt.binanceusdm, symbol: str, since: int, end: int) -> np.ndarray:
    """Page by the last time stamp, as a careful client does."""
    rows: list[list[float]] = []
    while since < end:
        page = binance.fetch_ohlcv(symbol, "1m", since, 1000)
        rows += [row for row in page if row[0] < end]
        since = page[-1][0] + MINUTE_MS
    return np.array(rows)


def test_markets_carry_the_rules_of_every_contract(venue: RunningExchange, tape: Tape) -> None:
    """Tick, lot, minimum notional and listing date arrive as the instruments state them."""
    markets = client(venue).load_markets()
    assert len(markets) == len(tape.series)
    for series in tape.series.values():
        rules = series.instrument
        market = markets[f"{rules.base}/USDT:USDT"]
        assert market["id"] == rules.symbol
        assert market["precision"]["price"] == float(rules.tick)
        assert market["precision"]["amount"] == float(rules.lot)
        assert market["limits"]["cost"]["min"] == float(rules.min_notional)
        assert market["created"] == series.bars.open_time[0]
        assert market["active"]


def test_paged_candles_equal_the_tape_bit_for_bit(venue: RunningExchange, tape: Tape) -> None:
    """Every bar of every symbol comes back as the very same doubles."""
    binance = client(venue)
    binance.load_markets()
    for symbol, series in tape.series.items():
        rows = paged(binance, f"{symbol.removesuffix('USDT')}/USDT:USDT", tape.start, tape.end)
        bars = series.bars
        assert np.array_equal(rows[:, 0], bars.open_time)
        assert np.array_equal(rows[:, 1:5], bars.prices)
        assert np.array_equal(rows[:, 5], bars.volume)


def test_funding_history_equals_the_tape(venue: RunningExchange, tape: Tape) -> None:
    """Rates are the same doubles; stamps are late by 0 to 20 ms; intervals of 4 and 1 hours are announced."""
    binance = client(venue)
    binance.load_markets()
    for symbol, series in tape.series.items():
        rows = binance.fetch_funding_rate_history(f"{symbol.removesuffix('USDT')}/USDT:USDT", tape.start, 1000)
        assert [row["fundingRate"] for row in rows] == series.funding_rate.tolist()
        late = np.array([row["timestamp"] for row in rows]) - series.funding_time
        assert late.min() >= 0
        assert late.max() <= 20
    intervals = binance.fetch_funding_intervals()
    expected = {symbol: one.instrument.funding_hours for symbol, one in tape.series.items()}
    announced = {row["info"]["symbol"]: int(row["interval"].removesuffix("h")) for row in intervals.values()}
    assert announced == {symbol: hours for symbol, hours in expected.items() if hours != 8}


def test_async_client_reads_the_same_candles(venue: RunningExchange, tape: Tape) -> None:
    """The asynchronous client gets what the synchronous one gets."""

    async def fetch() -> list[list[float]]:
        binance = ccxt.async_support.binanceusdm({"urls": {"api": venue.binance_urls()}})
        try:
            rows: list[list[float]] = await binance.fetch_ohlcv("SIM01/USDT:USDT", "1m", tape.start, 500)
            return rows
        finally:
            await binance.close()

    assert asyncio.run(fetch()) == client(venue).fetch_ohlcv("SIM01/USDT:USDT", "1m", tape.start, 500)


def test_longer_bars_are_made_of_minutes(venue: RunningExchange, tape: Tape) -> None:
    """An hour opens with its first minute, closes with its last, spans their extremes and sums their volumes."""
    rows = np.array(client(venue).fetch_ohlcv("SIM01/USDT:USDT", "1h", tape.start, 100))
    minutes = tape.series["SIM01USDT"].bars
    hours = minutes.prices[: 100 * 60].reshape(100, 60, 4)
    assert np.array_equal(rows[:, 0], minutes.open_time[: 100 * 60 : 60])
    assert np.array_equal(rows[:, 1], hours[:, 0, 0])
    assert np.array_equal(rows[:, 2], hours[:, :, 1].max(axis=1))
    assert np.array_equal(rows[:, 3], hours[:, :, 2].min(axis=1))
    assert np.array_equal(rows[:, 4], hours[:, -1, 3])
    assert rows[:, 5] == pytest.approx(minutes.volume[: 100 * 60].reshape(100, 60).sum(axis=1))


def test_the_raw_endpoint_honours_1500_bars_and_their_weight(venue: RunningExchange) -> None:
    """Pages of 99, 499, 1000 and 1500 bars weigh 1, 2, 5 and 10, as the header says."""
    binance = client(venue)
    used = 0
    for limit, weight in ((99, 1), (100, 2), (499, 2), (500, 5), (1000, 5), (1001, 10), (1500, 10)):
        rows = binance.fapiPublicGetKlines({"symbol": "SIM01USDT", "interval": "1m", "limit": limit})
        assert len(rows) == limit
        now = int(binance.last_response_headers["X-MBX-USED-WEIGHT-1M"])
        assert now - used == weight
        used = now


def test_mark_prices_lie_within_the_bar(venue: RunningExchange, tape: Tape) -> None:
    """Mark candles are smooth at the edges and never leave the range of trades."""
    rows = np.array(client(venue).fetch_mark_ohlcv("SIM02/USDT:USDT", "1m", tape.start, 1000))[:, 1:5]
    traded = tape.series["SIM02USDT"].bars.prices[:1000]
    assert (rows[:, 1] <= traded[:, 1]).all()
    assert (rows[:, 2] >= traded[:, 2]).all()
    assert (rows[:, 1] >= rows.max(axis=1)).all()
    assert (rows[:, 2] <= rows.min(axis=1)).all()


def test_quotes_agree_with_each_other(venue: RunningExchange, tape: Tape) -> None:
    """Best prices, book, ticker, mark price and last bar tell the same story."""
    binance = client(venue)
    binance.load_markets()
    for series in tape.series.values():
        symbol, tick = f"{series.instrument.base}/USDT:USDT", float(series.instrument.tick)
        best = binance.fetch_bids_asks([symbol])[symbol]
        book = binance.fetch_order_book(symbol, 20)
        ticker = binance.fetch_ticker(symbol)
        premium = binance.fetch_funding_rate(symbol)
        assert book["bids"][0][0] == best["bid"] < best["ask"] == book["asks"][0][0]
        assert best["ask"] - best["bid"] == pytest.approx(tick)
        assert ticker["last"] == series.bars.prices[-1, 3]
        assert ticker["last"] in (best["bid"], best["ask"])
        assert premium["markPrice"] == pytest.approx(ticker["last"], rel=0.01)
        assert len(book["bids"]) == 20


@pytest.mark.parametrize(
    ("parameters", "error", "code"),
    [
        ({"symbol": "NOTHERE", "interval": "1m"}, ccxt.BadSymbol, "-1121"),
        ({"interval": "1m"}, ccxt.BadRequest, "-1102"),
        ({"symbol": "SIM01USDT", "interval": "7m"}, ccxt.BadRequest, "-1120"),
        ({"symbol": "SIM01USDT", "interval": "1m", "limit": 1501}, ccxt.BadRequest, "-1130"),
        ({"symbol": "SIM01USDT", "interval": "1m", "startTime": 2, "endTime": 1}, ccxt.ExchangeError, "-1023"),
        ({"symbol": "SIM01USDT", "interval": "1m", "startTime": "soon"}, ccxt.BadRequest, "-1100"),
    ],
)
def test_bad_requests_are_refused_in_binance_s_words(
    venue: RunningExchange, parameters: dict[str, Any], error: type[Exception], code: str
) -> None:
    """Ccxt maps each refusal to the class that it maps the real one to."""
    with pytest.raises(error, match=code):
        client(venue).fapiPublicGetKlines(parameters)


def test_beyond_the_weight_limit_429_then_418_and_both_say_when_to_return(tape: Tape) -> None:
    """A client that goes on after 429 is banned; both answers reach ccxt as DDoSProtection with Retry-After."""
    with serve(VenueConfig(weight_limit=25, ban_after=3, ban_seconds=90), tape) as venue:
        instant = time.time()
        venue.exchange.wall = lambda: instant  # no minute ends in the middle of this test
        binance = client(venue)
        request = {"symbol": "SIM01USDT", "interval": "1m", "limit": 1000}
        for _ in range(5):
            assert len(binance.fapiPublicGetKlines(request)) == 1000
        for status in ("429", "429", "429", "418", "418"):
            with pytest.raises(ccxt.DDoSProtection, match=status):
                binance.fapiPublicGetKlines(request)
            assert int(binance.last_response_headers["Retry-After"]) > 0
        with pytest.raises(ccxt.DDoSProtection, match="banned until"):
            binance.fapiPublicGetPing()


def test_only_the_past_is_shown_and_the_last_bar_is_still_forming(tape: Tape) -> None:
    """In the middle of a bar, that bar is partial, lies within its final range, and nothing later exists."""
    middle = tape.start + 2 * DAY_MS + HOUR_MS + 40_000
    with serve(VenueConfig(start=middle), tape) as venue:
        binance = client(venue)
        rows = np.array(binance.fetch_ohlcv("SIM01/USDT:USDT", "1m", None, 10))
        bars = tape.series["SIM01USDT"].bars
        k = int(np.searchsorted(bars.open_time, middle, side="right")) - 1
        assert np.array_equal(rows[:-1, 1:5], bars.prices[k - 9 : k])
        assert rows[-1, 0] == bars.open_time[k]
        assert bars.prices[k, 2] <= rows[-1, 3] <= rows[-1, 4] <= rows[-1, 2] <= bars.prices[k, 1]
        assert 0 < rows[-1, 5] < bars.volume[k]
        assert binance.fetch_time() == middle
        assert binance.fetch_ohlcv("SIM01/USDT:USDT", "1m", middle + MINUTE_MS, 10) == []
        venue.exchange.clock.advance(MINUTE_MS)
        assert binance.fetch_ohlcv("SIM01/USDT:USDT", "1m", int(bars.open_time[k]), 1)[0][1:5] == (
            bars.prices[k].tolist()
        )
        rates = binance.fetch_funding_rate_history("SIM01/USDT:USDT", tape.start, 1000)
        assert max(row["timestamp"] for row in rates) <= middle + MINUTE_MS
