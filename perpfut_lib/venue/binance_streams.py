"""Market websockets of Binance USD-M futures: candles, mark prices, best prices, book, trades."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from perpfut_lib.types import MINUTE_MS, Json, JsonObject
from perpfut_lib.venue.binance_book import Book
from perpfut_lib.venue.binance_candles import INTERVALS, activity
from perpfut_lib.venue.errors import WireError
from perpfut_lib.venue.exchange import Exchange
from perpfut_lib.venue.streams import CandleCursor, Message, Subscriber
from perpfut_lib.venue.tape import Bars

Source = Callable[[], Iterable[JsonObject]]
KLINE: Final = "kline_"


@dataclass
class MarketSubscriber(Subscriber):
    """A client of ``/market``, ``/public`` or a plain stream: SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS."""

    exchange: Exchange
    combined: bool
    """Whether messages are wrapped with the name of their stream."""
    sources: dict[str, Source] = field(default_factory=dict)

    def answer(self, request: Json) -> Iterable[Message]:
        """Return the answer to a subscription request, or Binance's error for anything else."""
        if not isinstance(request, dict) or not isinstance(request.get("params", []), list):
            return [{"error": {"code": 3, "msg": "Invalid JSON: expected an object with method, params and id"}}]
        names, number = [str(name) for name in request.get("params", [])], request.get("id")
        match request.get("method"):
            case "SUBSCRIBE":
                self.subscribe(names)
            case "UNSUBSCRIBE":
                for name in names:
                    self.sources.pop(name, None)
            case "LIST_SUBSCRIPTIONS":
                return [{"result": list(self.sources), "id": number}]
            case method:
                return [{"error": {"code": 2, "msg": f"Invalid request: unknown variant {method}"}, "id": number}]
        return [{"result": None, "id": number}]

    def subscribe(self, names: Iterable[str]) -> None:
        """Add streams; a name that does not exist is accepted and stays silent, as on the real exchange."""
        for name in names:
            source = source_of(self.exchange, name)
            if source is not None and name not in self.sources:
                self.sources[name] = source

    def due(self) -> Iterator[Message]:
        """Yield the messages of all streams."""
        for name, source in list(self.sources.items()):
            for message in source():
                yield {"stream": name, "data": message} if self.combined else message


def source_of(exchange: Exchange, name: str) -> Source | None:
    """Return the source of a stream such as ``sim01usdt@kline_1m``; None if there is no such stream."""
    subject, _, channel = name.partition("@")
    symbol, kind = subject.upper(), channel.partition("@")[0]
    try:
        exchange.series(symbol)
    except WireError:
        return None
    interval = INTERVALS.get(channel.removeprefix(KLINE), 0) if channel.startswith(KLINE) else 0
    if interval and interval % exchange.tape.timeframe == 0:
        cursor = CandleCursor(exchange, symbol, interval)
        return lambda: (_kline(exchange, cursor, bar, closed) for bar, closed in cursor.due())
    if kind.startswith("depth"):
        count = kind.removeprefix("depth")
        return Book(exchange, symbol, int(count) if count.isdigit() else None).due
    makers = {"markPrice": _mark_price, "bookTicker": _book_ticker, "aggTrade": _trade, "trade": _trade}
    if kind not in makers:
        return None
    return Ticker(exchange, symbol, makers[kind]).due


@dataclass
class Ticker:
    """A stream that says something whenever the exchange's time has moved."""

    exchange: Exchange
    symbol: str
    make: Callable[[Exchange, str], JsonObject]
    told: int = -1

    def due(self) -> Iterator[JsonObject]:
        """Yield the message of now, if now is new."""
        now = self.exchange.clock.now()
        if now != self.told:
            self.told = now
            yield self.make(self.exchange, self.symbol)


def _kline(exchange: Exchange, cursor: CandleCursor, bar: Bars, closed: bool) -> JsonObject:
    rules, opened = exchange.series(cursor.symbol).instrument, int(bar.open_time[0])
    turnover, trades, taken = activity(bar)
    first, high, low, last = (rules.price_text(price) for price in bar.prices[0])
    name = next(text for text, length in INTERVALS.items() if length == cursor.interval)
    candle = {
        "t": opened,
        "T": opened + cursor.interval - 1,
        "s": cursor.symbol,
        "i": name,
        "f": opened // MINUTE_MS,
        "L": opened // MINUTE_MS + int(trades[0]),
        "o": first,
        "c": last,
        "h": high,
        "l": low,
        "v": rules.quantity_text(bar.volume[0]),
        "n": int(trades[0]),
        "x": closed,
        "q": f"{turnover[0]:.5f}",
        "V": rules.quantity_text(taken[0]),
        "Q": f"{turnover[0] / 2:.5f}",
        "B": "0",
    }
    return {"e": "kline", "E": exchange.clock.shown(), "s": cursor.symbol, "k": candle}


def _mark_price(exchange: Exchange, symbol: str) -> JsonObject:
    quote = exchange.quote(symbol)
    return {
        "e": "markPriceUpdate",
        "E": exchange.clock.shown(),
        "s": symbol,
        "p": f"{quote.mark:.8f}",
        "P": f"{quote.index:.8f}",
        "i": f"{quote.index:.8f}",
        "r": f"{quote.funding_rate:.8f}",
        "T": quote.next_funding,
    }


def _book_ticker(exchange: Exchange, symbol: str) -> JsonObject:
    quote, rules = exchange.quote(symbol), exchange.series(symbol).instrument
    now, size = exchange.clock.shown(), rules.quantity_text(quote.depth)
    best = {"b": rules.price_text(quote.bid), "B": size, "a": rules.price_text(quote.ask), "A": size}
    return {"e": "bookTicker", "u": now, "s": symbol, **best, "T": now, "E": now}


def _trade(exchange: Exchange, symbol: str) -> JsonObject:
    quote, rules = exchange.quote(symbol), exchange.series(symbol).instrument
    now = exchange.clock.shown()
    size = rules.quantity_text(max(quote.depth / 10, 10.0**-rules.lot_decimals))
    return {
        "e": "aggTrade",
        "E": now,
        "a": quote.time,
        "s": symbol,
        "p": rules.price_text(quote.last),
        "q": size,
        "f": quote.time,
        "l": quote.time,
        "T": now,
        "m": quote.last <= quote.bid,
    }
