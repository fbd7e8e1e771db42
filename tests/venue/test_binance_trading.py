"""Trading through the unmodified ccxt client: orders, positions, fees, funding, refusals, unknown outcomes."""

import hashlib
import hmac
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import ccxt
import numpy as np
import pytest
import requests

from perpfut_lib.types import DAY_MS, HOUR_MS, MINUTE_MS
from perpfut_lib.venue.server import RunningExchange, serve
from perpfut_lib.venue.settings import DEFAULT_KEY, DEFAULT_SECRET, VenueConfig
from perpfut_lib.venue.tape import Tape

SYMBOL, ID = "SIM01/USDT:USDT", "SIM01USDT"


@pytest.fixture
def middle(tape: Tape) -> Iterator[RunningExchange]:
    """Yield an exchange that stands in the middle of its tape, two hours before a settlement."""
    with serve(VenueConfig(start=tape.start + 2 * DAY_MS + 6 * HOUR_MS + 20_000), tape) as running:
        yield running


def client(venue: RunningExchange, **options: Any) -> ccxt.binanceusdm:
    binance = ccxt.binanceusdm({**venue.binance_settings(), "enableRateLimit": False, **options})
    binance.load_markets()
    return binance


def put(venue: RunningExchange, **fault: Any) -> None:
    requests.post(f"{venue.url}/control/faults", json=fault, timeout=5).raise_for_status()


def amount_of(venue: RunningExchange, notional: float) -> float:
    quote, rules = venue.exchange.quote(ID), venue.exchange.series(ID).instrument
    return float(rules.quantity_text(notional / quote.last))


def test_a_market_order_opens_and_a_reduce_only_order_closes(middle: RunningExchange) -> None:
    """Buy at the ask, sell at the bid; the wallet changes by exactly the profit and the two fees."""
    binance = client(middle)
    quantity, quote = amount_of(middle, 1000), middle.exchange.quote(ID)
    before = Decimal(binance.fetch_balance()["info"]["totalWalletBalance"])
    bought = binance.create_order(SYMBOL, "market", "buy", quantity)
    assert (bought["status"], bought["filled"], bought["average"]) == ("closed", quantity, quote.ask)
    (position,) = binance.fetch_positions([SYMBOL])
    assert (position["side"], position["contracts"], position["entryPrice"]) == ("long", quantity, quote.ask)
    sold = binance.create_order(SYMBOL, "market", "sell", 3 * quantity, params={"reduceOnly": True})
    assert (sold["filled"], sold["average"]) == (quantity, quote.bid)
    assert binance.fetch_positions([SYMBOL]) == []
    turnover = Decimal(str(quantity)) * (Decimal(str(quote.ask)) + Decimal(str(quote.bid)))
    profit = Decimal(str(quantity)) * (Decimal(str(quote.bid)) - Decimal(str(quote.ask)))
    after = Decimal(binance.fetch_balance()["info"]["totalWalletBalance"])
    assert after - before == pytest.approx(profit - turnover * Decimal("0.00045"), abs=Decimal("1e-7"))
    trades = binance.fetch_my_trades(SYMBOL)
    assert [trade["side"] for trade in trades] == ["buy", "sell"]
    assert all(trade["takerOrMaker"] == "taker" and trade["fee"]["currency"] == "USDT" for trade in trades)


def test_a_large_order_walks_the_book(middle: RunningExchange) -> None:
    """More than the first level holds is filled at worse and worse ticks."""
    binance, quote = client(middle), middle.exchange.quote(ID)
    rules = middle.exchange.series(ID).instrument
    order = binance.create_order(SYMBOL, "market", "buy", float(rules.quantity_text(3 * quote.depth)))
    prices = [trade["price"] for trade in binance.fetch_my_trades(SYMBOL)]
    assert len(set(prices)) >= 3
    assert np.allclose(np.diff(sorted(set(prices))), float(rules.tick))
    assert order["average"] == pytest.approx(np.mean(prices), rel=1e-4)


