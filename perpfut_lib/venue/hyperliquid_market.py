"""Public data on the wire of Hyperliquid: the answers of ``POST /info`` that concern nobody in particular."""

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Final

import numpy as np

from perpfut_lib.types import DAY_MS, Json, JsonObject
from perpfut_lib.venue.binance_candles import INTERVALS, activity, jitter
from perpfut_lib.venue.exchange import Exchange
from perpfut_lib.venue.instruments import Instrument
from perpfut_lib.venue.tape import Bars, Series
from perpfut_lib.venue.view import Page

FIGURES: Final = 5  # significant figures of a price, unless it is a whole number
MOST_DECIMALS: Final = 6  # of a price, less those of the size
SNAPSHOT: Final = 5000  # the newest candles that the exchange still has
HISTORY: Final = 500  # rows of a page of history
USDC: Final = {
    "name": "USDC",
    "szDecimals": 8,
    "weiDecimals": 8,
    "index": 0,
    "tokenId": "0x6d1e7cde53ba9467b783cb7c530ce054",
    "isCanonical": True,
    "evmContract": None,
    "fullName": None,
}
Ask = JsonObject


class UnknownRequest(Exception):
    """A request whose body is not one that the exchange can read; it answers with HTTP status 422."""


def universe(exchange: Exchange) -> list[Series]:
    """Return the listed contracts in the order of their listing: the place in it is a contract's number."""
    return sorted(exchange.listed(), key=lambda one: (int(one.bars.open_time[0]), one.instrument.symbol))


def series_of(exchange: Exchange, coin: Json) -> Series:
    """Return the contract of a coin."""
    for series in universe(exchange):
        if series.instrument.coin == coin:
            return series
    raise UnknownRequest(f"no coin {coin!r}")


def decimals_of_price(rules: Instrument, price: float) -> int:
    """Return the decimals of a price near ``price``: five significant figures, and what the size leaves of six."""
    figures = FIGURES - 1 - math.floor(math.log10(price)) if price > 0 else 0
    return max(min(figures, MOST_DECIMALS - rules.lot_decimals, rules.price_decimals), 0)


def price_text(rules: Instrument, price: float | Decimal) -> str:
    """Return a price as Hyperliquid writes it; a whole number has one decimal, a zero."""
    decimals = decimals_of_price(rules, float(price))
    return f"{price:.{decimals}f}" if decimals else f"{price:.0f}.0"


def meta(exchange: Exchange, _ask: Ask) -> JsonObject:
    """Answer ``meta``."""
    contracts = []
    for series in universe(exchange):
        rules = series.instrument
        row: JsonObject = {"szDecimals": rules.lot_decimals, "name": rules.coin, "maxLeverage": rules.max_leverage}
        contracts.append(row if exchange.trading(series) else {**row, "isDelisted": True})
    return {"universe": contracts, "marginTables": [], "collateralToken": 0}


def meta_and_contexts(exchange: Exchange, ask: Ask) -> list[Json]:
    """Answer ``metaAndAssetCtxs``; other markets than the main one (``dex``) are empty."""
    if ask.get("dex"):
        return [{"universe": [], "marginTables": [], "collateralToken": 0}, []]
    return [meta(exchange, ask), [context(exchange, series) for series in universe(exchange)]]


