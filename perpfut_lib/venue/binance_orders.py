"""Orders and trades on the wire of Binance USD-M futures."""

from decimal import Decimal
from typing import Final, cast

from perpfut_lib.types import JsonObject
from perpfut_lib.venue.accounts import Fill, Order, Refusal, Refused, Request, Side
from perpfut_lib.venue.countdown import arm
from perpfut_lib.venue.errors import WireError, bad_request
from perpfut_lib.venue.matching import Matching
from perpfut_lib.venue.parameters import Parameters, missing

ACCOUNT: Final = "binance"
SIDES: Final = ("BUY", "SELL")
TIMES_IN_FORCE: Final = ("GTC", "IOC", "FOK", "GTX")
CODES: Final = {
    Refusal.CLOSED: (-4141, "Symbol is closed."),
    Refusal.QUANTITY_GRID: (-1111, "Precision is over the maximum defined for this asset."),
    Refusal.QUANTITY_ZERO: (-4003, "Quantity less than or equal to zero."),
    Refusal.QUANTITY_MAX: (-4005, "Quantity greater than max quantity."),
    Refusal.PRICE_GRID: (-4014, "Price not increased by tick size."),
    Refusal.PRICE_RANGE: (-4016, "Limit price is outside of {bound}."),
    Refusal.NOTIONAL: (-4164, "Order's notional must be no smaller than {bound} (unless you choose reduce only)."),
    Refusal.REDUCE_ONLY: (-2022, "ReduceOnly Order is rejected."),
    Refusal.POST_ONLY: (
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected.",
    ),
    Refusal.MARGIN: (-2019, "Margin is insufficient."),
    Refusal.DUPLICATE: (-4116, "ClientOrderId is duplicated."),
    Refusal.LEVERAGE: (-4028, "Leverage {bound} is not valid"),
    Refusal.TRIGGER: (-2021, "Order would immediately trigger."),
    Refusal.BUSY: (-1008, "Server is currently overloaded with other requests. Please try again in a few minutes."),
}


def refusal(error: Refused) -> WireError:
    """Return a refusal in Binance's words."""
    code, message = CODES[error.reason]
    status = 503 if error.reason is Refusal.BUSY else 400
    return WireError(status, code, message.format(bound=error.bound))


def order_json(order: Order) -> JsonObject:
    """Return an order as the REST endpoints write it."""
    request = order.request
    kind = "MARKET" if request.price is None else "LIMIT"
    return {
        "orderId": order.number,
        "symbol": request.symbol,
        "status": order.status,
        "clientOrderId": client_id(order),
        "price": f"{request.price or 0:f}",
        "avgPrice": f"{order.average:.8f}",
        "origQty": f"{request.quantity:f}",
        "executedQty": f"{order.executed:f}",
        "cumQty": f"{order.executed:f}",
        "cumQuote": f"{order.turnover:f}",
        "timeInForce": request.time_in_force,
        "type": kind,
        "reduceOnly": request.reduce_only,
        "closePosition": False,
        "side": request.side,
        "positionSide": "BOTH",
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": kind,
        "time": order.created,
        "updateTime": order.updated,
    }


def client_id(order: Order) -> str:
    """Return the client's id of an order, or the one that the exchange gave it."""
    return order.request.client_id or f"venue{order.number}"


def fill_json(fill: Fill) -> JsonObject:
    """Return a trade as ``GET /fapi/v1/userTrades`` writes it."""
    request = fill.order.request
    return {
        "symbol": request.symbol,
        "id": fill.number,
        "orderId": fill.order.number,
        "side": request.side,
        "price": f"{fill.price:f}",
        "qty": f"{fill.quantity:f}",
        "realizedPnl": f"{fill.profit:f}",
        "quoteQty": f"{fill.price * fill.quantity:f}",
        "commission": f"{fill.fee:f}",
        "commissionAsset": "USDT",
        "time": fill.time,
        "positionSide": "BOTH",
        "buyer": request.side == "BUY",
        "maker": fill.maker,
    }


def new_order(matching: Matching, parameters: Parameters) -> JsonObject:
    """Answer ``POST /fapi/v1/order``: markets fill before the answer, whose status is NEW for ``ACK``."""
    order = _placed(matching, parameters)
    answer = order_json(order)
    if parameters.get("newOrderRespType", "ACK") == "ACK":
        answer |= {"status": "NEW", "executedQty": "0", "cumQty": "0", "cumQuote": "0", "avgPrice": "0.00"}
    return answer


def _placed(matching: Matching, parameters: Parameters) -> Order:
    try:
        return matching.place(ACCOUNT, _request(matching, parameters))
    except Refused as error:
        raise refusal(error) from error


def _request(matching: Matching, parameters: Parameters) -> Request:
    """Read an order; LIMIT and MARKET are offered, in one-way mode."""
    symbol = matching.exchange.series(parameters.text("symbol")).instrument.symbol
    side, kind = parameters.text("side"), parameters.text("type")
    if side not in SIDES:
        raise bad_request(-1117, "Invalid side.")
    if kind in ("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"):
        raise bad_request(-4120, "Order type not supported for this endpoint. Please use the Algo Order API endpoints.")
    if kind not in ("LIMIT", "MARKET"):
        raise bad_request(-1116, "Invalid orderType.")
    if parameters.get("positionSide", "BOTH") != "BOTH":
        raise bad_request(-4061, "Order's position side does not match user's setting.")
    limited = kind == "LIMIT"
    in_force = parameters.text("timeInForce") if limited else "GTC"
    if in_force not in TIMES_IN_FORCE:
        raise bad_request(-1115, "Invalid timeInForce.")
    price = parameters.decimal("price") if limited else None
    return Request(
        symbol,
        cast(Side, side),
        parameters.decimal("quantity"),
        price,
        in_force,  # type: ignore[arg-type]
        parameters.flag("reduceOnly"),
        parameters.get("newClientOrderId", ""),
    )


