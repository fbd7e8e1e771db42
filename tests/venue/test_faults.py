"""Every fault reaches the unmodified client as a named error, or leaves a mark that a careful client can see."""

import asyncio
import time
from typing import Any

import ccxt
import ccxt.async_support
import numpy as np
import pytest
import requests

from perpfut_lib.config import SimulationConfig
from perpfut_lib.errors import ConfigError, MissingInputError
from perpfut_lib.types import DAY_MS, MINUTE_MS
from perpfut_lib.venue.clock import ExchangeClock
from perpfut_lib.venue.exchange import Exchange
from perpfut_lib.venue.faults import FaultBoard, Latency, Status, read_fault
from perpfut_lib.venue.server import RunningExchange, serve
from perpfut_lib.venue.settings import VenueConfig, read_settings
from perpfut_lib.venue.tape import Tape

SYMBOL = "SIM01/USDT:USDT"


def client(venue: RunningExchange, **options: Any) -> ccxt.binanceusdm:
    return ccxt.binanceusdm({"urls": {"api": venue.binance_urls()}, "enableRateLimit": False, **options})


def put(venue: RunningExchange, **fault: Any) -> None:
    requests.post(f"{venue.url}/control/faults", json=fault, timeout=5).raise_for_status()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (500, ccxt.ExchangeNotAvailable),
        (502, ccxt.ExchangeNotAvailable),
        (503, ccxt.ExchangeNotAvailable),
        (403, ccxt.ExchangeNotAvailable),
        (451, ccxt.ExchangeNotAvailable),
        (504, ccxt.RequestTimeout),
    ],
)
def test_gateway_errors_are_named_and_a_retry_succeeds(
    venue: RunningExchange, status: int, error: type[Exception]
) -> None:
    """An HTTP error of the gateway is one of ccxt's network errors; it hits as often as it was asked to."""
    put(venue, kind="status", status=status, count=1, path="/fapi/v1/klines")
    binance = client(venue)
    binance.load_markets()
    with pytest.raises(error):
        binance.fetch_ohlcv(SYMBOL, "1m", None, 5)
    assert len(binance.fetch_ohlcv(SYMBOL, "1m", None, 5)) == 5


def test_a_dropped_connection_is_a_network_error(venue: RunningExchange) -> None:
    """No answer at all raises NetworkError, synchronous and asynchronous alike, and a retry succeeds."""
    binance = client(venue)
    binance.load_markets()
    put(venue, kind="drop", count=1)
    with pytest.raises(ccxt.NetworkError):
        binance.fetch_ohlcv(SYMBOL, "1m", None, 5)
    assert len(binance.fetch_ohlcv(SYMBOL, "1m", None, 5)) == 5

    async def fetch() -> int:
        later = ccxt.async_support.binanceusdm({"urls": {"api": venue.binance_urls()}})
        try:
            await later.load_markets()
            put(venue, kind="drop", count=2)  # aiohttp itself repeats a GET once on a connection that was kept alive
            with pytest.raises(ccxt.NetworkError):
                await later.fetch_ohlcv(SYMBOL, "1m", None, 5)
            return len(await later.fetch_ohlcv(SYMBOL, "1m", None, 5))
        finally:
            await later.close()

    assert asyncio.run(fetch()) == 5


def test_latency_beyond_the_timeout_is_a_request_timeout(venue: RunningExchange) -> None:
    """An answer that comes too late raises RequestTimeout."""
    binance = client(venue, timeout=200)
    binance.load_markets()
    put(venue, kind="latency", milliseconds=1000, count=1)
    with pytest.raises(ccxt.RequestTimeout):
        binance.fetch_ohlcv(SYMBOL, "1m", None, 5)
    assert len(binance.fetch_ohlcv(SYMBOL, "1m", None, 5)) == 5


