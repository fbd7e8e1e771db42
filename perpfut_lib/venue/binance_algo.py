"""Conditional orders on the wire of Binance USD-M futures: stops that rest until the market trades at their trigger.

Since December 2025 Binance takes them at ``/fapi/v1/algoOrder`` only; ``/fapi/v1/order`` refuses their types.
"""

from typing import cast

from perpfut_lib.types import JsonObject
from perpfut_lib.venue.accounts import Order, Refused, Request, Side
from perpfut_lib.venue.binance_orders import ACCOUNT, SIDES, client_id, refusal
from perpfut_lib.venue.errors import bad_request
from perpfut_lib.venue.matching import Matching
from perpfut_lib.venue.parameters import Parameters

STATUSES = {"NEW": "NEW", "PARTIALLY_FILLED": "TRIGGERED", "FILLED": "FINISHED", "CANCELED": "CANCELED"}


def order_json(order: Order) -> JsonObject:
    """Return a conditional order as the endpoints write it."""
    request = order.request
    return {
        "algoId": order.number,
        "clientAlgoId": client_id(order),
        "algoType": "CONDITIONAL",
        "orderType": "STOP_MARKET",
        "symbol": request.symbol,
        "side": request.side,
        "positionSide": "BOTH",
        "timeInForce": "GTC",
        "quantity": f"{request.quantity:f}",
        "algoStatus": STATUSES.get(order.status, "EXPIRED"),
        "triggerPrice": f"{request.trigger or 0:f}",
        "price": "0",
        "workingType": "CONTRACT_PRICE",
        "closePosition": False,
        "priceProtect": False,
        "reduceOnly": request.reduce_only,
        "createTime": order.created,
        "updateTime": order.updated,
    }


def new_order(matching: Matching, parameters: Parameters) -> JsonObject:
    """Answer ``POST /fapi/v1/algoOrder``: STOP_MARKET is offered, on the contract's price."""
    symbol = matching.exchange.series(parameters.text("symbol")).instrument.symbol
    side, offered = parameters.text("side"), (parameters.text("algoType"), parameters.text("type"))
    if side not in SIDES:
        raise bad_request(-1117, "Invalid side.")
    if offered != ("CONDITIONAL", "STOP_MARKET") or parameters.get("workingType", "CONTRACT_PRICE") != "CONTRACT_PRICE":
        raise bad_request(-1116, "Invalid orderType.")
    request = Request(
        symbol,
        cast(Side, side),
        parameters.decimal("quantity"),
        reduce_only=parameters.flag("reduceOnly"),
        client_id=parameters.get("clientAlgoId", ""),
        trigger=parameters.decimal("triggerPrice"),
    )
    try:
        return order_json(matching.place(ACCOUNT, request))
    except Refused as error:
        raise refusal(error) from error


def cancel_order(matching: Matching, parameters: Parameters) -> JsonObject:
    """Answer ``DELETE /fapi/v1/algoOrder``."""
    order = matching.account(ACCOUNT).find(parameters.integer("algoId"), parameters.get("clientAlgoId", ""))
    if order is None or order.request.trigger is None or matching.cancel(ACCOUNT, order.number) is None:
        raise bad_request(-2011, "Unknown order sent.")
    return {"algoId": order.number, "clientAlgoId": client_id(order), "code": "200", "msg": "success"}


def open_orders(matching: Matching, parameters: Parameters) -> list[JsonObject]:
    """Answer ``GET /fapi/v1/openAlgoOrders``."""
    orders = matching.account(ACCOUNT).open_orders(parameters.get("symbol") or None)
    return [order_json(order) for order in orders if order.request.trigger is not None]
