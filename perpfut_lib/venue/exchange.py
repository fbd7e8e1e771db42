"""The exchange as its wire modules see it: tape, clock, limits and faults together."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import pandas as pd

from perpfut_lib.errors import MissingInputError
from perpfut_lib.venue.clock import ExchangeClock
from perpfut_lib.venue.errors import bad_request
from perpfut_lib.venue.limits import WeightLimiter
from perpfut_lib.venue.settings import VenueConfig
from perpfut_lib.venue.tape import Bars, Series, Tape
from perpfut_lib.venue.view import Page, Quote, bars_page, last_closed, quote

ADDRESS_FUNDING_LIMIT = 500  # requests per five minutes and address for fundingRate and fundingInfo together


@dataclass
class Exchange:
    """One running exchange."""

    config: VenueConfig
    tape: Tape
    clock: ExchangeClock
    limiter: WeightLimiter
    funding_limiter: WeightLimiter
    wall: Callable[[], float] = field(default=time.time)
    """Unix seconds, for limits and bans."""

    @classmethod
    def open(cls, config: VenueConfig, tape: Tape | None = None) -> Self:
        """Return an exchange on ``tape``, or on the market that ``config`` describes."""
        tape = tape or _tape(config)
        start = config.start if config.start is not None else tape.end
        clock = ExchangeClock(config.clock, start, config.speed)
        limits = (config.weight_window, config.ban_after, config.ban_seconds)
        weights = WeightLimiter(config.weight_limit, *limits)
        return cls(config, tape, clock, weights, WeightLimiter(ADDRESS_FUNDING_LIMIT, 300.0, *limits[1:]))

    def series(self, symbol: str) -> Series:
        """Return a symbol's history; Binance's error -1121 if it is not listed (yet)."""
        series = self.tape.series.get(symbol)
        if series is None or self.clock.now() < series.bars.open_time[0]:
            raise bad_request(-1121, "Invalid symbol.")
        return series

    def listed(self) -> list[Series]:
        """Return all series whose first bar has opened."""
        now = self.clock.now()
        return [series for series in self.tape.series.values() if series.bars.open_time[0] <= now]

    def trading(self, series: Series) -> bool:
        """Return whether a symbol still trades: its tape has not ended before everybody's."""
        ended = last_closed(series, self.tape.timeframe, self.clock.now()) >= len(series.bars)
        return not ended or int(series.bars.open_time[-1]) + self.tape.timeframe >= self.tape.end

    def bars(self, symbol: str, page: Page) -> Bars:
        """Return a page of bars as of the exchange's time."""
        return bars_page(self.series(symbol), self.tape.timeframe, self.clock.now(), page)

    def quote(self, symbol: str) -> Quote:
        """Return a symbol's prices as of the exchange's time."""
        answer = quote(self.series(symbol), self.tape.timeframe, self.clock.now())
        if answer is None:
            raise bad_request(-1121, "Invalid symbol.")
        return answer


def _tape(config: VenueConfig) -> Tape:
    if config.candles is None or config.funding is None:
        return Tape.simulated(config.simulation)
    for path in (config.candles, config.funding):
        if not path.is_file():
            raise MissingInputError(f"no file {path}", "recorded candles and funding to replay", "check the path")
    return Tape.recorded(pd.read_parquet(config.candles), pd.read_parquet(config.funding))