def test_a_gap_in_a_page_shows_in_its_time_stamps(venue: RunningExchange) -> None:
    """Missing rows are visible as a step of more than a bar, and only once."""
    put(venue, kind="gap", rows=3, count=1)
    binance = client(venue)
    steps = np.diff([row[0] for row in binance.fetch_ohlcv(SYMBOL, "1m", None, 100)])
    assert sorted(set(steps)) == [MINUTE_MS, 4 * MINUTE_MS]
    assert set(np.diff([row[0] for row in binance.fetch_ohlcv(SYMBOL, "1m", None, 100)])) == {MINUTE_MS}


def test_a_late_bar_is_not_followed_by_another_one(tape: Tape) -> None:
    """A bar that is over but published late is the last of its page: a bar is final only when the next one exists."""
    just_after = tape.start + 3 * DAY_MS + 1_000
    with serve(VenueConfig(start=just_after), tape) as venue:
        binance = client(venue)
        k = int(np.searchsorted(tape.series["SIM01USDT"].bars.open_time, just_after, side="right")) - 2
        final = tape.series["SIM01USDT"].bars.prices[k].tolist()
        on_time = binance.fetch_ohlcv(SYMBOL, "1m", None, 3)
        assert on_time[-2][1:5] == final
        put(venue, kind="late", milliseconds=5000)
        late = binance.fetch_ohlcv(SYMBOL, "1m", None, 3)
        assert late[-1][0] == on_time[-2][0]
        assert late[-1][5] < on_time[-2][5]
        venue.exchange.clock.advance(5000)
        assert binance.fetch_ohlcv(SYMBOL, "1m", None, 3)[-2][1:5] == final


def test_a_revised_bar_becomes_what_the_tape_says(tape: Tape) -> None:
    """The latest closed bar differs at first and equals the tape after the revision."""
    just_after = tape.start + 3 * DAY_MS + 1_000
    with serve(VenueConfig(start=just_after), tape) as venue:
        binance = client(venue)
        put(venue, kind="revise", milliseconds=5000)
        first = binance.fetch_ohlcv(SYMBOL, "1m", None, 3)
        venue.exchange.clock.advance(6000)
        second = binance.fetch_ohlcv(SYMBOL, "1m", None, 3)
        assert first[0] == second[0]
        assert first[1][0] == second[1][0]
        assert first[1][4:] != second[1][4:]
        k = int(np.searchsorted(tape.series["SIM01USDT"].bars.open_time, second[1][0]))
        assert second[1][1:5] == tape.series["SIM01USDT"].bars.prices[k].tolist()


def test_a_skewed_clock_is_seen_by_those_who_ask_the_time(venue: RunningExchange) -> None:
    """The time endpoint shows the skew; bars do not move with it."""
    binance = client(venue)
    before = binance.fetch_ohlcv(SYMBOL, "1m", None, 2)
    put(venue, kind="skew", milliseconds=-7000)
    assert binance.fetch_time() == venue.exchange.clock.now() - 7000
    assert binance.fetch_ohlcv(SYMBOL, "1m", None, 2) == before
    requests.delete(f"{venue.url}/control/faults", timeout=5)
    assert binance.fetch_time() == venue.exchange.clock.now()


def test_a_delisted_symbol_stops_and_says_so(tape: Tape) -> None:
    """After a delisting there are no new bars and the market is not active."""
    with serve(VenueConfig(start=tape.start + DAY_MS), tape) as venue:
        put(venue, kind="delist", symbol="SIM01USDT")
        requests.post(f"{venue.url}/control/clock", json={"advance": 600_000}, timeout=5).raise_for_status()
        binance = client(venue)
        assert not binance.load_markets()[SYMBOL]["active"]
        assert binance.markets["SIM02/USDT:USDT"]["active"]
        assert binance.fetch_ohlcv(SYMBOL, "1m", None, 2)[-1][0] == tape.start + DAY_MS
        assert binance.fetch_ohlcv("SIM02/USDT:USDT", "1m", None, 2)[-1][0] == tape.start + DAY_MS + 600_000


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Host": "evil.example"}])
def test_control_answers_no_page_of_a_browser(venue: RunningExchange, headers: dict[str, str]) -> None:
    """Null: any page that a browser shows moves the clock, also by a name that is resolved to this machine."""
    answer = requests.post(f"{venue.url}/control/clock", json={"advance": 1}, headers=headers, timeout=5)
    assert answer.status_code == 403
    assert "program on this machine" in answer.json()["error"]