def context(exchange: Exchange, series: Series) -> JsonObject:
    """Return the state of a contract: prices, funding, volume."""
    rules, timeframe = series.instrument, exchange.tape.timeframe
    quote = exchange.quote(rules.symbol)
    day = exchange.bars(rules.symbol, Page(timeframe, DAY_MS // timeframe))
    turnover = float(activity(day)[0].sum())
    hours, rates = series.hourly_funding
    k = min(int(np.searchsorted(hours, exchange.moment(rules.symbol), side="right")), hours.size - 1)
    return {
        "funding": f"{rates[k]:.10f}" if k >= 0 else "0.0",
        "openInterest": rules.quantity_text(100 * quote.depth),
        "prevDayPx": price_text(rules, float(day.prices[0, 0])),
        "dayNtlVlm": f"{turnover:.4f}",
        "premium": f"{(quote.mark / quote.index - 1):.10f}",
        "oraclePx": price_text(rules, quote.index),
        "markPx": price_text(rules, quote.mark),
        "midPx": price_text(rules, (quote.bid + quote.ask) / 2),
        "impactPxs": [price_text(rules, quote.bid), price_text(rules, quote.ask)],
        "dayBaseVlm": rules.quantity_text(float(day.volume.sum())),
    }


def all_mids(exchange: Exchange, _ask: Ask) -> dict[str, str]:
    """Answer ``allMids``."""
    mids = {}
    for series in universe(exchange):
        quote = exchange.quote(series.instrument.symbol)
        mids[series.instrument.coin] = price_text(series.instrument, (quote.bid + quote.ask) / 2)
    return mids


def book(exchange: Exchange, ask: Ask) -> JsonObject:
    """Answer ``l2Book``: twenty levels a side."""
    rules = series_of(exchange, ask.get("coin")).instrument
    quote = exchange.quote(rules.symbol)
    scale = 10.0 ** decimals_of_price(rules, quote.bid)
    size = rules.quantity_text(quote.depth)

    def side(best: float, sign: int) -> list[JsonObject]:
        outward = math.floor if sign < 0 else math.ceil
        first = outward(round(best * scale, 6))
        return [{"px": price_text(rules, (first + sign * k) / scale), "sz": size, "n": 1} for k in range(20)]

    return {"coin": rules.coin, "time": exchange.clock.shown(), "levels": [side(quote.bid, -1), side(quote.ask, 1)]}


def candle_rows(rules: Instrument, interval: str, bars: Bars) -> list[JsonObject]:
    """Return bars as Hyperliquid writes them."""
    length, trades = INTERVALS[interval], activity(bars)[1].tolist()
    rows = zip(bars.open_time.tolist(), bars.prices.tolist(), bars.volume.tolist(), trades, strict=True)
    return [
        {
            "t": time,
            "T": time + length - 1,
            "s": rules.coin,
            "i": interval,
            **{name: price_text(rules, price) for name, price in zip("ohlc", prices, strict=True)},
            "v": rules.quantity_text(volume),
            "n": count,
        }
        for time, prices, volume, count in rows
    ]


def candles(exchange: Exchange, ask: Ask) -> list[JsonObject]:
    """Answer ``candleSnapshot``: of the newest 5,000 candles, those that begin within the span."""
    request = ask.get("req")
    if not isinstance(request, dict) or request.get("interval") not in INTERVALS:
        raise UnknownRequest("a candleSnapshot needs req with coin, interval, startTime and endTime")
    rules, interval = series_of(exchange, request.get("coin")).instrument, str(request["interval"])
    if INTERVALS[interval] % exchange.tape.timeframe:
        raise UnknownRequest(f"no candles of {interval}")
    newest = exchange.bars(rules.symbol, Page(INTERVALS[interval], SNAPSHOT))
    start, end = int(request.get("startTime") or 0), int(request.get("endTime") or exchange.clock.now())
    low, high = np.searchsorted(newest.open_time, [start, end + 1])
    return candle_rows(rules, interval, newest[low:high])


def funding_history(exchange: Exchange, ask: Ask) -> list[JsonObject]:
    """Answer ``fundingHistory``: hourly rates from ``startTime`` on, at most 500."""
    series = series_of(exchange, ask.get("coin"))
    hours, rates = series.hourly_funding
    start, most = int(ask.get("startTime") or 0), exchange.config.funding_jitter_ms
    end = min(int(ask.get("endTime") or exchange.clock.now()), exchange.moment(series.instrument.symbol))
    low, high = int(np.searchsorted(hours, start - most)), int(np.searchsorted(hours, end, side="right"))
    rows = [
        {
            "coin": series.instrument.coin,
            "fundingRate": f"{rate:.10f}",
            "premium": f"{8 * rate - 1e-4:.10f}",
            "time": time + jitter(series.instrument.coin, time, most),
        }
        for time, rate in zip(hours[low:high].tolist(), rates[low:high].tolist(), strict=True)
    ]
    return [row for row in rows if start <= row["time"]][:HISTORY]


def status(exchange: Exchange, _ask: Ask) -> JsonObject:
    """Answer ``exchangeStatus``."""
    return {"specialStatuses": None, "time": exchange.clock.shown()}


ANSWERS: Final[dict[str, Callable[[Exchange, Ask], Json]]] = {
    "meta": meta,
    "metaAndAssetCtxs": meta_and_contexts,
    "allPerpMetas": lambda exchange, ask: [meta(exchange, ask)],
    "perpDexs": lambda _exchange, _ask: [None],
    "spotMeta": lambda _exchange, _ask: {"tokens": [USDC], "universe": []},
    "spotMetaAndAssetCtxs": lambda _exchange, _ask: [{"tokens": [USDC], "universe": []}, []],
    "exchangeStatus": status,
    "allMids": all_mids,
    "l2Book": book,
    "candleSnapshot": candles,
    "fundingHistory": funding_history,
}
