"""The signed endpoints of Binance USD-M futures: account, positions, settings, orders, listen key."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Final

from perpfut_lib.types import JsonObject
from perpfut_lib.venue import binance_algo as algo
from perpfut_lib.venue import binance_orders as orders
from perpfut_lib.venue.accounts import ZERO, Refused
from perpfut_lib.venue.binance_orders import ACCOUNT, refusal, text
from perpfut_lib.venue.endpoint import Answer, Endpoint, Weight
from perpfut_lib.venue.errors import bad_request
from perpfut_lib.venue.exchange import Exchange
from perpfut_lib.venue.instruments import Instrument
from perpfut_lib.venue.matching import DEFAULT_LEVERAGE, Matching
from perpfut_lib.venue.parameters import Parameters
from perpfut_lib.venue.protection import MAINTENANCE, liquidation_price, maintenance

LISTEN_KEY: Final = "venue" * 12 + "0001"
Customer = Callable[[Matching, Parameters], Answer]


def account(matching: Matching, _parameters: Parameters) -> JsonObject:
    """Answer ``GET /fapi/v2/account`` and ``/fapi/v3/account``."""
    customer = matching.account(ACCOUNT)
    wallet, profit, used = customer.wallet, matching.unrealised(customer), matching.used_margin(customer)
    totals = {
        "walletBalance": text(wallet),
        "unrealizedProfit": text(profit),
        "marginBalance": text(wallet + profit),
        "maintMargin": text(maintenance(matching, customer)),
        "initialMargin": text(used),
        "positionInitialMargin": text(used),
        "openOrderInitialMargin": text(ZERO),
        "crossWalletBalance": text(wallet),
        "crossUnPnl": text(profit),
        "availableBalance": text(max(wallet + profit - used, ZERO)),
        "maxWithdrawAmount": text(max(wallet + min(profit, ZERO) - used, ZERO)),
    }
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "totalInitialMargin": text(used),
        "totalMaintMargin": text(maintenance(matching, customer)),
        "totalWalletBalance": text(wallet),
        "totalUnrealizedProfit": text(profit),
        "totalMarginBalance": text(wallet + profit),
        "totalPositionInitialMargin": text(used),
        "totalOpenOrderInitialMargin": text(ZERO),
        "totalCrossWalletBalance": text(wallet),
        "totalCrossUnPnl": text(profit),
        "availableBalance": totals["availableBalance"],
        "maxWithdrawAmount": totals["maxWithdrawAmount"],
        "assets": [{"asset": "USDT", **totals, "updateTime": matching.exchange.clock.shown()}],
        "positions": [_position(matching, rules) for rules in _chosen(matching, Parameters({}))],
    }


def balance(matching: Matching, parameters: Parameters) -> list[JsonObject]:
    """Answer ``GET /fapi/v2/balance`` and ``/fapi/v3/balance``."""
    asset = account(matching, parameters)["assets"][0]
    return [{"accountAlias": "venue", "balance": asset["walletBalance"], **asset}]


def _chosen(matching: Matching, parameters: Parameters) -> list[Instrument]:
    exchange = matching.exchange
    if parameters.get("symbol"):
        return [exchange.series(parameters["symbol"]).instrument]
    return [series.instrument for series in exchange.listed()]


def position_risk(matching: Matching, parameters: Parameters, everything: bool) -> list[JsonObject]:
    """Answer ``GET /fapi/v2/positionRisk`` (``everything``), and version 3, which leaves out flat positions."""
    rows = [_position(matching, rules) for rules in _chosen(matching, parameters)]
    return rows if everything else [row for row in rows if Decimal(row["positionAmt"])]


def _position(matching: Matching, rules: Instrument) -> JsonObject:
    customer = matching.account(ACCOUNT)
    held, mark = matching.shown(customer, rules.symbol), matching.mark(rules.symbol)
    leverage = customer.leverage.get(rules.symbol, DEFAULT_LEVERAGE)
    notional, profit = held.quantity * mark, text(held.profit(mark))
    margin = text(matching.margin(customer, rules.symbol, held.quantity))
    return {
        "symbol": rules.symbol,
        "positionSide": "BOTH",
        "positionAmt": rules.quantity_text(held.quantity),
        "entryPrice": text(held.entry),
        "breakEvenPrice": text(held.entry),
        "markPrice": text(mark),
        "unRealizedProfit": profit,
        "unrealizedProfit": profit,
        "liquidationPrice": text(liquidation_price(matching, customer, rules.symbol) or ZERO),
        "notional": text(notional),
        "leverage": str(leverage),
        "maxNotionalValue": "1000000000",
        "marginType": "cross",
        "marginAsset": rules.quote,
        "isolated": False,
        "isolatedMargin": "0",
        "isolatedWallet": "0",
        "isAutoAddMargin": "false",
        "initialMargin": margin,
        "maintMargin": text(abs(notional) * MAINTENANCE),
        "positionInitialMargin": margin,
        "openOrderInitialMargin": "0",
        "adl": 0,
        "bidNotional": "0",
        "askNotional": "0",
        "updateTime": held.updated,
    }


def leverage(matching: Matching, parameters: Parameters) -> JsonObject:
    """Answer ``POST /fapi/v1/leverage``."""
    symbol, wanted = parameters.text("symbol"), parameters.integer("leverage") or 0
    try:
        value = matching.set_leverage(ACCOUNT, symbol, wanted)
    except Refused as error:
        raise refusal(error) from error
    return {"leverage": value, "maxNotionalValue": "1000000000", "symbol": symbol}


def leverage_brackets(matching: Matching, parameters: Parameters) -> list[JsonObject]:
    """Answer ``GET /fapi/v1/leverageBracket``: one bracket per contract."""
    return [
        {
            "symbol": rules.symbol,
            "notionalCoef": 1.0,
            "brackets": [
                {
                    "bracket": 1,
                    "initialLeverage": rules.max_leverage,
                    "notionalCap": 1_000_000_000,
                    "notionalFloor": 0,
                    "maintMarginRatio": float(MAINTENANCE),
                    "cum": 0.0,
                }
            ],
        }
        for rules in _chosen(matching, parameters)
    ]


def position_mode(_matching: Matching, _parameters: Parameters) -> JsonObject:
    """Answer ``GET /fapi/v1/positionSide/dual``: one-way."""
    return {"dualSidePosition": False}


def set_position_mode(_matching: Matching, parameters: Parameters) -> JsonObject:
    """Answer ``POST /fapi/v1/positionSide/dual``: this exchange offers the one-way mode only."""
    if parameters.text("dualSidePosition").lower() == "false":
        raise bad_request(-4059, "No need to change position side.")
    raise bad_request(-1128, "Combination of optional parameters invalid.")


def margin_type(_matching: Matching, parameters: Parameters) -> JsonObject:
    """Answer ``POST /fapi/v1/marginType``: cross margin only."""
    if parameters.text("marginType") == "CROSSED":
        raise bad_request(-4046, "No need to change margin type.")
    raise bad_request(-4047, "Margin type cannot be changed if there exists open orders.")


def commission_rate(matching: Matching, parameters: Parameters) -> JsonObject:
    """Answer ``GET /fapi/v1/commissionRate``."""
    config = matching.exchange.config
    return {
        "symbol": parameters.text("symbol"),
        "makerCommissionRate": f"{config.maker_fee_bps / 1e4:.6f}",
        "takerCommissionRate": f"{config.taker_fee_bps / 1e4:.6f}",
    }


def listen_key(_matching: Matching, _parameters: Parameters) -> JsonObject:
    """Answer ``POST`` and ``PUT /fapi/v1/listenKey``: this exchange's one private stream."""
    return {"listenKey": LISTEN_KEY}


