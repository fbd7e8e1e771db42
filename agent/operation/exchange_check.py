"""What the exchange itself says, line by line: its address, clock, limits, symbols, candles, funding, websocket.

Public endpoints only, a dozen requests at most. An unanswered question is reported as one that could not be asked,
so that a machine without a network is not taken for a healthy one.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import ccxt

from agent.clock import SystemClock
from agent.feed.bar_hint import client_of
from agent.feed.market import WIRES
from agent.operation.status import Line
from perpfut_lib.acquire.wires import Wire
from perpfut_lib.config import Profile, format_duration
from perpfut_lib.errors import ExchangeError, PerpfutError

REFUSED: Final = re.compile(r"\b(403|451)\b")
WEIGHT: Final = "x-mbx-used-weight-1m"
STREAM_S: Final = 15.0
HOUR_MS: Final = 3_600_000
LONGEST_FUNDING_H: Final = 8


@dataclass
class Examination:
    """One exchange that is being asked."""

    profile: Profile
    clock: SystemClock = field(default_factory=SystemClock)
    symbol: str = ""
    """The first symbol that may be traded, in ccxt's words; known once symbols have been asked for."""

    def __post_init__(self) -> None:
        config = self.profile.agent.exchange
        self.client: Any = self.wire.client(config.url, config.timeout)

    @property
    def wire(self) -> Wire:
        """Return the exchange's ways."""
        return WIRES[self.profile.agent.source]

    def address(self) -> str:
        """Ask where requests go, and for a first answer."""
        api = self.client.urls["api"]
        self.client.load_markets()
        return f"{self.wire.name} at {api.get('fapiPublic', api.get('public'))}"

    def time(self) -> str:
        """Ask for the time."""
        if not self.client.has.get("fetchTime"):
            return f"{self.wire.name} tells no time: this machine's has to be right by itself"
        before = self.clock.wall()
        told = int(self.client.fetch_time())
        took = self.clock.wall() - before
        skew, limit = told - before - took // 2, self.profile.agent.max_clock_skew_ms
        if abs(skew) > limit:
            raise ExchangeError(f"clocks {skew} ms apart", f"at most {limit} ms", "synchronise this machine's clock")
        return f"clocks {skew} ms apart, an answer takes {took} ms"

    def limits(self) -> str:
        """Ask for the weight that an address may use, and how much of it is used."""
        if self.wire.name != "binanceusdm":
            return f"paced at {self.wire.weight_per_minute} a minute; {self.wire.name} does not tell its limit"
        rules = self.client.fapiPublicGetExchangeInfo()["rateLimits"]
        allowed = next((int(each["limit"]) for each in rules if each["rateLimitType"] == "REQUEST_WEIGHT"), 0)
        if allowed < self.wire.weight_per_minute:
            found, expected = (
                f"{allowed} weight a minute",
                f"the {self.wire.weight_per_minute} that requests are paced by",
            )
            raise ExchangeError(found, expected, "set agent.exchange.weight_per_minute to five sixths of it")
        headers = {key.lower(): value for key, value in (self.client.last_response_headers or {}).items()}
        return f"{headers.get(WEIGHT, 'unknown')} of {allowed} weight used in this minute, by this address"

    def symbols(self) -> str:
        """Ask which perpetual futures there are, and whether those that are set are among them."""
        markets = [each for each in self.client.markets.values() if each["swap"] and each["quote"] == self.wire.quote]
        listed = {self.wire.symbol_of(each): each for each in markets if each["active"] is not False}
        wanted = self.profile.agent.symbols or ()
        lacking = sorted(set(wanted) - listed.keys())
        if lacking or not listed:
            found = f"no {', '.join(lacking)}" if lacking else "no perpetual future"
            raise ExchangeError(f"{found} on {self.wire.name}", "symbols as it names them", "mend agent.symbols")
        self.symbol = listed[next(iter(wanted), sorted(listed)[0])]["symbol"]
        return f"{len(listed)} perpetual futures in {self.wire.quote}" + (
            f", all {len(wanted)} of agent.symbols" * bool(wanted)
        )

    def candles(self) -> str:
        """Ask for the last bars of a symbol."""
        timeframe = self.profile.agent.timeframe
        since = self.clock.wall() - 5 * timeframe
        rows = self.client.fetch_ohlcv(self.symbol, format_duration(timeframe), since, 5)
        age = self.clock.wall() - int(rows[-1][0]) if len(rows) else None
        if age is None or age > 2 * timeframe:
            found = f"no bar of {self.symbol}" if age is None else f"a last bar that opened {age / 1000:.0f} s ago"
            raise ExchangeError(
                found, f"one that opened within {2 * timeframe // 1000} s", "see the exchange's status page"
            )
        return f"the last bar of {self.symbol} opened {age / 1000:.0f} s ago"

    def funding(self) -> str:
        """Ask for the last settlements of a symbol."""
        since = self.clock.wall() - 3 * LONGEST_FUNDING_H * HOUR_MS
        rows = self.client.fetch_funding_rate_history(self.symbol, since, 100)
        if not rows:
            raise ExchangeError(
                f"no settlement of {self.symbol} in a day", "one in 8 hours at least", "look at the exchange"
            )
        ago = (self.clock.wall() - rows[-1]["timestamp"]) / HOUR_MS
        return f"the last of {len(rows)} settlements of {self.symbol} within a day is {ago:.1f} h old"

    def stream(self) -> str:
        """Ask for one message of the websocket that announces bars."""
        if not self.profile.agent.hint:
            return "not used: agent.hint is off"
        asyncio.run(asyncio.wait_for(self._first_message(), STREAM_S))
        return f"a first message of {self.symbol}"

    async def _first_message(self) -> None:
        client = client_of(self.profile.agent.source, self.profile.agent.exchange)
        try:
            await client.watch_ohlcv(self.symbol, format_duration(self.profile.agent.timeframe))
        finally:
            await client.close()


def exchange_lines(profile: Profile) -> list[Line]:
    """Return one line for each thing that an exchange was asked; its state is ``-`` where it could not be.

    Parameters
    ----------
    profile : Profile
        Names the exchange, its address and the symbols.
    """
    asked = Examination(profile)
    questions: Sequence[tuple[str, Callable[[], str]]] = (
        ("address", asked.address),
        ("time", asked.time),
        ("limits", asked.limits),
        ("symbols", asked.symbols),
        ("candles", asked.candles),
        ("funding", asked.funding),
        ("stream", asked.stream),
    )
    lines: list[Line] = []
    for name, ask in questions:
        if lines and lines[0].state != "ok":
            lines.append(Line(name, "-", "not asked: the address gave no answer"))
        elif not asked.symbol and name in {"candles", "funding", "stream"}:
            lines.append(Line(name, "-", "not asked: no symbol to ask for"))
        else:
            lines.append(_answered(name, ask))
    return lines


def _answered(name: str, ask: Callable[[], str]) -> Line:
    """Return the line of an answer, a refusal, or of silence."""
    try:
        return Line(name, "ok", ask())
    except PerpfutError as error:
        return Line(name, "bad", str(error))
    except (ccxt.BaseError, TimeoutError, OSError) as error:
        cause = " ".join(str(error).split())[:160] or type(error).__name__
        refused = REFUSED.search(cause)
        if refused is not None:
            return Line(
                name, "bad", f"refused with {refused[1]}: this place or address may not use the exchange ({cause})"
            )
        if isinstance(error, ccxt.DDoSProtection):
            return Line(name, "bad", f"too many requests from this address: wait, and look who else asks ({cause})")
        return Line(name, "-", f"could not be asked: {cause}")
