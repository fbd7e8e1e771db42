"""The exchange's lists of trades and payments, as both wires write them."""

import asyncio
from decimal import Decimal

import pytest

from agent.executor.trades import ListedTrade, Payment, Trade
from agent.hummingbot.account_history import BINANCE_ROWS, BINANCE_SPAN_MS, AccountHistory
from perpfut_lib.config import SimulationConfig
from perpfut_lib.types import HOUR_MS
from perpfut_lib.venue.accounts import Request
from perpfut_lib.venue.binance_account import endpoints
from perpfut_lib.venue.binance_orders import ACCOUNT
from perpfut_lib.venue.errors import WireError
from perpfut_lib.venue.exchange import Exchange
from perpfut_lib.venue.hyperliquid_account import ANSWERS
from perpfut_lib.venue.matching import Matching
from perpfut_lib.venue.parameters import Parameters
from perpfut_lib.venue.settings import VenueConfig
from perpfut_lib.venue.tape import Tape

D = Decimal
MARKET = SimulationConfig(days=5, symbols=2, planted_pairs=1)
SYMBOLS = ("SIM01USDT", "SIM02USDT")


class Connector:
    """Asks our exchange's own answers, without a network between, and remembers what was asked."""

    def __init__(self, matching: Matching):
        self.matching, self.asked = matching, []
        self.hyperliquid_perpetual_address = matching.exchange.config.wallet
        self.answers = {one.path: one.answer for one in endpoints(matching) if one.method == "GET"}

    async def _api_get(self, path_url, params, is_auth_required, limit_id=None):
        self.asked.append((path_url, params))
        try:
            given = Parameters({name: str(value) for name, value in params.items()})
            return self.answers[f"/fapi/{path_url}"](self.matching.exchange, given)
        except WireError as error:
            raise OSError(str(error)) from error

    async def _api_post(self, path_url, data):
        self.asked.append((data["type"], data))
        return ANSWERS[data["type"]](self.matching, data)


@pytest.fixture(scope="module")
def tape():
    return Tape.simulated(MARKET)


@pytest.fixture
def matching(tape):
    """Return an exchange five minutes before funding is paid."""
    start = tape.start + 24 * HOUR_MS - 5 * 60_000
    return Matching(Exchange.open(VenueConfig(clock="stepped", start=start), tape))


def traded(matching, account, hours=1):
    """Buy one symbol by a named order and sell the other by one without a name, and let time pass."""
    size = {name: matching.exchange.series(name).instrument.lot * 1_000 for name in SYMBOLS}
    matching.place(account, Request(SYMBOLS[0], "BUY", size[SYMBOLS[0]], client_id="0xa1"))
    matching.exchange.clock.advance(1_000)
    matching.place(account, Request(SYMBOLS[1], "SELL", size[SYMBOLS[1]]))
    matching.exchange.clock.advance(int(hours * HOUR_MS))
    return matching.account(account), size


def lists(matching, connector, since):
    history = AccountHistory(Connector(matching), connector, "USDT")
    return asyncio.run(history.read(since, matching.exchange.clock.now()))


@pytest.mark.parametrize("connector", ["binance_perpetual", "hyperliquid_perpetual"])
def test_trades_and_payments_are_listed_as_the_account_has_them(matching, connector):
    """Ids of our orders, signs, fees in the quote asset, funding: equal to the exchange's own account."""
    start = matching.exchange.clock.now()
    name = ACCOUNT if connector.startswith("binance") else matching.exchange.config.wallet
    account, size = traded(matching, name)
    found = lists(matching, connector, dict.fromkeys(SYMBOLS, start))
    first, second = (found[symbol].rows for symbol in SYMBOLS)
    one = account.fills[0]
    assert first[0] == ListedTrade(
        Trade(size[SYMBOLS[0]], one.price, {"USDT": pytest.approx(one.fee, abs=D("1e-6"))}, str(one.number)),
        "0xa1",
        one.time,
    )
    assert second[0].trade.quantity == -size[SYMBOLS[1]]
    assert second[0].order_id != "0xa1"
    told = [one for one in account.income if one.kind == "FUNDING_FEE"]
    assert told
    for symbol, rows in zip(SYMBOLS, (first, second), strict=True):
        paid = [row for row in rows if isinstance(row, Payment)]
        due = [one for one in told if one.symbol == symbol]
        assert [row.time for row in paid] == [one.time for one in due]
        assert [float(row.amount) for row in paid] == pytest.approx([float(one.amount) for one in due], abs=1e-6)


def test_what_is_older_or_of_another_symbol_is_left_out(matching):
    traded(matching, ACCOUNT)
    found = lists(matching, "binance_perpetual", {SYMBOLS[0]: matching.exchange.clock.now()})
    assert {symbol: history.rows for symbol, history in found.items()} == {SYMBOLS[0]: ()}
    assert lists(matching, "binance_perpetual", {}) == {}


def test_orders_that_are_known_are_not_asked_for(matching):
    start = matching.exchange.clock.now()
    account, _ = traded(matching, ACCOUNT)
    connector = Connector(matching)
    history = AccountHistory(connector, "binance_perpetual", "USDT")
    history.orders[str(account.fills[0].order.number)] = "ours"
    for _ in range(2):
        found = asyncio.run(history.read(dict.fromkeys(SYMBOLS, start), matching.exchange.clock.now()))
    assert found[SYMBOLS[0]].rows[0].order_id == "ours"
    assert [path for path, _ in connector.asked].count("v1/order") == 1


def test_all_pages_and_all_weeks_are_read():
    """Null: after a long time away only the first week, or the first page of it, is known."""
    rows = [
        {"qty": "1", "side": "BUY", "price": "2", "commission": "0", "commissionAsset": "BNB"}
        | {"id": number, "orderId": 1, "time": number * 1_000}
        for number in range(2 * BINANCE_ROWS + 7)
    ]
    late = rows[-1] | {"id": 99_999, "time": BINANCE_SPAN_MS + 5}

    class Paged:
        async def _api_get(self, path_url, params, **_):
            start, listed = params.get("startTime", 0), [*rows, late] if path_url == "v1/userTrades" else []
            end = start + BINANCE_SPAN_MS
            return (
                {"clientOrderId": "x"}
                if path_url == "v1/order"
                else [row for row in listed if start <= row["time"] < end][:BINANCE_ROWS]
            )

    history = AccountHistory(Paged(), "binance_perpetual", "USDT")
    found = asyncio.run(history.read({"A": 0}, BINANCE_SPAN_MS + 10))["A"]
    assert {row.number for row in found.rows} == {str(row["id"]) for row in [*rows, late]}
    assert found.rows[0].trade.fees == {"BNB": 0}


def test_an_order_that_the_exchange_has_forgotten_is_nobodys():
    class Forgetful:
        def __init__(self, error):
            self.error = error

        async def _api_get(self, path_url, **_):
            if path_url == "v1/order":
                raise OSError(self.error)
            row = {"qty": "1", "side": "SELL", "price": "2", "commission": "0", "commissionAsset": "USDT"}
            return [row | {"id": 1, "orderId": 1, "time": 5}] if path_url == "v1/userTrades" else []

    gone = AccountHistory(Forgetful("-2013 Order does not exist."), "binance_perpetual", "USDT")
    (row,) = asyncio.run(gone.read({"A": 0}, 10))["A"].rows
    assert (row.order_id, row.trade.quantity) == ("", -1)
    with pytest.raises(OSError, match="503"):
        asyncio.run(AccountHistory(Forgetful("503"), "binance_perpetual", "USDT").read({"A": 0}, 10))
