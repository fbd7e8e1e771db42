"""Data of one user on the wire of Hyperliquid: positions, orders, fills, funding."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from perpfut_lib.types import Json, JsonObject
from perpfut_lib.venue.accounts import ZERO, Account, Fill, Order
from perpfut_lib.venue.hyperliquid_market import Ask, UnknownRequest, price_text
from perpfut_lib.venue.instruments import Instrument
from perpfut_lib.venue.matching import DEFAULT_LEVERAGE, Matching
from perpfut_lib.venue.protection import liquidation_price

NO_HASH: Final = "0x" + "0" * 64
STATUSES: Final = {
    "NEW": "open",
    "PARTIALLY_FILLED": "open",
    "FILLED": "filled",
    "CANCELED": "canceled",
    "EXPIRED": "canceled",
}
TIMES_IN_FORCE: Final = {"GTC": "Gtc", "IOC": "Ioc", "GTX": "Alo", "FOK": "Ioc"}


def user_of(matching: Matching, ask: Ask) -> Account:
    """Return the account that a request asks about; an address that nobody owns has an empty one."""
    address = ask.get("user")
    if not isinstance(address, str) or not address.startswith("0x"):
        raise UnknownRequest("a request about a user needs its address")
    if address.lower() == matching.exchange.config.wallet:
        return matching.account(address.lower())
    return Account(address.lower(), ZERO, hourly=True)


def money(value: Decimal) -> str:
    """Return an amount of USDC as text."""
    return f"{value:.6f}"


def clearinghouse_state(matching: Matching, ask: Ask) -> JsonObject:
    """Answer ``clearinghouseState``."""
    account = user_of(matching, ask)
    profit, used = matching.unrealised(account), matching.used_margin(account)
    equity = account.wallet + profit
    notional = sum((abs(held.quantity) * matching.mark(symbol) for symbol, held in account.held()), ZERO)
    summary = {
        "accountValue": money(equity),
        "totalNtlPos": money(notional),
        "totalRawUsd": money(account.wallet),
        "totalMarginUsed": money(used),
    }
    return {
        "marginSummary": summary,
        "crossMarginSummary": summary,
        "crossMaintenanceMarginUsed": money(used / 2),
        "withdrawable": money(max(equity - used, ZERO)),
        "assetPositions": [
            _position(matching, account, symbol)
            for symbol in account.positions
            if matching.shown(account, symbol).quantity
        ],
        "time": matching.exchange.clock.shown(),
    }


def _position(matching: Matching, account: Account, symbol: str) -> JsonObject:
    rules, held = matching.exchange.series(symbol).instrument, matching.shown(account, symbol)
    mark, margin = matching.mark(symbol), matching.margin(account, symbol, held.quantity)
    paid = -sum((row.amount for row in account.income if row.kind == "FUNDING_FEE" and row.symbol == symbol), ZERO)
    profit = held.profit(mark)
    position = {
        "coin": rules.coin,
        "szi": rules.quantity_text(held.quantity),
        "leverage": {"type": "cross", "value": account.leverage.get(symbol, DEFAULT_LEVERAGE)},
        "entryPx": f"{held.entry:f}",
        "positionValue": money(abs(held.quantity) * mark),
        "unrealizedPnl": money(profit),
        "returnOnEquity": f"{profit / margin:.10f}" if margin else "0.0",
        "liquidationPx": None if (price := liquidation_price(matching, account, symbol)) is None else f"{price:.6f}",
        "marginUsed": money(margin),
        "maxLeverage": rules.max_leverage,
        "cumFunding": {name: money(paid) for name in ("allTime", "sinceOpen", "sinceChange")},
    }
    return {"type": "oneWay", "position": position}


def active_asset_data(matching: Matching, ask: Ask) -> JsonObject:
    """Answer ``activeAssetData``: the leverage of a coin."""
    account = user_of(matching, ask)
    coins = {one.instrument.coin: one.instrument.symbol for one in matching.exchange.listed()}
    if ask.get("coin") not in coins:
        raise UnknownRequest("activeAssetData needs a coin that is listed")
    symbol = coins[ask["coin"]]
    value = account.leverage.get(symbol, DEFAULT_LEVERAGE)
    leverage = {"type": "cross", "value": value}
    return {"user": account.name, "coin": ask["coin"], "leverage": leverage, "markPx": f"{matching.mark(symbol):f}"}


def order_json(rules: Instrument, order: Order) -> JsonObject:
    """Return an order with the fields of ``frontendOpenOrders``."""
    request = order.request
    return {
        "coin": rules.coin,
        "side": "B" if request.side == "BUY" else "A",
        "limitPx": price_text(rules, request.price or ZERO),
        "sz": rules.quantity_text(order.remaining if order.open else ZERO),
        "oid": order.number,
        "timestamp": order.created,
        "triggerCondition": "N/A",
        "isTrigger": request.trigger is not None,
        "triggerPx": price_text(rules, request.trigger or ZERO),
        "children": [],
        "isPositionTpsl": False,
        "reduceOnly": request.reduce_only,
        "orderType": "Limit" if request.trigger is None else "Stop Market",
        "origSz": rules.quantity_text(request.quantity),
        "tif": TIMES_IN_FORCE[request.time_in_force],
        "cloid": request.client_id or None,
    }


def order_update(matching: Matching, order: Order) -> JsonObject:
    """Return an order with its status, as ``orderStatus`` and the private stream write it."""
    rules = matching.exchange.series(order.request.symbol).instrument
    return {"order": order_json(rules, order), "status": STATUSES[order.status], "statusTimestamp": order.updated}


def order_status(matching: Matching, ask: Ask) -> JsonObject:
    """Answer ``orderStatus``, by the exchange's number or the client's id."""
    account, wanted = user_of(matching, ask), ask.get("oid")
    order = account.find(None, wanted) if isinstance(wanted, str) else account.find(int(wanted or 0))
    return {"status": "order", "order": order_update(matching, order)} if order else {"status": "unknownOid"}


def open_orders(matching: Matching, ask: Ask) -> list[JsonObject]:
    """Answer ``openOrders`` and ``frontendOpenOrders``, newest first."""
    series = matching.exchange.series
    orders = user_of(matching, ask).open_orders()
    return [order_json(series(order.request.symbol).instrument, order) for order in reversed(orders)]


def historical_orders(matching: Matching, ask: Ask) -> list[JsonObject]:
    """Answer ``historicalOrders``, newest first."""
    return [order_update(matching, order) for order in reversed(user_of(matching, ask).orders.values())]


def fill_json(matching: Matching, fill: Fill) -> JsonObject:
    """Return a trade as ``userFills`` and the private stream write it."""
    request = fill.order.request
    rules = matching.exchange.series(request.symbol).instrument
    return {
        "coin": rules.coin,
        "px": price_text(rules, fill.price),
        "sz": rules.quantity_text(fill.quantity),
        "side": "B" if request.side == "BUY" else "A",
        "time": fill.time,
        "startPosition": rules.quantity_text(fill.held),
        "dir": _direction(fill),
        "closedPnl": money(fill.profit),
        "hash": NO_HASH,
        "oid": fill.order.number,
        "crossed": not fill.maker,
        "fee": money(fill.fee),
        "tid": fill.number,
        "cloid": request.client_id or None,
        "feeToken": "USDC",
    }


def _direction(fill: Fill) -> str:
    """Return what a trade does to the position, in Hyperliquid's words."""
    after = fill.held + fill.order.request.sign * fill.quantity
    if fill.held * after < 0:
        return "Long > Short" if fill.held > 0 else "Short > Long"
    opens = abs(after) > abs(fill.held)
    long = (after if opens else fill.held) > 0
    return f"{'Open' if opens else 'Close'} {'Long' if long else 'Short'}"