def test_a_limit_order_rests_until_traded_through_and_pays_the_maker_fee(middle: RunningExchange, tape: Tape) -> None:
    """A bid below the market fills at its own price once the market goes below it, not before."""
    binance, quote = client(middle), middle.exchange.quote(ID)
    price = float(f"{quote.bid * 0.999:.{middle.exchange.series(ID).instrument.price_decimals}f}")
    quantity = amount_of(middle, 1000)
    order = binance.create_order(SYMBOL, "limit", "buy", quantity, price)
    assert order["status"] == "open"
    assert [one["id"] for one in binance.fetch_open_orders(SYMBOL)] == [order["id"]]
    lows = tape.series[ID].bars
    first = int(np.searchsorted(lows.open_time, middle.exchange.clock.now()))
    until = first + int(np.flatnonzero(lows.prices[first:, 2] < price)[0])
    middle.exchange.clock.advance(int(lows.open_time[until]) - middle.exchange.clock.now() - 1)
    assert binance.fetch_order(order["id"], SYMBOL)["status"] == "open"
    middle.exchange.clock.advance(MINUTE_MS + 1)
    filled = binance.fetch_order(order["id"], SYMBOL)
    assert (filled["status"], filled["average"]) == ("closed", price)
    (trade,) = binance.fetch_my_trades(SYMBOL)
    assert trade["takerOrMaker"] == "maker"
    assert trade["fee"]["cost"] == pytest.approx(price * quantity * 1.5e-4, abs=1e-7)


def test_funding_is_paid_at_settlement_by_who_held_before(middle: RunningExchange, tape: Tape) -> None:
    """A long pays rate × notional at each settlement that it lives through, and none after it is closed."""
    binance, series = client(middle), tape.series[ID]
    quantity = amount_of(middle, 5000)
    binance.create_order(SYMBOL, "market", "buy", quantity)
    opened = middle.exchange.clock.now()
    middle.exchange.clock.advance(20 * HOUR_MS)
    binance.create_order(SYMBOL, "market", "sell", quantity, params={"reduceOnly": True})
    middle.exchange.clock.advance(20 * HOUR_MS)
    paid = binance.fetch_funding_history(SYMBOL)
    held = (series.funding_time > opened) & (series.funding_time <= opened + 20 * HOUR_MS)
    assert [row["timestamp"] for row in paid] == series.funding_time[held].tolist()
    rows = np.searchsorted(series.bars.open_time, series.funding_time[held]) - 1
    expected = -series.funding_rate[held] * quantity * series.mark.prices[rows, 3]
    assert [row["amount"] for row in paid] == pytest.approx(expected.tolist(), abs=1e-7)


def test_every_change_of_the_wallet_is_an_income(middle: RunningExchange) -> None:
    """Null: the ledger leaks. Over random orders and hours the wallet equals its start plus all incomes, exactly."""
    binance, rng = client(middle), np.random.default_rng(5)
    account = middle.matching.account("binance")
    start, position = account.wallet, Decimal(0)
    for _ in range(30):
        quantity, side = amount_of(middle, float(rng.uniform(50, 3000))), str(rng.choice(["buy", "sell"]))
        order = binance.create_order(SYMBOL, "market", side, quantity)
        position += Decimal(str(order["filled"])) * (1 if side == "buy" else -1)
        assert account.position(ID).quantity == position
        middle.exchange.clock.advance(int(rng.integers(1, 3 * HOUR_MS)))
    account = middle.matching.account("binance")
    assert account.wallet == start + sum(row.amount for row in account.income)
    profit = sum(fill.profit for fill in account.fills)
    cash = sum(-fill.order.request.sign * fill.price * fill.quantity for fill in account.fills)
    held = account.position(ID)
    assert profit == pytest.approx(cash + held.quantity * held.entry, abs=Decimal("1e-6"))


