"""One connection to an exchange through ccxt: paced, retried, and believed only when the answer can be true."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import ccxt
import numpy as np

from perpfut_lib.acquire.absence import absence_so_far
from perpfut_lib.acquire.budget import WeightBudget
from perpfut_lib.acquire.wires import Wire
from perpfut_lib.config import ExchangeConfig, format_duration, format_time
from perpfut_lib.errors import ExchangeError, MissingInputError
from perpfut_lib.types import Float2D, JsonObject

T = TypeVar("T")

LONGEST_WAIT = 60.0
REFUSALS = (ccxt.PermissionDenied, ccxt.RestrictedLocation, ccxt.BadRequest, ccxt.AuthenticationError)


@dataclass(frozen=True)
class Answer:
    """Rows that an exchange gave, and how far they go."""

    rows: Float2D
    """Time (ms) and values, (n, columns), ascending; prices survive as the float64 nearest to the text sent."""
    reach: float
    """Everything that the exchange has before this time (ms) and after the first one asked for is in ``rows``."""


class ImplausibleAnswer(Exception):
    """An answer arrived that cannot be true."""


class Exchange:
    """A connection of one thread; :meth:`another` opens more that share budget and markets.

    Parameters
    ----------
    wire : Wire
        Which exchange.
    config : ExchangeConfig
        URL, pacing, retries.
    budget : WeightBudget, optional
        Shared by all connections.

    Raises
    ------
    ExchangeError
        The exchange does not answer, or refuses.
    """

    def __init__(self, wire: Wire, config: ExchangeConfig, budget: WeightBudget | None = None) -> None:
        self.wire, self.config = wire, config
        self.stopped = threading.Event()
        """Set to make every thread give up its waiting and its retries."""
        per_minute = config.weight_per_minute or wire.weight_per_minute * 5 // 6
        self.budget = budget or WeightBudget(per_minute, sleep=self.stopped.wait)
        self._client = wire.client(config.url, config.timeout)
        self._markets: JsonObject = {}
        self._answered = threading.Event()

    def another(self) -> Self:
        """Return another connection for another thread."""
        clone = type(self)(self.wire, self.config, self.budget)
        clone.stopped, clone._answered = self.stopped, self._answered
        clone._markets = self.markets()
        clone._client.set_markets(self._client.markets, self._client.currencies)
        return clone

    def markets(self) -> JsonObject:
        """Return the perpetual futures by our symbol, as ccxt describes them."""
        if not self._markets:
            loaded = self._ask("markets", self._client.load_markets, 40, lambda found: None)
            swaps = (m for m in loaded.values() if m["swap"] and m["linear"] and m["quote"] == self.wire.quote)
            self._markets = {self.wire.symbol_of(market): market for market in swaps}
        return self._markets

    def now(self) -> int:
        """Return the exchange's time, ms UTC (Hyperliquid does not tell it: there it is this machine's)."""
        if not self._client.has.get("fetchTime"):
            return int(self._client.milliseconds())
        return int(self._ask("time", self._client.fetch_time, 1, _check_time))

    def funding_intervals(self) -> dict[str, int]:
        """Return the funding interval in hours of the symbols for which Binance tells one (those not at 8)."""
        if self.wire.name != "binanceusdm":
            return {}
        rows = self._ask("funding intervals", self._client.fapiPublicGetFundingInfo, 1, _check_rows)
        return {str(row["symbol"]): int(row["fundingIntervalHours"]) for row in rows}

    def candles(self, symbol: str, timeframe: int, since: int, *, mark: bool = False) -> Answer:
        """Return the page of candles from ``since`` on: open time, open, high, low, close, volume.

        Raises
        ------
        MissingInputError
            The exchange does not list ``symbol``.
        ExchangeError
            It does not answer, refuses, or its answers cannot be true.
        """
        page = self.wire.candles
        params: JsonObject = {"price": "mark"} if mark else {}
        until = since + page.rows * timeframe
        if not self.wire.from_start:
            params["until"] = until - 1
        unified, length = self._unified(symbol), format_duration(timeframe)
        rows = self._ask(
            f"candles of {symbol} from {format_time(since)}",
            lambda: _table(self._client.fetch_ohlcv(unified, length, since, page.rows, params), 6),
            page.weight,
            lambda found: _check_candles(found, since, timeframe),
        )
        return Answer(rows, self._reach(rows, page.rows, until))

    def settlements(self, symbol: str, since: int) -> Answer:
        """Return the page of funding settlements from ``since`` on: time, rate. Errors as for :meth:`candles`."""
        page, unified = self.wire.settlements, self._unified(symbol)

        def fetch() -> Float2D:
            history = self._client.fetch_funding_rate_history(unified, since, page.rows)
            return _table([(row["timestamp"], row["fundingRate"]) for row in history], 2)

        name = f"funding of {symbol} from {format_time(since)}"
        rows = self._ask(name, fetch, page.weight, lambda found: _check_settlements(found, since))
        return Answer(rows, self._reach(rows, page.rows, float("inf")))

    def _reach(self, rows: Float2D, asked: int, until: float) -> float:
        """Return how far an answer goes: a full page to its last row, a short one to the end of what was searched."""
        if len(rows) >= asked:
            return float(rows[-1, 0]) + 1
        return float("inf") if self.wire.from_start else until

    def _unified(self, symbol: str) -> str:
        markets = self.markets()
        if symbol not in markets:
            found = f"no perpetual future {symbol} on {self.wire.name}"
            raise MissingInputError(found, f"one of its {len(markets)} in {self.wire.quote}", "check data.symbols")
        return str(markets[symbol]["symbol"])

    def _ask(self, what: str, call: Callable[[], T], weight: int, check: Callable[[T], None]) -> T:
        """Call until the answer passes ``check``, as often as ``retries`` allows, or until nobody seems to be there."""
        problem = "nothing"
        for attempt in range(self.config.retries + 1):
            self.budget.spend(weight)
            if self.stopped.is_set():
                raise ExchangeError(f"{what} given up", "an answer", "another download failed: see its error")
            try:
                answer = call()
                self._answered.set()
                check(answer)
                return answer
            except (*REFUSALS, ccxt.NotSupported) as error:
                raise self._refused(what, error) from error
            except ccxt.NetworkError as error:
                problem = _text(error)
                if any(status in problem for status in (" 403 ", " 451 ")):
                    raise self._refused(what, error) from error
                self._require_anybody(what, error, attempt + 1)
                self._back_off(attempt, error)
            # ccxt turns a torn or misshapen body into any of these
            except (
                ccxt.BaseError,
                ImplausibleAnswer,
                TypeError,
                ValueError,
                KeyError,
                AttributeError,
                IndexError,
            ) as error:
                problem = _text(error)
                self._back_off(attempt, None)
        tries = f"{self.config.retries + 1} tries"
        remedy = "run it again: the download goes on where it stopped"
        raise ExchangeError(f"no usable answer for {what} after {tries}: {problem}", "a complete answer", remedy)

    def _require_anybody(self, what: str, error: Exception, tries: int) -> None:
        """Give up soon where nobody has answered yet and nobody can; once somebody has, the same is a blip."""
        absent = absence_so_far(self._answered, tries, error)
        if absent is not None:
            found = f"{what} not to be had from {error}: {absent}, {tries} times"
            remedy = (
                "check the network and data.exchange.url; without a network data.source=venue simulates an exchange"
            )
            raise ExchangeError(found, f"{self.wire.name} at this address", remedy) from error

    def _back_off(self, attempt: int, error: Exception | None) -> None:
        wait = min(self.config.backoff * 2.0**attempt, LONGEST_WAIT)
        if isinstance(error, ccxt.DDoSProtection | ccxt.RateLimitExceeded):
            headers = self._client.last_response_headers or {}
            wait = max(wait, float(headers.get("Retry-After", 0)))
            self.budget.pause(wait)  # the limit is the address's, so every thread has to wait
        self.stopped.wait(wait)

    def _refused(self, what: str, error: Exception) -> ExchangeError:
        expected = f"{self.wire.name} to answer this address"
        return ExchangeError(f"{what} refused: {_text(error)}", expected, "check data.exchange.url and the location")


def _table(rows: list[Any], columns: int) -> Float2D:
    return np.array(rows, dtype=np.float64).reshape(-1, columns)


def _text(error: Exception) -> str:
    return f"{type(error).__name__} {error}"[:300]


def _check_time(now: int) -> None:
    if not isinstance(now, int) or now <= 0:
        raise ImplausibleAnswer(f"a time of {now!r}")


def _check_rows(rows: Any) -> None:
    if not isinstance(rows, list):
        raise ImplausibleAnswer(f"{str(rows)[:100]!r} instead of a list")


def _check_ascending(rows: Float2D, since: int) -> None:
    time = rows[:, 0]
    if len(time) and (time[0] < since or (np.diff(time) <= 0).any()):
        raise ImplausibleAnswer(f"times that are not ascending from {format_time(since)}")


def _check_candles(rows: Float2D, since: int, timeframe: int) -> None:
    _check_ascending(rows, since)
    prices, volume = rows[:, 1:5], rows[:, 5]
    if not np.isfinite(rows).all() or (prices <= 0).any() or (volume < 0).any():
        raise ImplausibleAnswer("a price or volume that is not a finite positive number")
    if (rows[:, 0] % timeframe).any():
        raise ImplausibleAnswer(f"bars off the grid of {format_duration(timeframe)}")
    if (prices.max(axis=1, initial=0) > rows[:, 2]).any() or (prices.min(axis=1, initial=np.inf) < rows[:, 3]).any():
        raise ImplausibleAnswer("high or low contradicting the other prices")


def _check_settlements(rows: Float2D, since: int) -> None:
    _check_ascending(rows, since)
    if not (np.abs(rows[:, 1]) < 1).all():
        raise ImplausibleAnswer("a funding rate that is not a fraction")
