"""One connection: what is asked again, what is refused, and what is never believed."""

import socket

import ccxt
import numpy as np
import pytest

from perpfut_lib.acquire.budget import WeightBudget
from perpfut_lib.acquire.exchange import Exchange
from perpfut_lib.acquire.wires import BINANCE, HYPERLIQUID, BinanceUsdm
from perpfut_lib.config import ExchangeConfig
from perpfut_lib.errors import ExchangeError

T0 = 1_735_689_600_000
MINUTE = 60_000
GOOD = [[T0 + k * MINUTE, 10.0, 11.0, 9.0, 10.5, 1.0] for k in range(5)]


class Client:
    """A ccxt client that answers from a script."""

    def __init__(self, *answers):
        self.answers, self.calls, self.last_response_headers = list(answers), 0, {}
        self.has = {"fetchTime": True}

    def fetch_ohlcv(self, *arguments):
        self.calls += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def scripted():
    """Return a function that makes an exchange whose client answers as told."""

    def make(*answers, retries=4):
        exchange = Exchange(BINANCE, ExchangeConfig(retries=retries, backoff=0.001))
        exchange._client = Client(*answers)
        exchange._markets = {"AAA": {"symbol": "AAA/USDT:USDT"}}
        return exchange

    return make


def _with(row, column, value):
    rows = [list(bar) for bar in GOOD]
    rows[row][column] = value
    return rows


NONSENSE = {
    "times that run backwards": [GOOD[1], GOOD[0]],
    "a bar twice": [GOOD[0], GOOD[0]],
    "a bar before the one asked for": _with(0, 0, T0 - MINUTE),
    "a bar off the grid": _with(4, 0, T0 + 4 * MINUTE + 1),
    "a price of zero": _with(2, 3, 0.0),
    "no price": _with(2, 4, None),
    "an infinite volume": _with(2, 5, np.inf),
    "a high below the close": _with(2, 2, 10.4),
    "a low above the open": _with(2, 3, 10.2),
    "half a row": [[T0, 10.0, 11.0]],
    "a page of html": "<html><body>maintenance</body></html>",
    "nothing at all": None,
}


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=list(NONSENSE))
def test_an_answer_that_cannot_be_true_is_asked_for_again(scripted, answer):
    exchange = scripted(answer, GOOD)
    assert np.array_equal(exchange.candles("AAA", MINUTE, T0).rows, GOOD)


@pytest.mark.parametrize(
    "error",
    [
        *(ccxt.RequestTimeout, ccxt.NetworkError, ccxt.ExchangeNotAvailable, ccxt.OnMaintenance, ccxt.DDoSProtection),
        *(ccxt.RateLimitExceeded, ccxt.BadResponse, ccxt.ExchangeError),
    ],
)
def test_a_passing_failure_is_tried_again(scripted, error):
    exchange = scripted(error("once"), error("twice"), GOOD)
    assert np.array_equal(exchange.candles("AAA", MINUTE, T0).rows, GOOD)
    assert exchange.budget.requests == 3


@pytest.mark.parametrize(
    "error",
    [
        *(ccxt.BadSymbol("x"), ccxt.PermissionDenied("x"), ccxt.RestrictedLocation("x")),
        ccxt.ExchangeNotAvailable("binanceusdm GET https://x 451 Unavailable"),
    ],
)
def test_a_refusal_is_not_tried_again(scripted, error):
    exchange = scripted(error, GOOD)
    with pytest.raises(ExchangeError, match="candles of AAA from 2025-01-01 00:00 refused"):
        exchange.candles("AAA", MINUTE, T0)
    assert exchange._client.calls == 1


def test_what_stays_wrong_is_a_named_error(scripted):
    exchange = scripted(*[NONSENSE["a price of zero"]] * 3, retries=2)
    message = "no usable answer for candles of AAA from 2025-01-01 00:00 after 3 tries: ImplausibleAnswer a price"
    with pytest.raises(ExchangeError, match=message):
        exchange.candles("AAA", MINUTE, T0)