@pytest.mark.parametrize(
    ("change", "error", "code"),
    [
        ({"quantity": "0.00001"}, ccxt.BadRequest, "-1111"),
        ({"quantity": "0"}, ccxt.BadRequest, "-4003"),
        ({"notional": 4}, ccxt.InvalidOrder, "-4164"),
        ({"notional": 3_000_000}, ccxt.InsufficientFunds, "-2019"),
        ({"reduceOnly": "true"}, ccxt.InvalidOrder, "-2022"),
        ({"type": "LIMIT", "timeInForce": "GTC", "price": "0.0000001"}, ccxt.BadRequest, "-4014"),
        ({"type": "LIMIT", "timeInForce": "GTC", "beyond": 1.2}, ccxt.BadRequest, "-4016"),
        ({"type": "LIMIT", "timeInForce": "GTX", "beyond": 1.01}, ccxt.OrderNotFillable, "-5022"),
        ({"side": "HOLD"}, ccxt.BadRequest, "-1117"),
        ({"type": "ICEBERG"}, ccxt.BadRequest, "-1116"),
        ({"positionSide": "LONG"}, ccxt.OperationRejected, "-4061"),
        ({"symbol": "NOTHERE"}, ccxt.BadSymbol, "-1121"),
    ],
)
def test_orders_that_break_a_rule_are_refused_and_nothing_happens(
    middle: RunningExchange, change: dict[str, Any], error: type[Exception], code: str
) -> None:
    """Each rule has Binance's own code, which ccxt's table for Binance's own address maps to the right class."""
    binance, change = client(middle), dict(change)
    order = {"symbol": ID, "side": "BUY", "type": "MARKET", "quantity": str(amount_of(middle, 1000))}
    rules, quote = middle.exchange.series(ID).instrument, middle.exchange.quote(ID)
    if "notional" in change:
        order["quantity"] = rules.quantity_text(change.pop("notional") / quote.mark)
    if "beyond" in change:
        order["price"] = rules.price_text(quote.mark * change.pop("beyond"))
    with pytest.raises(ccxt.ExchangeError, match=code):
        binance.fapiPrivatePostOrder(order | change)
    assert binance.exceptions["linear"]["exact"].get(code, binance.exceptions["exact"].get(code)) is error
    assert binance.fetch_positions([SYMBOL]) == []
    assert binance.fetch_open_orders(SYMBOL) == []


def test_too_many_orders_are_refused_with_code_1015(tape: Tape) -> None:
    """Beyond the account's limit an order is refused with 429, and the headers have told how many there were."""
    with serve(VenueConfig(start=tape.start + DAY_MS, orders_per_minute=2), tape) as venue:
        instant = time.time()
        venue.exchange.wall = lambda: instant  # no minute ends in the middle of this test
        binance, quantity = client(venue), amount_of(venue, 100)
        for count in ("1", "2"):
            binance.create_order(SYMBOL, "market", "buy", quantity)
            assert binance.last_response_headers["X-MBX-ORDER-COUNT-1M"] == count
        with pytest.raises(ccxt.DDoSProtection, match="-1015"):
            binance.create_order(SYMBOL, "market", "buy", quantity)
        assert binance.fetch_positions([SYMBOL])[0]["contracts"] == pytest.approx(2 * quantity)


def test_orders_are_cancelled_once(middle: RunningExchange) -> None:
    """A resting order can be cancelled; a second cancel and an unknown order are errors of their own."""
    binance, quote = client(middle), middle.exchange.quote(ID)
    price = float(middle.exchange.series(ID).instrument.price_text(quote.bid * 0.97))
    order = binance.create_order(SYMBOL, "limit", "buy", amount_of(middle, 500), price)
    assert binance.cancel_order(order["id"], SYMBOL)["status"] == "canceled"
    with pytest.raises(ccxt.OrderNotFound):
        binance.cancel_order(order["id"], SYMBOL)
    with pytest.raises(ccxt.OrderNotFound):
        binance.fetch_order("1", SYMBOL)
    binance.create_order(SYMBOL, "limit", "buy", amount_of(middle, 500), price)
    binance.cancel_all_orders(SYMBOL)
    assert binance.fetch_open_orders(SYMBOL) == []


