"""What is asked of a connector beside Hummingbot's orders: position mode, leverage, and what an answer means."""

import asyncio
from decimal import Decimal

import pytest

from agent.executor.rules import TradingRule
from agent.executor.state import Order
from agent.executor.stops import PREFIX, Stop
from agent.hummingbot.exchange_requests import Binance, Hyperliquid
from perpfut_lib.errors import ConfigError, ExchangeError

D = Decimal
STOP = Stop(f"{PREFIX}{1:024x}", "ETHUSDT", D("-0.50"), D("1234.50"))
RULE = TradingRule(D("0.01"), D("0.1"), D("0.01"), D(10), D(10), 5)


class Connector:
    """Answers as it is told and remembers what it was asked."""

    hyperliquid_perpetual_address = "0x1"
    coin_to_asset = {"BTC": 0, "ETH": 1}  # noqa: RUF012
    domain = "test"

    def __init__(self, **answers):
        self.answers, self.asked = answers, []
        self.web_utils = self._auth = self

    def private_rest_url(self, path, domain):
        return path

    def _sign_update_leverage_params(self, action, url, nonce):
        return {"action": action, "nonce": nonce}

    async def _answer(self, path, **given):
        self.asked.append((path, given))
        answer = self.answers[path.strip("/").replace("/", "_")]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _api_get(self, path_url, **given):
        return await self._answer(path_url, **given)

    _api_post = _api_delete = _api_get


def test_hedge_mode_is_refused_by_name():
    connector = Connector(v1_positionSide_dual={"dualSidePosition": True})
    with pytest.raises(ConfigError, match="hedge mode"):
        asyncio.run(Binance(connector).check(5, ["ETHUSDT"]))


@pytest.mark.parametrize(("found", "said"), [("20", "20"), (None, "None")])
def test_another_leverage_is_named_on_binance(found, said):
    rows = [] if found is None else [{"symbol": "ETHUSDT", "leverage": found}]
    connector = Connector(v1_positionSide_dual={"dualSidePosition": False}, v2_positionRisk=rows)
    with pytest.raises(ConfigError, match=said):
        asyncio.run(Binance(connector).check(5, ["ETHUSDT"]))


def test_another_leverage_is_named_on_hyperliquid():
    connector = Connector(info={"leverage": {"type": "cross", "value": 20}})
    with pytest.raises(ConfigError, match="20"):
        asyncio.run(Hyperliquid(connector).check(5, ["ETHUSDT"]))
    asyncio.run(Hyperliquid(connector).check(20, ["ETHUSDT"]))


def test_an_unknown_order_is_cancelled_and_another_error_is_not():
    asyncio.run(Binance(Connector(v1_algoOrder=OSError("-2011 Unknown order sent."))).cancel("A", "x", stop=True))
    with pytest.raises(OSError, match="503"):
        asyncio.run(Binance(Connector(v1_algoOrder=OSError("HTTP status is 503"))).cancel("A", "x", stop=True))
    gone = {"status": "ok", "response": {"data": {"statuses": [{"error": "Order was never placed, already filled"}]}}}
    asyncio.run(Hyperliquid(Connector(exchange=gone)).cancel("ETHUSDT", STOP.stop_id, stop=True))
    busy = {"status": "err", "response": "Too many cumulative requests sent"}
    with pytest.raises(ExchangeError, match="Too many"):
        asyncio.run(Hyperliquid(Connector(exchange=busy)).cancel("ETHUSDT", STOP.stop_id, stop=True))


def test_hyperliquids_stop_is_signed_in_numbers_without_zeros_and_prices_of_five_figures():
    """The order of the fields is part of the signature, too."""
    connector = Connector(exchange={"status": "ok", "response": {"data": {"statuses": [{"resting": {"oid": 1}}]}}})
    asyncio.run(Hyperliquid(connector).place(STOP, RULE))
    ((_, given),) = connector.asked
    (order,) = given["data"]["action"]["orders"]
    trigger = {"trigger": {"isMarket": True, "triggerPx": "1234.5", "tpsl": "sl"}}
    assert list(order.items()) == [
        ("a", 1),
        ("b", False),
        ("p", "1111"),
        ("s", "0.5"),
        ("r", True),
        ("t", trigger),
        ("c", STOP.stop_id),
    ]


def test_no_nonce_is_used_twice():
    connector = Connector(exchange={"status": "ok", "response": {}})
    venue = Hyperliquid(connector)
    for _ in range(5):
        asyncio.run(venue.countdown({"ETHUSDT": 30_000}))
    nonces = [given["data"]["nonce"] for _, given in connector.asked]
    assert nonces == sorted(set(nonces))
    asyncio.run(venue.countdown({"ETHUSDT": 0}))
    assert connector.asked[-1][1]["data"]["action"] == {"type": "scheduleCancel"}


def test_stops_of_others_are_left_alone():
    rows = [
        {"clientAlgoId": name, "symbol": "ETHUSDT", "side": "SELL", "quantity": "0.5", "triggerPrice": "1234.5"}
        for name in ("by-hand", STOP.stop_id)
    ]
    assert asyncio.run(Binance(Connector(v1_openAlgoOrders=rows)).stops()) == {STOP.stop_id: STOP}


def test_orders_that_rest_are_read_from_both_wires():
    """Signed by their side, what is left of them, stops and other symbols apart."""
    binance = {"side": "SELL", "origQty": "3", "executedQty": "1", "price": "9", "reduceOnly": False}
    rows = [binance | {"symbol": "ETHUSDT", "clientOrderId": "ETHUSDT"}]
    found = asyncio.run(Binance(Connector(v1_openOrders=rows)).orders(["ETHUSDT"]))
    assert found == {"ETHUSDT": Order("ETHUSDT", D(-2), reduce_only=False, limit=D(9))}
    other = {"coin": "ETH", "side": "B", "sz": "2", "limitPx": "9", "reduceOnly": True, "oid": 7, "cloid": None}
    rows = [other | {"isTrigger": False}, other | {"isTrigger": True, "oid": 8}]
    found = asyncio.run(Hyperliquid(Connector(info=rows)).orders(["ETHUSDT"]))
    assert found == {"7": Order("ETHUSDT", D(2), reduce_only=True, limit=D(9))}
