"""The websocket's hint through the unmodified ccxt.pro client, and its absence, which costs the grace time only."""

import threading

import pytest

from agent.feed.bar_hint import BarHint
from perpfut_lib.config import ExchangeConfig, SimulationConfig
from perpfut_lib.types import DAY_MS, MINUTE_MS
from perpfut_lib.venue.server import serve
from perpfut_lib.venue.settings import VenueConfig
from perpfut_lib.venue.tape import Tape

LONG = 60_000


@pytest.fixture(scope="module")
def tape():
    return Tape.simulated(SimulationConfig(days=5, symbols=2, planted_pairs=1))


def hinting(url):
    return BarHint("binance", ExchangeConfig(url=url, timeout=2.0), MINUTE_MS)


def test_a_closed_bar_is_announced(tape):
    """The bar that opens now is seen, the next one only once the exchange's clock has reached it."""
    start = tape.start + 2 * DAY_MS
    with serve(VenueConfig(start=start + 10_000, stream_interval=0.02), tape) as venue:
        hint = hinting(venue.url)
        try:
            hint.follow(["SIM01USDT"])
            assert hint.wait(start, LONG)
            assert not hint.wait(start + MINUTE_MS, 0)
            venue.exchange.clock.advance(MINUTE_MS)
            assert hint.wait(start + MINUTE_MS, LONG)
        finally:
            hint.close()


def test_without_an_exchange_there_is_no_hint_and_no_error():
    """A refused port: waiting ends when its time is over, and the answer is no."""
    hint = hinting("http://127.0.0.1:1")
    hint.follow(["SIM01USDT"])
    assert not hint.wait(MINUTE_MS, 20)
    hint.close()


def test_closing_wakes_whoever_waits():
    """A stop need not wait for the next bar."""
    hint, woken = hinting("http://127.0.0.1:1"), threading.Event()
    waiter = threading.Thread(target=lambda: (hint.wait(MINUTE_MS, LONG), woken.set()), daemon=True)
    waiter.start()
    hint.close()
    assert woken.wait(10)
