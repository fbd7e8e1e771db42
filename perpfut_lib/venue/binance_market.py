"""Public market data of Binance USD-M futures: the endpoints under ``/fapi/v1`` that need no key."""

from collections.abc import Callable
from typing import Final

import numpy as np

from perpfut_lib.types import DAY_MS, HOUR_MS, JsonObject
from perpfut_lib.venue import binance_candles as candles
from perpfut_lib.venue.endpoint import Endpoint, Weight
from perpfut_lib.venue.errors import bad_request
from perpfut_lib.venue.exchange import Exchange
from perpfut_lib.venue.instruments import Instrument
from perpfut_lib.venue.limits import MINUTE, TEN_SECONDS
from perpfut_lib.venue.matching import MAX_PRICE, MAX_QUANTITY
from perpfut_lib.venue.parameters import Parameters
from perpfut_lib.venue.tape import Series
from perpfut_lib.venue.view import Page, Quote

FOREVER: Final = 4133404800000  # the delivery date of a contract that is never delivered
DEPTH_WEIGHTS: Final = {5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1000: 20}


def ping(_exchange: Exchange, _parameters: Parameters) -> JsonObject:
    """Answer ``GET /fapi/v1/ping``."""
    return {}


def server_time(exchange: Exchange, _parameters: Parameters) -> JsonObject:
    """Answer ``GET /fapi/v1/time``."""
    return {"serverTime": exchange.clock.shown()}


def exchange_info(exchange: Exchange, _parameters: Parameters) -> JsonObject:
    """Answer ``GET /fapi/v1/exchangeInfo``."""
    limit, orders = exchange.limiter.limit, exchange.order_limiter.most
    return {
        "timezone": "UTC",
        "serverTime": exchange.clock.shown(),
        "futuresType": "U_MARGINED",
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": limit},
            {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": orders[MINUTE]},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": orders[TEN_SECONDS]},
        ],
        "exchangeFilters": [],
        "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}],
        "symbols": [_contract(exchange, series) for series in exchange.listed()],
    }