def test_keys_signatures_and_time_stamps_are_checked(middle: RunningExchange) -> None:
    """A wrong key, a wrong secret, a changed field and a stale stamp are told apart."""
    with pytest.raises(ccxt.AuthenticationError, match="-2015"):
        client(middle, apiKey="somebody").fetch_balance()
    with pytest.raises(ccxt.AuthenticationError, match="-1022"):
        client(middle, secret="guess").fetch_balance()
    url, headers = f"{middle.url}/fapi/v2/account", {"X-MBX-APIKEY": DEFAULT_KEY}

    def ask(stamp: int, **extra: Any) -> int:
        query = urlencode({"timestamp": stamp})
        signature = hmac.new(DEFAULT_SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
        text = urlencode(extra) + "&" * bool(extra) + query + "&signature=" + signature
        return int(requests.get(f"{url}?{text}", headers=headers, timeout=5).json().get("code", 0))

    now = int(time.time() * 1000)
    assert ask(now) == 0
    assert ask(middle.exchange.clock.now()) == 0
    assert ask(now, recvWindow=60000) == -1022
    assert ask(now - 3_600_000) == -1021
    assert ask(now + 3_600_000) == -1021
    assert requests.get(url, timeout=5).status_code == 401
    put(middle, kind="skew", milliseconds=30_000)
    with pytest.raises(ccxt.InvalidNonce, match="-1021"):
        client(middle).fetch_balance()


def test_an_order_whose_answer_is_lost_is_found_by_its_client_id(middle: RunningExchange) -> None:
    """After a dropped answer the order exists: only asking by its client id tells, a blind retry would double it."""
    binance = client(middle)
    quantity = amount_of(middle, 1000)
    put(middle, kind="drop", after=True, count=1, path="/fapi/v1/order")
    with pytest.raises(ccxt.NetworkError):
        binance.create_order(SYMBOL, "market", "buy", quantity, params={"clientOrderId": "mine-1"})
    found = binance.fetch_order(None, SYMBOL, {"origClientOrderId": "mine-1"})
    assert (found["status"], found["filled"]) == ("closed", quantity)
    put(middle, kind="drop", after=False, count=1, path="/fapi/v1/order")
    with pytest.raises(ccxt.NetworkError):
        binance.create_order(SYMBOL, "market", "buy", quantity, params={"clientOrderId": "mine-2"})
    with pytest.raises(ccxt.OrderNotFound):
        binance.fetch_order(None, SYMBOL, {"origClientOrderId": "mine-2"})


def test_rejected_and_partial_orders_say_so(middle: RunningExchange) -> None:
    """Faults of the engine reach the client as an error, or as an order that has expired with its rest."""
    binance, quantity = client(middle), amount_of(middle, 1000)
    put(middle, kind="reject", reason="margin", count=1)
    with pytest.raises(ccxt.ExchangeError, match="-2019"):
        binance.create_order(SYMBOL, "market", "buy", quantity)
    put(middle, kind="reject", reason="busy", count=1)
    with pytest.raises(ccxt.ExchangeError, match="-1008"):
        binance.create_order(SYMBOL, "market", "buy", quantity)
    put(middle, kind="partial", share=0.25, count=1)
    order = binance.create_order(SYMBOL, "market", "buy", quantity)
    assert order["status"] == "expired"
    assert 0 < order["filled"] <= quantity / 4
    assert binance.fetch_positions([SYMBOL])[0]["contracts"] == order["filled"]


def test_a_delisted_symbol_takes_no_orders(middle: RunningExchange) -> None:
    """An order after the delisting is refused; the position stays where it is."""
    binance, quantity = client(middle), amount_of(middle, 1000)
    binance.create_order(SYMBOL, "market", "buy", quantity)
    put(middle, kind="delist", symbol=ID)
    with pytest.raises(ccxt.ExchangeError, match="-4141"):
        binance.create_order(SYMBOL, "market", "sell", quantity, params={"reduceOnly": True})
    assert binance.fetch_positions([SYMBOL])[0]["contracts"] == quantity


def test_no_address_of_the_client_leads_elsewhere(middle: RunningExchange) -> None:
    """Every REST family of the client is pointed at loopback, so nothing signed here can leave the machine."""
    addresses = {name: url for name, url in client(middle).urls["api"].items() if isinstance(url, str)}
    assert all(url.startswith(middle.url) for url in addresses.values()), addresses


def test_leverage_is_set_within_bounds(middle: RunningExchange) -> None:
    """Leverage decides the margin in use; beyond the contract's bound it is refused."""
    binance = client(middle)
    assert binance.set_leverage(5, SYMBOL)["leverage"] == 5
    binance.create_order(SYMBOL, "market", "buy", amount_of(middle, 1000))
    used = binance.fetch_balance()["USDT"]["used"]
    assert used == pytest.approx(1000 / 5, rel=0.02)
    with pytest.raises(ccxt.BadRequest, match="-4028"):
        binance.set_leverage(21, SYMBOL)
    assert binance.fapiPrivateGetPositionSideDual()["dualSidePosition"] is False


def test_positions_may_lag_behind_their_fills(middle: RunningExchange) -> None:
    """With the fault on, a new position is not told of until so much time has passed; the fill is."""
    binance, quantity = client(middle), amount_of(middle, 1000)
    put(middle, kind="lag", milliseconds=10_000)
    binance.create_order(SYMBOL, "market", "buy", quantity)
    assert binance.fetch_positions([SYMBOL]) == []
    assert [trade["amount"] for trade in binance.fetch_my_trades(SYMBOL)] == [quantity]
    middle.exchange.clock.advance(10_000)
    (position,) = binance.fetch_positions([SYMBOL])
    assert position["contracts"] == quantity
