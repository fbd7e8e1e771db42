"""A websocket that says when a bar has closed: a hint to fetch at once, never a source of prices.

It runs in a thread of its own. Whatever happens to it, the scheduler fetches by REST after the grace time anyway.
"""

import asyncio
import logging
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import ccxt

from agent.feed.market import WIRES
from perpfut_lib.config import ExchangeConfig, format_duration

log = logging.getLogger(__name__)

RETRY_SECONDS = 5.0


class BarHint:
    """Follows the candles of one symbol and remembers the newest bar that has opened.

    Parameters
    ----------
    source : str
        Name of the exchange, as in ``agent.source``.
    config : ExchangeConfig
        Its address.
    timeframe : int
        Length of a bar, ms.
    """

    def __init__(self, source: str, config: ExchangeConfig, timeframe: int) -> None:
        self._source, self._config, self._timeframe = source, config, timeframe
        self._opened, self._news = 0, threading.Condition()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self, symbols: Sequence[str]) -> None:
        """Start to follow the first of ``symbols``, if nothing is followed yet."""
        if self._thread is None and symbols:
            self._thread = threading.Thread(target=self._run, args=(symbols[0],), name="hint", daemon=True)
            self._thread.start()

    def wait(self, bar_close: int, milliseconds: int) -> bool:
        """Wait until a bar that opens at ``bar_close`` was seen, or the time is over; return whether it was seen."""
        with self._news:
            return self._news.wait_for(
                lambda: self._opened >= bar_close or self._stop.is_set(), max(0, milliseconds) / 1000
            )

    def close(self) -> None:
        """Stop following and wake every waiting thread."""
        self._stop.set()
        with self._news:
            self._news.notify_all()

    def _run(self, symbol: str) -> None:
        with suppress(RuntimeError):  # the interpreter is shutting down
            asyncio.run(self._follow(symbol))

    async def _follow(self, symbol: str) -> None:
        length = format_duration(self._timeframe)
        while not self._stop.is_set():
            client = client_of(self._source, self._config)
            try:
                markets = await client.load_markets()
                unified = next(m["symbol"] for m in markets.values() if m["id"] == symbol and m["swap"])
                while not self._stop.is_set():
                    candles = await client.watch_ohlcv(unified, length)
                    self._tell(int(candles[-1][0]))
            except (ccxt.BaseError, OSError, StopIteration, ValueError, TypeError, KeyError) as error:
                log.info("no hint", extra={"cause": type(error).__name__})
                await asyncio.sleep(RETRY_SECONDS)
            finally:
                with suppress(ccxt.BaseError, OSError):
                    await client.close()

    def _tell(self, opened: int) -> None:
        with self._news:
            self._opened = max(self._opened, opened)
            self._news.notify_all()


def client_of(source: str, config: ExchangeConfig) -> Any:
    """Return a websocket client of ccxt for an exchange or, by ``url``, for the local one."""
    import ccxt.pro

    options: dict[str, Any] = {"timeout": int(config.timeout * 1000), "enableRateLimit": False}
    if config.url is not None:
        base, socket = config.url.rstrip("/"), config.url.rstrip("/").replace("http", "ws", 1)
        nowhere = f"{socket}/nowhere"
        streams = {kind: nowhere for kind in ("spot", "margin", "future", "delivery", "inverse", "papi", "option")}
        calls = {kind: nowhere for kind in ("spot", "linear", "inverse", "future", "delivery")}
        ws = {**streams, "linear": f"{socket}/ws", "future": f"{socket}/ws", "ws-api": calls}
        options["urls"] = {"api": {"fapiPublic": f"{base}/fapi/v1", "ws": ws}}
        options["options"] = {"fetchCurrencies": False}
    return getattr(ccxt.pro, WIRES[source].name)(options)