def user_fills(matching: Matching, ask: Ask) -> list[JsonObject]:
    """Answer ``userFills`` (newest first) and ``userFillsByTime`` (oldest first, from ``startTime`` on)."""
    fills = [fill_json(matching, fill) for fill in user_of(matching, ask).fills]
    if ask.get("startTime") is None:
        return fills[::-1][:2000]
    start, end = int(ask["startTime"]), int(ask.get("endTime") or matching.exchange.clock.now())
    return [fill for fill in fills if start <= fill["time"] <= end][:2000]


def user_funding(matching: Matching, ask: Ask) -> list[JsonObject]:
    """Answer ``userFunding``: hourly payments from ``startTime`` on, oldest first."""
    start, end = int(ask.get("startTime") or 0), int(ask.get("endTime") or matching.exchange.clock.now())
    rows = []
    for row in user_of(matching, ask).income:
        if row.kind == "FUNDING_FEE" and start <= row.time <= end:
            rules = matching.exchange.series(row.symbol).instrument
            delta = {
                "type": "funding",
                "coin": rules.coin,
                "usdc": money(row.amount),
                "szi": rules.quantity_text(row.size),
                "fundingRate": f"{row.rate:f}",
                "nSamples": None,
            }
            rows.append({"time": row.time, "hash": NO_HASH, "delta": delta})
    return rows[:500]


def user_fees(matching: Matching, _ask: Ask) -> JsonObject:
    """Answer ``userFees``."""
    config = matching.exchange.config
    taker, maker = f"{config.taker_fee_bps / 1e4:.6f}", f"{config.maker_fee_bps / 1e4:.6f}"
    schedule = {"cross": taker, "add": maker, "tiers": {"vip": [], "mm": []}, "referralDiscount": "0.0"}
    return {"dailyUserVlm": [], "feeSchedule": schedule, "userCrossRate": taker, "userAddRate": maker}


ANSWERS: Final[dict[str, Callable[[Matching, Ask], Json]]] = {
    "clearinghouseState": clearinghouse_state,
    "spotClearinghouseState": lambda _matching, _ask: {"balances": []},
    "activeAssetData": active_asset_data,
    "openOrders": open_orders,
    "frontendOpenOrders": open_orders,
    "historicalOrders": historical_orders,
    "orderStatus": order_status,
    "userFills": user_fills,
    "userFillsByTime": user_fills,
    "userFunding": user_funding,
    "userFees": user_fees,
    "userAbstraction": lambda _matching, _ask: "default",
    "maxBuilderFee": lambda _matching, _ask: 0,
    "extraAgents": lambda _matching, _ask: [],
    "userRole": lambda _matching, _ask: {"role": "user"},
}