def test_control_refuses_nonsense_in_words(venue: RunningExchange) -> None:
    """Unknown faults and backward clocks are answered with what was expected."""
    answer = requests.post(f"{venue.url}/control/faults", json={"kind": "gremlins"}, timeout=5)
    assert answer.status_code == 400
    assert "latency" in answer.json()["error"]
    for nonsense in ({"advance": -1}, {"advance": True}, {}, []):
        answer = requests.post(f"{venue.url}/control/clock", json=nonsense, timeout=5)
        assert answer.status_code == 400
    state = requests.get(f"{venue.url}/control/state", timeout=5).json()
    assert state["faults"] == []
    assert "SIM01USDT" in state["symbols"]


def test_faults_count_their_uses() -> None:
    """A fault with ``every`` and ``count`` hits every n-th use, count times."""
    board = FaultBoard()
    board.add(Status(every=3, count=2, path="/fapi"))
    hits = [board.use(Status, "/fapi/v1/ping") is not None for _ in range(9)]
    assert hits == [False, False, True, False, False, True, False, False, False]
    assert board.use(Latency, "/fapi") is None
    with pytest.raises(ConfigError, match="found fault"):
        read_fault(b'{"kind": "status", "status": 200}')


def test_clocks_stand_run_fast_or_follow_the_machine() -> None:
    """A stepped clock only advances when told, an accelerated one by its speed, a real one with the machine."""
    elapsed = [0.0]
    stepped = ExchangeClock("stepped", 1000, monotonic=lambda: elapsed[0])
    fast = ExchangeClock("accelerated", 1000, 60.0, monotonic=lambda: elapsed[0])
    elapsed[0] = 2.0
    assert (stepped.now(), fast.now()) == (1000, 121_000)
    assert stepped.advance(500) == 1500
    with pytest.raises(ValueError, match="back"):
        stepped.advance(-1)
    assert abs(ExchangeClock("real").now() - time.time() * 1000) < 1000


def test_on_a_real_clock_the_market_surrounds_the_present() -> None:
    """The tape is moved by whole days so that history lies before now and a future after it."""
    config = VenueConfig(clock="real", history_days=3, simulation=SimulationConfig(days=5, symbols=2, planted_pairs=0))
    exchange = Exchange.open(config)
    assert exchange.tape.start + 3 * DAY_MS <= exchange.clock.now() < exchange.tape.end
    assert exchange.tape.start % DAY_MS == 0


def test_settings_are_read_and_refused_by_name() -> None:
    """Settings from the command line reach the config; a wrong one is named."""
    assert read_settings(["simulation.symbols=25", "clock=real"]).simulation.symbols == 25
    with pytest.raises(ConfigError, match="weather"):
        read_settings(["weather=fair"])
    with pytest.raises(ConfigError, match="both files"):
        read_settings(["candles=here.parquet"])
    with pytest.raises(MissingInputError, match=r"nowhere\.parquet"):
        Exchange.open(read_settings(["candles=nowhere.parquet", "funding=nowhere.parquet"]))


def test_a_taken_port_is_a_named_error(venue: RunningExchange, tape: Tape) -> None:
    """A second exchange on the same port says which address is taken."""
    port = int(venue.url.rpartition(":")[2])
    with pytest.raises(ConfigError, match=str(port)), serve(VenueConfig(port=port), tape):
        pass
