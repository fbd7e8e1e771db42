"""Dead man's switches on both wires, through the unmodified ccxt clients: what they cancel, and what they spare."""

import ccxt
import pytest

from perpfut_lib.types import DAY_MS, HOUR_MS
from perpfut_lib.venue.server import serve
from perpfut_lib.venue.settings import VenueConfig

ID, BINANCE, HYPERLIQUID = "SIM01USDT", "SIM01/USDT:USDT", "SIM01/USDC:USDC"
STOP = "0x73746f70" + "0" * 24


@pytest.fixture
def venue(tape):
    """Yield an exchange in the middle of its tape, which takes ``scheduleCancel`` from everybody."""
    start = tape.start + 2 * DAY_MS + 6 * HOUR_MS
    with serve(VenueConfig(start=start, schedule_cancel_volume=0.0), tape) as running:
        yield running


def client(venue, name):
    settings = venue.binance_settings() if name == "binanceusdm" else venue.hyperliquid_settings()
    made = getattr(ccxt, name)({**settings, "enableRateLimit": False})
    made.load_markets()
    return made


def placed(exchange, venue, symbol):
    """Buy, let a limit order rest far below, and a stop behind the position."""
    quote, rules = venue.exchange.quote(ID), venue.exchange.series(ID).instrument
    size = float(rules.quantity_text(1_000 / quote.last))
    exchange.create_order(symbol, "market", "buy", size, quote.last)
    exchange.create_order(symbol, "limit", "buy", size, exchange.price_to_precision(symbol, 0.97 * quote.bid))
    stop = {"stopLossPrice": exchange.price_to_precision(symbol, 0.9 * quote.bid), "reduceOnly": True}
    exchange.create_order(symbol, "market", "sell", size, quote.last, {**stop, "clientOrderId": STOP})


def resting(venue):
    """Return how many limit orders and how many stops rest, in the accounts of both wires together."""
    names = ("binance", venue.exchange.config.wallet)
    orders = [order for name in names for order in venue.matching.account(name).open_orders()]
    stops = [order for order in orders if order.request.trigger is not None]
    return len(orders) - len(stops), len(stops)


def test_binance_cancels_a_symbols_orders_and_spares_its_stops(venue):
    """Renewed, it does nothing; silent for the whole countdown, limit orders end and stops rest."""
    binance = client(venue, "binanceusdm")
    placed(binance, venue, BINANCE)
    for _ in range(3):
        binance.fapiPrivatePostCountdownCancelAll({"symbol": ID, "countdownTime": 30_000})
        venue.exchange.clock.advance(29_000)
        assert resting(venue) == (1, 1)
    venue.exchange.clock.advance(1_000)
    assert resting(venue) == (0, 1)


def test_binance_disarms_with_zero(venue):
    binance = client(venue, "binanceusdm")
    placed(binance, venue, BINANCE)
    binance.fapiPrivatePostCountdownCancelAll({"symbol": ID, "countdownTime": 10_000})
    binance.fapiPrivatePostCountdownCancelAll({"symbol": ID, "countdownTime": 0})
    venue.exchange.clock.advance(60_000)
    assert resting(venue) == (1, 1)
    with pytest.raises(ccxt.BadRequest):
        binance.fapiPrivatePostCountdownCancelAll({"symbol": ID, "countdownTime": -1})


def test_hyperliquid_cancels_everything_stops_included(venue):
    """That is why the executor never arms it beside stops."""
    hyperliquid = client(venue, "hyperliquid")
    placed(hyperliquid, venue, HYPERLIQUID)
    _schedule(hyperliquid, venue.exchange.clock.now() + 10_000)
    venue.exchange.clock.advance(9_000)
    assert resting(venue) == (1, 1)
    venue.exchange.clock.advance(1_000)
    assert resting(venue) == (0, 0)


def test_hyperliquid_refuses_a_time_that_is_too_near_and_small_accounts(venue, tape):
    hyperliquid = client(venue, "hyperliquid")
    with pytest.raises(ccxt.ExchangeError, match="at least 5 seconds"):
        _schedule(hyperliquid, venue.exchange.clock.now() + 4_000)
    with serve(VenueConfig(start=venue.exchange.clock.now()), tape) as strict:
        with pytest.raises(ccxt.ExchangeError, match="enough volume"):
            _schedule(client(strict, "hyperliquid"), venue.exchange.clock.now() + 60_000)


def _schedule(hyperliquid, time):
    """Sign and send ``scheduleCancel`` at an instant of the exchange's own clock."""
    nonce, action = hyperliquid.milliseconds(), {"type": "scheduleCancel", "time": time}
    body = {"action": action, "nonce": nonce, "signature": hyperliquid.sign_l1_action(action, nonce)}
    return hyperliquid.privatePostExchange(body)
