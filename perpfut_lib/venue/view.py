"""What the tape shows at one instant: closed bars, the forming bar, the best prices, mark, index and funding."""

from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np

from perpfut_lib.types import Float1D
from perpfut_lib.venue.tape import Bars, Series

NODES: Final = np.array([0.0, 1 / 3, 2 / 3, 1.0])
INTEREST: Final = 1e-4  # per 8 hours


@dataclass(frozen=True)
class Quote:
    """Prices of one symbol at an instant, USDT."""

    time: int
    last: float
    bid: float
    ask: float
    depth: float
    """Quantity at each of the first levels of the book, base units."""
    mark: float
    index: float
    funding_rate: float
    """Estimate of the rate of the next settlement."""
    next_funding: int
    """Time of the next settlement, ms UTC; 0 if there is none."""

    def widened(self, share: float, decimals: int) -> Self:
        """Return the quote with nothing in the book within a share of the last price."""
        bid, ask = round(self.bid * (1 - share), decimals), round(self.ask * (1 + share), decimals)
        return replace(self, bid=max(bid, 10.0**-decimals), ask=ask)


def last_closed(series: Series, timeframe: int, now: int) -> int:
    """Return how many bars are closed at ``now``."""
    return int(np.searchsorted(series.bars.open_time, now - timeframe, side="right"))


@dataclass(frozen=True)
class Page:
    """A request for bars, as the exchanges take it: open times within [start, end], both optional."""

    interval: int
    """Length of a bar, ms: a whole multiple of the tape's."""
    limit: int
    """Most bars in the answer."""
    start: int | None = None
    """With a start the answer holds the oldest bars from there on, without it the newest."""
    end: int | None = None
    mark: bool = False
    """Bars of the mark price instead of trades."""


def bars_page(series: Series, timeframe: int, now: int, page: Page) -> Bars:
    """Return the bars of a page, the forming one included, oldest first."""
    bars = series.mark if page.mark else series.bars
    closed, forming = last_closed(series, timeframe, now), forming_bar(series, timeframe, now, page.mark)
    rows = closed + len(forming)
    time, most = bars.open_time, page.limit * (page.interval // timeframe)
    first = 0 if page.start is None else -(-page.start // page.interval) * page.interval
    beyond = now + 1 if page.end is None else page.end // page.interval * page.interval + page.interval
    low, high = min(int(np.searchsorted(time, first)), rows), min(int(np.searchsorted(time, beyond)), rows)
    low, high = (low, min(high, low + most)) if page.start is not None else (max(low, high - most), high)
    chosen = bars[low : min(high, closed)]
    if high > closed >= low:
        chosen = chosen.followed_by(forming)
    grouped = chosen.grouped(page.interval) if page.interval > timeframe else chosen
    return grouped[: page.limit] if page.start is not None else grouped[-page.limit :]


def forming_bar(series: Series, timeframe: int, now: int, mark: bool = False) -> Bars:
    """Return the bar that is open at ``now`` as far as it has come: one row, or none.

    Within a bar the price moves along straight lines from the open to the nearer extreme, the other one and the close:
    a rising bar touches its low first.
    """
    bars = series.mark if mark else series.bars
    closed = last_closed(series, timeframe, now)
    if closed >= len(bars) or bars.open_time[closed] > now:
        return bars[:0]
    share = (now - int(bars.open_time[closed])) / timeframe
    price, high, low = _inside(bars.prices[closed], share)
    decimals, lots = (8 if mark else series.instrument.price_decimals), 10.0**series.instrument.lot_decimals
    prices = np.round([[bars.prices[closed, 0], high, low, price]], decimals)
    volume = np.floor(bars.volume[closed : closed + 1] * share * lots) / lots
    return Bars(bars.open_time[closed : closed + 1], prices, volume)


def _nodes(prices: Float1D) -> Float1D:
    """Return the prices that a bar passes through at each third of it."""
    first, high, low, last = prices
    return np.array([first, low, high, last] if last >= first else [first, high, low, last])


def _inside(prices: Float1D, share: float) -> tuple[float, float, float]:
    """Return the price after ``share`` of a bar, and the highest and lowest price until then."""
    path = _nodes(prices)
    price = float(np.interp(share, NODES, path))
    seen = np.append(path[share >= NODES], price)
    return price, float(seen.max()), float(seen.min())


def extremes(series: Series, timeframe: int, start: int, end: int) -> tuple[float, float]:
    """Return the highest and the lowest trade price in (start, end]; (-inf, inf) if there was none."""
    bars = series.bars
    low = max(int(np.searchsorted(bars.open_time, start, side="right")) - 1, 0)
    high = int(np.searchsorted(bars.open_time, end, side="left"))
    top, bottom = -np.inf, np.inf
    for k in range(low, high):
        opened = int(bars.open_time[k])
        shares = np.clip([(start - opened) / timeframe, (end - opened) / timeframe], 0.0, 1.0)
        path = _nodes(bars.prices[k])
        inside = path[(shares[0] < NODES) & (shares[1] >= NODES)]
        seen = np.append(inside, np.interp(shares, NODES, path))
        top, bottom = max(top, float(seen.max())), min(bottom, float(seen.min()))
    return top, bottom


def quote(series: Series, timeframe: int, now: int) -> Quote | None:
    """Return the prices at ``now``; None before the first bar.

    The best prices are a tick apart; the last trade was at one of them, by turns of a minute.
    """
    closed = last_closed(series, timeframe, now)
    forming = closed < len(series.bars) and series.bars.open_time[closed] <= now
    if not forming and closed == 0:
        return None
    recent = _recent(series, timeframe, now, closed, forming)
    decimals = series.instrument.price_decimals
    tick = 10.0**-decimals
    last = recent[0]
    at_bid = (now // timeframe) % 2 == 0
    bid = round(last if at_bid else max(last - tick, tick), decimals)
    ask = round(bid + tick, decimals)
    window = series.bars.volume[max(0, closed - 60) : closed + 1]
    depth = max(float(np.median(window)) / 5, 10.0**-series.instrument.lot_decimals)
    rate, due = funding_estimate(series, now)
    mark = recent[1]
    index = round(mark / (1 + rate - INTEREST), 8)
    return Quote(now, last, bid, ask, depth, mark, index, rate, due)


def _recent(series: Series, timeframe: int, now: int, closed: int, forming: bool) -> tuple[float, float]:
    """Return the last trade price and the mark price."""
    if not forming:
        return float(series.bars.prices[closed - 1, 3]), float(series.mark.prices[closed - 1, 3])
    share = (now - int(series.bars.open_time[closed])) / timeframe
    price = _inside(series.bars.prices[closed], share)[0]
    mark = _inside(series.mark.prices[closed], share)[0]
    return round(price, series.instrument.price_decimals), round(mark, 8)


def funding_estimate(series: Series, now: int) -> tuple[float, int]:
    """Return the estimate of the next rate and its settlement time.

    The estimate moves in a straight line from the last rate to the next one, so it gives nothing away at the start.
    """
    k = int(np.searchsorted(series.funding_time, now, side="right"))
    if k >= series.funding_time.size:
        return (float(series.funding_rate[-1]) if k else 0.0), 0
    due, coming = int(series.funding_time[k]), float(series.funding_rate[k])
    if k == 0:
        return coming, due
    before, last = int(series.funding_time[k - 1]), float(series.funding_rate[k - 1])
    share = (now - before) / max(due - before, 1)
    return round(last + share * (coming - last), 8), due