def test_order(matching: Matching, parameters: Parameters) -> JsonObject:
    """Answer ``POST /fapi/v1/order/test``: read the order, place nothing."""
    _request(matching, parameters)
    return {}


def _found(matching: Matching, parameters: Parameters) -> Order | None:
    parameters.text("symbol")
    number, named = parameters.integer("orderId"), parameters.get("origClientOrderId", "")
    if number is None and not named:
        raise missing("orderId")
    order = matching.account(ACCOUNT).find(number, named)
    return order if order is not None and order.request.symbol == parameters["symbol"] else None


def query_order(matching: Matching, parameters: Parameters) -> JsonObject:
    """Answer ``GET /fapi/v1/order``."""
    order = _found(matching, parameters)
    if order is None:
        raise bad_request(-2013, "Order does not exist.")
    return order_json(order)


def open_order(matching: Matching, parameters: Parameters) -> JsonObject:
    """Answer ``GET /fapi/v1/openOrder``."""
    order = _found(matching, parameters)
    if order is None or not order.open:
        raise bad_request(-2013, "Order does not exist.")
    return order_json(order)


def cancel_order(matching: Matching, parameters: Parameters) -> JsonObject:
    """Answer ``DELETE /fapi/v1/order``."""
    found = _found(matching, parameters)
    order = matching.cancel(ACCOUNT, found.number) if found else None
    if order is None:
        raise bad_request(-2011, "Unknown order sent.")
    return order_json(order)


def cancel_all(matching: Matching, parameters: Parameters) -> JsonObject:
    """Answer ``DELETE /fapi/v1/allOpenOrders``."""
    for order in _resting(matching, parameters.text("symbol")):
        matching.cancel(ACCOUNT, order.number)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def countdown_cancel_all(matching: Matching, parameters: Parameters) -> JsonObject:
    """Answer ``POST /fapi/v1/countdownCancelAll``: a symbol's orders end when the time runs out; zero disarms it."""
    symbol, milliseconds = parameters.text("symbol"), parameters.integer("countdownTime")
    if milliseconds is None:
        raise missing("countdownTime")
    if milliseconds < 0:
        raise bad_request(-1130, "Data sent for parameter 'countdownTime' is not valid.")
    matching.exchange.series(symbol)
    arm(matching.account(ACCOUNT), symbol, matching.exchange.clock.now() + milliseconds if milliseconds else None)
    return {"symbol": symbol, "countdownTime": str(milliseconds)}


def open_orders(matching: Matching, parameters: Parameters) -> list[JsonObject]:
    """Answer ``GET /fapi/v1/openOrders``."""
    return [order_json(order) for order in _resting(matching, parameters.get("symbol") or None)]


def _resting(matching: Matching, symbol: str | None) -> list[Order]:
    """Return resting orders but the conditional ones, which have endpoints of their own."""
    return [order for order in matching.account(ACCOUNT).open_orders(symbol) if order.request.trigger is None]


def all_orders(matching: Matching, parameters: Parameters) -> list[JsonObject]:
    """Answer ``GET /fapi/v1/allOrders``."""
    (start, end), limit = parameters.span(), parameters.limit(500, 1000)
    orders = matching.account(ACCOUNT).orders.values()
    symbol = parameters.text("symbol")
    chosen = [order for order in orders if order.request.symbol == symbol and _within(order.created, start, end)]
    return [order_json(order) for order in chosen[-limit:]]


def user_trades(matching: Matching, parameters: Parameters) -> list[JsonObject]:
    """Answer ``GET /fapi/v1/userTrades``: the first from ``startTime`` or ``fromId`` on, otherwise the latest."""
    (start, end), limit = parameters.span(), parameters.limit(500, 1000)
    number, first = parameters.integer("orderId"), parameters.integer("fromId")
    symbol = parameters.text("symbol")
    chosen = [
        fill
        for fill in matching.account(ACCOUNT).fills
        if fill.order.request.symbol == symbol and fill.number >= (first or 0) and _within(fill.time, start, end)
    ]
    rows = [fill_json(fill) for fill in chosen if number in (None, fill.order.number)]
    return rows[-limit:] if start is None and first is None else rows[:limit]


def income(matching: Matching, parameters: Parameters) -> list[JsonObject]:
    """Answer ``GET /fapi/v1/income``: realised profit, commission and funding, oldest first."""
    (start, end), limit = parameters.span(), parameters.limit(100, 1000)
    kind, symbol = parameters.get("incomeType", ""), parameters.get("symbol", "")
    rows = [
        {
            "symbol": row.symbol,
            "incomeType": row.kind,
            "income": f"{row.amount:f}",
            "asset": "USDT",
            "time": row.time,
            "info": row.kind,
            "tranId": row.number,
            "tradeId": "",
        }
        for row in matching.account(ACCOUNT).income
        if kind in ("", row.kind) and symbol in ("", row.symbol) and _within(row.time, start, end)
    ]
    return rows[:limit] if start is not None else rows[-limit:]


def _within(time: int, start: int | None, end: int | None) -> bool:
    return (start is None or start <= time) and (end is None or time <= end)


def text(value: Decimal) -> str:
    """Return an amount of money as Binance writes it: eight decimals."""
    return f"{value:.8f}"