def test_a_429_holds_every_thread_as_long_as_it_says(scripted):
    """The thread that was refused waits, and the budget lets nobody pass before the time is over."""
    exchange, waits, held = scripted(ccxt.DDoSProtection("429"), GOOD), [], []
    exchange.budget = WeightBudget(1200, lambda: 0.0, held.append)  # a clock that stands: the whole pause is still due
    exchange._client.last_response_headers = {"Retry-After": "7"}
    exchange.stopped.wait = waits.append
    exchange.candles("AAA", MINUTE, T0)
    assert waits == [7.0]
    assert held == [pytest.approx(7.1, abs=0.1)]


def test_a_full_page_goes_to_its_last_row_and_a_short_one_to_the_end(scripted):
    full = [[T0 + k * MINUTE, 10.0, 11.0, 9.0, 10.5, 1.0] for k in range(BINANCE.candles.rows)]
    exchange = scripted(full, GOOD)
    assert exchange.candles("AAA", MINUTE, T0).reach == full[-1][0] + 1
    assert exchange.candles("AAA", MINUTE, T0).reach == float("inf")


@pytest.mark.parametrize("since", [None, T0 + 3 * MINUTE])
@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_a_page_is_read_as_ccxt_reads_it(since, order):
    """Prices of seventeen digits, in order or not, with bars before the one asked for: the numbers of ccxt's parser."""
    prices = np.random.default_rng(3).uniform(1e-6, 1e5, (50, 4))
    page = [[T0 + k * MINUTE, *map(repr, row.tolist()), "12.5", T0, "0", 3] for k, row in enumerate(prices)][order]
    theirs = ccxt.binanceusdm().parse_ohlcvs(page, {"inverse": False}, "1m", since, 20)
    ours = BinanceUsdm().parse_ohlcvs(page, {"inverse": False}, "1m", since, 20)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("body", [None, {"code": -1}, [["a", "b"]], [[T0, "x", "1", "1", "1", "1"]], [5]])
def test_a_body_that_is_no_page_is_no_empty_page(body):
    """It raises, so that it is asked for again: an empty page would mean that there is no more data."""
    with pytest.raises((TypeError, ValueError)):
        BinanceUsdm().parse_ohlcvs(body)


def _closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.parametrize("wire", [BINANCE, HYPERLIQUID], ids=["binance", "hyperliquid"])
@pytest.mark.parametrize(
    ("host", "told"),
    [("127.0.0.1", "the connection is refused"), ("exchange.invalid", "the name does not resolve")],
)
def test_where_nobody_is_the_first_contact_ends_within_seconds(wire, host, told):
    """Proves that all patience of the settings (minutes) is not spent on a closed port or a name that is none."""
    url = f"http://{host}:{_closed_port()}"
    exchange, waits = Exchange(wire, ExchangeConfig(url=url)), []
    exchange.stopped.wait = waits.append
    with pytest.raises(ExchangeError, match=told) as raised:
        exchange.markets()
    assert url in raised.value.found and "markets" in raised.value.found
    assert "data.exchange.url" in raised.value.remedy and "data.source=venue" in raised.value.remedy
    assert sum(waits) <= 3.0


def test_a_blip_in_the_middle_is_waited_for(scripted):
    """Once somebody has answered, refused connections and lost names are tried again as long as the settings allow."""
    refused, lost = ccxt.NetworkError("refused"), ccxt.NetworkError("lost")
    refused.__cause__, lost.__cause__ = ConnectionRefusedError(111, "x"), socket.gaierror(-2, "x")
    exchange = scripted(GOOD, *[refused, lost] * 3, GOOD, retries=6)
    exchange.candles("AAA", MINUTE, T0)
    assert np.array_equal(exchange.candles("AAA", MINUTE, T0).rows, GOOD)
    assert exchange.budget.requests == 8
