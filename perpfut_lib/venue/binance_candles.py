"""Candles on the wire of Binance USD-M futures: request, weight, text."""

import zlib
from typing import Final

import numpy as np

from perpfut_lib.types import DAY_MS, HOUR_MS, MINUTE_MS
from perpfut_lib.venue.errors import bad_request
from perpfut_lib.venue.exchange import Exchange
from perpfut_lib.venue.instruments import Instrument
from perpfut_lib.venue.parameters import Parameters
from perpfut_lib.venue.tape import Bars
from perpfut_lib.venue.view import Page

INTERVALS: Final = {
    **{f"{n}m": n * MINUTE_MS for n in (1, 3, 5, 15, 30)},
    **{f"{n}h": n * HOUR_MS for n in (1, 2, 4, 6, 8, 12)},
    "1d": DAY_MS,
}
WEIGHTS: Final = ((99, 1), (499, 2), (1000, 5), (1500, 10))


def weight(parameters: Parameters) -> int:
    """Return the weight of a page: 1, 2, 5 or 10 by its limit, so 499 bars cost the least per bar."""
    limit = parameters.limit(500, 1500)
    return next(cost for most, cost in WEIGHTS if limit <= most)


def page_of(exchange: Exchange, parameters: Parameters, mark: bool = False) -> Page:
    """Read a page from a request; error -1120 for an interval that this tape cannot give."""
    interval = INTERVALS.get(parameters.text("interval"), 0)
    if not interval or interval % exchange.tape.timeframe:
        raise bad_request(-1120, "Invalid interval.")
    start, end = parameters.span()
    return Page(interval, parameters.limit(500, 1500), start, end, mark)


def klines(exchange: Exchange, parameters: Parameters) -> bytes:
    """Answer ``GET /fapi/v1/klines``."""
    page = page_of(exchange, parameters)
    symbol = parameters.text("symbol")
    bars = exchange.bars(symbol, page)
    return trade_text(bars, page.interval, exchange.series(symbol).instrument)


def mark_price_klines(exchange: Exchange, parameters: Parameters) -> bytes:
    """Answer ``GET /fapi/v1/markPriceKlines``."""
    page = page_of(exchange, parameters, mark=True)
    bars = exchange.bars(parameters.text("symbol"), page)
    row = '[%d,"%.8f","%.8f","%.8f","%.8f","0",%d,"0",60,"0","0","0"]'
    last = bars.open_time + page.interval - 1
    columns = [bars.open_time, *bars.prices.T, last]
    return _array(row, columns)


def trade_text(bars: Bars, interval: int, instrument: Instrument) -> bytes:
    """Return bars as Binance writes them: prices and volumes as text, so that a client reads the very same doubles.

    The turnover, the number of trades and the takers' share are made up from the bar.
    """
    price, lot = f'"%.{instrument.price_decimals}f"', f'"%.{instrument.lot_decimals}f"'
    row = f'[%d,{price},{price},{price},{price},{lot},%d,"%.5f",%d,{lot},"%.5f","0"]'
    turnover, trades, taken = activity(bars)
    last = bars.open_time + interval - 1
    columns = [bars.open_time, *bars.prices.T, bars.volume, last, turnover, trades, taken, turnover * 0.5]
    return _array(row, columns)


def activity(bars: Bars) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return made-up turnover (USDT), number of trades and volume bought by takers (base units), each (T,)."""
    first, high, low, last = bars.prices.T
    turnover = bars.volume * bars.prices.mean(axis=1)
    trades = np.ceil(np.sqrt(turnover)).astype(np.int64)
    lean = (last - first) / np.maximum(high - low, 1e-12)
    return turnover, trades, bars.volume * (0.5 + 0.25 * np.clip(lean, -1, 1))


def _array(row: str, columns: list[np.ndarray]) -> bytes:
    lines = map(row.__mod__, zip(*(column.tolist() for column in columns), strict=True))
    return ("[" + ",".join(lines) + "]").encode()


def jitter(symbol: str, time: int, most: int) -> int:
    """Return the lateness of a funding stamp, 0 to ``most`` ms: the same for the same settlement."""
    return zlib.crc32(f"{symbol}{time}".encode()) % (most + 1)
