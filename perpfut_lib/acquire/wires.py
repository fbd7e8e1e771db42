"""What the exchanges differ in: ccxt class, tariff, names, page sizes. Everything else is one code path."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import ccxt
import numpy as np

from perpfut_lib.acquire.budget import Page, cheapest_page
from perpfut_lib.types import Float2D, Json, JsonObject

BINANCE_KLINE_TIERS: Final = (Page(99, 1), Page(499, 2), Page(1000, 5))
"""ccxt asks for 1,000 rows at most, whatever it is told; 1,500 would be the dearest tier anyway."""


class BinanceUsdm(ccxt.binanceusdm):  # type: ignore[misc]  # ccxt has no types
    """ccxt's own client, but a page of candles is read at once: ccxt makes two dozen Python calls a row."""

    def parse_ohlcvs(
        self,
        ohlcvs: list[list[float]],
        market: object = None,
        timeframe: str = "1m",
        since: int | None = None,
        limit: int | None = None,
        tail: bool | None = False,
    ) -> Float2D:
        """Return open time, open, high, low, close, volume, (n, 6), the same numbers as ccxt gives."""
        rows = np.array([row[:6] for row in ohlcvs], dtype=np.float64).reshape(-1, 6)
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        return rows[rows[:, 0] >= since][:limit] if since is not None else rows[-(limit or 0) :]


@dataclass(frozen=True)
class Wire:
    """One exchange's ways."""

    name: str
    """ccxt class; also the folder of its downloads."""
    weight_per_minute: int
    """What the exchange allows."""
    candles: Page
    """Page of candles that is asked for, and its weight."""
    settlements: Page
    """Page of funding rates, and its weight."""
    from_start: bool
    """Whether a page is the first rows after ``since``, however far off, so that a short page is the last one;
    otherwise only a stretch of one page's length is searched."""
    quote: str
    """Quote currency of the perpetual futures in question."""

    def client(self, url: str | None, timeout: float) -> Any:
        """Return a ccxt client; pacing is left to the budget."""
        options: JsonObject = {"timeout": int(timeout * 1000), "enableRateLimit": False}
        if self.name == "hyperliquid":
            options["options"] = {"fetchMarkets": {"types": ["swap"]}}
        if url is not None:
            base = url.rstrip("/")
            api = {"public": base, "private": base} if self.name == "hyperliquid" else {"fapiPublic": f"{base}/fapi/v1"}
            options["urls"] = {"api": api}
        return BinanceUsdm(options) if self.name == "binanceusdm" else getattr(ccxt, self.name)(options)

    def symbol_of(self, market: Mapping[str, Json]) -> str:
        """Return our name of a ccxt market: ``BTCUSDT`` on Binance, ``BTC`` or ``kPEPE`` on Hyperliquid."""
        return str(market["baseName"] if self.name == "hyperliquid" else market["id"])


BINANCE: Final = Wire(
    name="binanceusdm",
    weight_per_minute=2400,
    candles=cheapest_page(BINANCE_KLINE_TIERS),
    settlements=Page(1000, 5),  # its own limit is 500 requests in 5 minutes: 5 of 2,400 a minute keeps well below
    from_start=True,
    quote="USDT",
)
HYPERLIQUID: Final = Wire(
    name="hyperliquid",
    weight_per_minute=1200,
    candles=Page(5000, 104),  # 20, and 1 more for every 60 candles
    settlements=Page(500, 45),  # 20, and 1 more for every 20 rows
    from_start=False,
    quote="USDC",
)
