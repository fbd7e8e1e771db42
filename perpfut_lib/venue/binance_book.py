"""The order book as a stream of Binance USD-M futures: partial books, or differences that a client adds up."""

from collections.abc import Iterator
from dataclasses import dataclass

from perpfut_lib.types import JsonObject
from perpfut_lib.venue.binance_market import levels
from perpfut_lib.venue.exchange import Exchange
from perpfut_lib.venue.matching import LEVELS
from perpfut_lib.venue.view import Quote, extremes


@dataclass
class Book:
    """One subscriber's view of a symbol's book."""

    exchange: Exchange
    symbol: str
    count: int | None
    """Levels of a partial book; None for differences."""
    told: int = -1
    """Update id of the last message: the exchange's time in milliseconds, as in snapshots."""

    def due(self) -> Iterator[JsonObject]:
        """Yield the update since the last one, if the exchange's time has moved."""
        now = self.exchange.clock.shown()
        if now == self.told:
            return
        before, self.told = self.told, now
        rules, quote = self.exchange.series(self.symbol).instrument, self.exchange.quote(self.symbol)
        bids, asks = levels(rules, quote, self.count or LEVELS)
        if self.count is None and before >= 0:
            gone_bids, gone_asks = self._gone(before, quote)
            bids, asks = bids + gone_bids, asks + gone_asks
        before = before if before >= 0 else now - 1
        head = {"e": "depthUpdate", "E": now, "T": now, "s": self.symbol}
        yield {**head, "U": before + 1, "u": now, "pu": before, "b": bids, "a": asks}

    def _gone(self, before: int, quote: Quote) -> tuple[list[list[str]], list[list[str]]]:
        """Return with size zero every level that may have stood at any time since ``before`` and does not now."""
        series, tick = self.exchange.series(self.symbol), 1
        rules, scale = series.instrument, 10.0**series.instrument.price_decimals
        lag = self.exchange.clock.skew
        high, low = extremes(series, self.exchange.tape.timeframe, before - lag - 1, self.exchange.moment(self.symbol))
        high, low = max(high, quote.ask), min(low, quote.bid)
        top, bottom = round(high * scale) + 1 + LEVELS, max(round(low * scale) - 1 - LEVELS, 1)
        bid, ask = round(quote.bid * scale), round(quote.ask * scale)
        bids = [k for k in range(bottom, top) if not bid - LEVELS < k <= bid]
        asks = [k for k in range(bottom, top) if not ask <= k < ask + LEVELS]
        return (
            [[rules.price_text(k * tick / scale), "0"] for k in bids],
            [[rules.price_text(k * tick / scale), "0"] for k in asks],
        )