def close_listen_key(_matching: Matching, _parameters: Parameters) -> JsonObject:
    """Answer ``DELETE /fapi/v1/listenKey``."""
    return {}


_GET: Final[tuple[tuple[str, Customer, Weight], ...]] = (
    ("/fapi/v2/account", account, 5),
    ("/fapi/v3/account", account, 5),
    ("/fapi/v2/balance", balance, 5),
    ("/fapi/v3/balance", balance, 5),
    ("/fapi/v2/positionRisk", partial(position_risk, everything=True), 5),
    ("/fapi/v3/positionRisk", partial(position_risk, everything=False), 5),
    ("/fapi/v1/leverageBracket", leverage_brackets, 1),
    ("/fapi/v1/positionSide/dual", position_mode, 30),
    ("/fapi/v1/commissionRate", commission_rate, 20),
    ("/fapi/v1/order", orders.query_order, 1),
    ("/fapi/v1/openOrder", orders.open_order, 1),
    ("/fapi/v1/openOrders", orders.open_orders, lambda parameters: 1 if parameters.get("symbol") else 40),
    ("/fapi/v1/openAlgoOrders", algo.open_orders, 1),
    ("/fapi/v1/allOrders", orders.all_orders, 5),
    ("/fapi/v1/userTrades", orders.user_trades, 5),
    ("/fapi/v1/income", orders.income, 30),
)
_POST: Final[tuple[tuple[str, Customer], ...]] = (
    ("/fapi/v1/order/test", orders.test_order),
    ("/fapi/v1/algoOrder", algo.new_order),
    ("/fapi/v1/countdownCancelAll", orders.countdown_cancel_all),
    ("/fapi/v1/leverage", leverage),
    ("/fapi/v1/marginType", margin_type),
    ("/fapi/v1/positionSide/dual", set_position_mode),
)
_DELETE: Final[tuple[tuple[str, Customer], ...]] = (
    ("/fapi/v1/algoOrder", algo.cancel_order),
    ("/fapi/v1/order", orders.cancel_order),
    ("/fapi/v1/allOpenOrders", orders.cancel_all),
)


def endpoints(matching: Matching) -> list[Endpoint]:
    """Return the signed endpoints, bound to the accounts that they concern."""
    key = "/fapi/v1/listenKey"
    return [
        *(Endpoint("GET", path, _bound(matching, answer), weight, "signed") for path, answer, weight in _GET),
        Endpoint("POST", "/fapi/v1/order", _bound(matching, orders.new_order), 1, "signed", places_order=True),
        *(Endpoint("POST", path, _bound(matching, answer), 1, "signed") for path, answer in _POST),
        *(Endpoint("DELETE", path, _bound(matching, answer), 1, "signed") for path, answer in _DELETE),
        Endpoint("POST", key, _bound(matching, listen_key), 1, "key"),
        Endpoint("PUT", key, _bound(matching, listen_key), 1, "key"),
        Endpoint("DELETE", key, _bound(matching, close_listen_key), 1, "key"),
    ]


def _bound(matching: Matching, answer: Customer) -> Callable[[Exchange, Parameters], Answer]:
    return lambda _exchange, parameters: answer(matching, parameters)