def _contract(exchange: Exchange, series: Series) -> JsonObject:
    rules = series.instrument
    return {
        "symbol": rules.symbol,
        "pair": rules.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": FOREVER,
        "onboardDate": int(series.bars.open_time[0]),
        "status": "TRADING" if exchange.trading(series) else "SETTLING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": rules.base,
        "quoteAsset": rules.quote,
        "marginAsset": rules.quote,
        "pricePrecision": rules.price_decimals,
        "quantityPrecision": rules.lot_decimals,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10000,
        "filters": _filters(rules),
        "orderTypes": ["LIMIT", "MARKET", "STOP_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


def _filters(rules: Instrument) -> list[JsonObject]:
    tick, lot = f"{rules.tick:f}", f"{rules.lot:f}"
    return [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": f"{MAX_PRICE:f}", "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": f"{MAX_QUANTITY:f}", "stepSize": lot},
        {"filterType": "MARKET_LOT_SIZE", "minQty": lot, "maxQty": f"{MAX_QUANTITY:f}", "stepSize": lot},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
        {"filterType": "MIN_NOTIONAL", "notional": f"{rules.min_notional:f}"},
        {"filterType": "PERCENT_PRICE", "multiplierUp": "1.0500", "multiplierDown": "0.9500", "multiplierDecimal": "4"},
    ]


def funding_rate(exchange: Exchange, parameters: Parameters) -> list[JsonObject]:
    """Answer ``GET /fapi/v1/fundingRate``: settlements within the span, oldest first.

    A stamp lies up to ``funding_jitter_ms`` behind its settlement, as on the real exchange.
    """
    (start, end), limit = parameters.span(), parameters.limit(100, 1000)
    symbol, now = parameters.get("symbol", ""), exchange.clock.now()
    chosen = [exchange.series(symbol)] if symbol else exchange.listed()
    rows = []
    for series in chosen:
        first = int(np.searchsorted(series.funding_time, (start or 0) - exchange.config.funding_jitter_ms))
        last = int(np.searchsorted(series.funding_time, now if end is None else min(end, now), side="right"))
        rows += [_settlement(exchange, series, k) for k in range(first, last)]
    rows = [row for row in rows if (start or 0) <= row["fundingTime"] <= (end or now)]
    rows.sort(key=lambda row: row["fundingTime"])
    return rows[:limit] if start is not None else rows[-limit:]


def _settlement(exchange: Exchange, series: Series, k: int) -> JsonObject:
    time, symbol = int(series.funding_time[k]), series.instrument.symbol
    row = max(int(np.searchsorted(series.bars.open_time, time)) - 1, 0)
    return {
        "symbol": symbol,
        "fundingTime": time + candles.jitter(symbol, time, exchange.config.funding_jitter_ms),
        "fundingRate": f"{series.funding_rate[k]:.8f}",
        "markPrice": f"{series.mark.prices[row, 3]:.8f}",
    }


def funding_info(exchange: Exchange, _parameters: Parameters) -> list[JsonObject]:
    """Answer ``GET /fapi/v1/fundingInfo``: only the contracts whose interval is not the usual eight hours."""
    return [
        {
            "symbol": series.instrument.symbol,
            "adjustedFundingRateCap": "0.02000000",
            "adjustedFundingRateFloor": "-0.02000000",
            "fundingIntervalHours": interval_hours(series, exchange.clock.now()),
            "disclaimer": False,
        }
        for series in exchange.listed()
        if interval_hours(series, exchange.clock.now()) != 8
    ]


def interval_hours(series: Series, now: int) -> int:
    """Return the hours between the settlement before ``now`` and the next one."""
    times = series.funding_time
    k = int(np.searchsorted(times, now, side="right"))
    if times.size < 2:
        return series.instrument.funding_hours
    k = min(max(k, 1), times.size - 1)
    return int(times[k] - times[k - 1] + HOUR_MS // 2) // HOUR_MS


def premium_index(exchange: Exchange, parameters: Parameters) -> JsonObject | list[JsonObject]:
    """Answer ``GET /fapi/v1/premiumIndex``."""
    return _each(exchange, parameters, _premium)


def _premium(exchange: Exchange, rules: Instrument, quote: Quote) -> JsonObject:
    return {
        "symbol": rules.symbol,
        "markPrice": f"{quote.mark:.8f}",
        "indexPrice": f"{quote.index:.8f}",
        "estimatedSettlePrice": f"{quote.index:.8f}",
        "lastFundingRate": f"{quote.funding_rate:.8f}",
        "interestRate": "0.00010000",
        "nextFundingTime": quote.next_funding,
        "time": exchange.clock.shown(),
    }


def book_ticker(exchange: Exchange, parameters: Parameters) -> JsonObject | list[JsonObject]:
    """Answer ``GET /fapi/v1/ticker/bookTicker``."""
    return _each(exchange, parameters, _best)


def _best(exchange: Exchange, rules: Instrument, quote: Quote) -> JsonObject:
    size = rules.quantity_text(quote.depth)
    return {
        "symbol": rules.symbol,
        "bidPrice": rules.price_text(quote.bid),
        "bidQty": size,
        "askPrice": rules.price_text(quote.ask),
        "askQty": size,
        "time": exchange.clock.shown(),
    }


def ticker_price(exchange: Exchange, parameters: Parameters) -> JsonObject | list[JsonObject]:
    """Answer ``GET /fapi/v1/ticker/price``."""
    return _each(exchange, parameters, _price)


def _price(exchange: Exchange, rules: Instrument, quote: Quote) -> JsonObject:
    return {"symbol": rules.symbol, "price": rules.price_text(quote.last), "time": exchange.clock.shown()}


def ticker_day(exchange: Exchange, parameters: Parameters) -> JsonObject | list[JsonObject]:
    """Answer ``GET /fapi/v1/ticker/24hr``."""
    return _each(exchange, parameters, _day)


def _day(exchange: Exchange, rules: Instrument, quote: Quote) -> JsonObject:
    timeframe = exchange.tape.timeframe
    bars = exchange.bars(rules.symbol, Page(timeframe, DAY_MS // timeframe))
    first, high, low = float(bars.prices[0, 0]), float(bars.prices[:, 1].max()), float(bars.prices[:, 2].min())
    turnover, trades, _ = candles.activity(bars)
    return {
        "symbol": rules.symbol,
        "priceChange": rules.price_text(quote.last - first),
        "priceChangePercent": f"{100 * (quote.last / first - 1):.3f}",
        "weightedAvgPrice": rules.price_text(turnover.sum() / max(bars.volume.sum(), 1e-12)),
        "lastPrice": rules.price_text(quote.last),
        "lastQty": rules.quantity_text(quote.depth),
        "openPrice": rules.price_text(first),
        "highPrice": rules.price_text(high),
        "lowPrice": rules.price_text(low),
        "volume": rules.quantity_text(bars.volume.sum()),
        "quoteVolume": f"{turnover.sum():.2f}",
        "openTime": int(bars.open_time[0]),
        "closeTime": exchange.clock.shown(),
        "firstId": 1,
        "lastId": int(trades.sum()),
        "count": int(trades.sum()),
    }


def _each(
    exchange: Exchange, parameters: Parameters, one: Callable[[Exchange, Instrument, Quote], JsonObject]
) -> JsonObject | list[JsonObject]:
    """Answer for one symbol with an object, for all of them with a list."""
    if parameters.get("symbol"):
        rules = exchange.series(parameters["symbol"]).instrument
        answer: JsonObject = one(exchange, rules, exchange.quote(rules.symbol))
        return answer
    listed = [series.instrument for series in exchange.listed()]
    return [one(exchange, rules, exchange.quote(rules.symbol)) for rules in listed]


def depth(exchange: Exchange, parameters: Parameters) -> JsonObject:
    """Answer ``GET /fapi/v1/depth``."""
    limit = parameters.integer("limit", 500)
    if limit not in DEPTH_WEIGHTS:
        raise bad_request(-1130, "Data sent for parameter 'limit' is not valid.")
    rules, now = exchange.series(parameters.text("symbol")).instrument, exchange.clock.shown()
    bids, asks = levels(rules, exchange.quote(rules.symbol), min(limit, 100))
    return {"lastUpdateId": now, "E": now, "T": now, "bids": bids, "asks": asks}


def levels(rules: Instrument, quote: Quote, count: int) -> tuple[list[list[str]], list[list[str]]]:
    """Return ``count`` levels of bids and asks as text, a tick apart, each ``quote.depth`` deep."""
    tick, size = float(rules.tick), rules.quantity_text(quote.depth)
    bids = [quote.bid - tick * k for k in range(count)]
    asks = [quote.ask + tick * k for k in range(count)]
    return (
        [[rules.price_text(price), size] for price in bids if price > tick / 2],
        [[rules.price_text(price), size] for price in asks],
    )


def _depth_weight(parameters: Parameters) -> int:
    return DEPTH_WEIGHTS.get(parameters.integer("limit", 500) or 500, 10)


def _one_or(single: int, all_symbols: int) -> Weight:
    """Return the weight of an endpoint that costs more without a symbol."""
    return lambda parameters: single if parameters.get("symbol") else all_symbols


ENDPOINTS: Final = (
    Endpoint("GET", "/fapi/v1/ping", ping),
    Endpoint("GET", "/fapi/v1/time", server_time),
    Endpoint("GET", "/fapi/v1/exchangeInfo", exchange_info),
    Endpoint("GET", "/fapi/v1/klines", candles.klines, candles.weight),
    Endpoint("GET", "/fapi/v1/markPriceKlines", candles.mark_price_klines, candles.weight),
    Endpoint("GET", "/fapi/v1/fundingRate", funding_rate, funding_limit=True),
    Endpoint("GET", "/fapi/v1/fundingInfo", funding_info, funding_limit=True),
    Endpoint("GET", "/fapi/v1/premiumIndex", premium_index, _one_or(1, 10)),
    Endpoint("GET", "/fapi/v1/ticker/bookTicker", book_ticker, _one_or(2, 5)),
    Endpoint("GET", "/fapi/v1/ticker/price", ticker_price, _one_or(1, 2)),
    Endpoint("GET", "/fapi/v2/ticker/price", ticker_price, _one_or(1, 2)),
    Endpoint("GET", "/fapi/v1/ticker/24hr", ticker_day, _one_or(1, 40)),
    Endpoint("GET", "/fapi/v1/depth", depth, _depth_weight),
)
