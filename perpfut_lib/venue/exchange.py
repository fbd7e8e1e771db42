"""The exchange as its wire modules see it: tape, clock, limits and faults together."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pandas as pd

from perpfut_lib.errors import MissingInputError
from perpfut_lib.types import DAY_MS
from perpfut_lib.venue.clock import ExchangeClock
from perpfut_lib.venue.errors import bad_request
from perpfut_lib.venue.faults import BookGap, Delist, Fault, FaultBoard, FundingShock, Gap, Jump, Late, Revise, Skew
from perpfut_lib.venue.instruments import Instrument
from perpfut_lib.venue.limits import MINUTE, TEN_SECONDS, OrderLimiter, WeightLimiter
from perpfut_lib.venue.settings import VenueConfig
from perpfut_lib.venue.shocks import charged, jumped
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
    order_limiter: OrderLimiter
    faults: FaultBoard = field(default_factory=FaultBoard)
    delisted: dict[str, int] = field(default_factory=dict)
    """Symbols whose trading a fault has ended, and when (ms UTC)."""
    wall: Callable[[], float] = time.time
    """Unix seconds, for limits and bans."""

    @classmethod
    def open(cls, config: VenueConfig, tape: Tape | None = None) -> Self:
        """Return an exchange on ``tape``, or on the market that ``config`` describes."""
        tape = tape or _tape(config)
        clock = ExchangeClock(config.clock, _start(config, tape), config.speed)
        if config.epoch is not None:
            clock.advance(max(0, int((time.time() * 1000 - config.epoch) * config.speed)))
        if config.clock == "real":
            today = clock.now() // DAY_MS * DAY_MS
            tape = tape.moved(today - config.history_days * DAY_MS - tape.start // DAY_MS * DAY_MS)
        limits = (config.weight_window, config.ban_after, config.ban_seconds)
        weights = WeightLimiter(config.weight_limit, *limits)
        funding = WeightLimiter(ADDRESS_FUNDING_LIMIT, 300.0, *limits[1:])
        orders = OrderLimiter({TEN_SECONDS: config.orders_per_ten_seconds, MINUTE: config.orders_per_minute})
        return cls(config, tape, clock, weights, funding, orders)

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
        """Return whether a symbol still trades: it is not delisted, and its tape has not ended before everybody's."""
        if series.instrument.symbol in self.delisted:
            return False
        ended = last_closed(series, self.tape.timeframe, self.clock.now()) >= len(series.bars)
        return not ended or int(series.bars.open_time[-1]) + self.tape.timeframe >= self.tape.end

    def moment(self, symbol: str) -> int:
        """Return the time up to which a symbol's trading is to be told: now, or when it was delisted."""
        return min(self.clock.now(), self.delisted.get(symbol, self.clock.now()))

    def published(self, symbol: str) -> int:
        """Return the time up to which a symbol's bars are published: a fault may hold them back."""
        late = self.faults.lasting(Late, symbol)
        return self.moment(symbol) - (late.milliseconds if late else 0)

    def bars(self, symbol: str, page: Page) -> Bars:
        """Return a page of bars as of the exchange's time, with the faults that concern bars."""
        series, now = self.series(symbol), self.moment(symbol)
        bars = bars_page(series, self.tape.timeframe, self.published(symbol), page)
        if revise := self.faults.lasting(Revise, symbol):
            bars = _unrevised(bars, series.instrument, now - revise.milliseconds - page.interval)
        if len(bars) > 2 and (gap := self.faults.use(Gap, "", symbol)):
            middle = len(bars) // 2
            bars = bars[:middle].followed_by(bars[middle + gap.rows :])
        return bars

    def quote(self, symbol: str) -> Quote:
        """Return a symbol's prices as of the exchange's time."""
        answer = quote(self.series(symbol), self.tape.timeframe, self.moment(symbol))
        if answer is None:
            raise bad_request(-1121, "Invalid symbol.")
        gap = self.faults.lasting(BookGap, symbol)
        return answer if gap is None else answer.widened(gap.share, self.series(symbol).instrument.price_decimals)

    def add_fault(self, fault: Fault) -> None:
        """Switch a fault on; what the market does happens once, from the next bar on."""
        if isinstance(fault, Jump | FundingShock):
            self._shock(fault)
            return
        if isinstance(fault, Skew):
            self.clock.skew = fault.milliseconds
        if isinstance(fault, Delist):
            self.delisted.setdefault(fault.symbol, self.clock.now())
        self.faults.add(fault)

    def _shock(self, fault: Jump | FundingShock) -> None:
        at = (self.clock.now() // self.tape.timeframe + 1) * self.tape.timeframe
        series = dict(self.tape.series)
        for symbol in series if fault.symbol is None else (fault.symbol,):
            one = self.series(symbol)
            if isinstance(fault, FundingShock):
                series[symbol] = charged(one, at, fault.rate)
            else:
                series[symbol] = jumped(one, fault.factor, at, fault.bars)
        self.tape = replace(self.tape, series=series)

    def clear_faults(self) -> None:
        """Switch all faults off; a delisted symbol trades again."""
        self.faults.clear()
        self.delisted.clear()
        self.clock.skew = 0


def _unrevised(bars: Bars, instrument: Instrument, since: int) -> Bars:
    """Return bars of which those that open after ``since`` close one tick off, with a tenth of their volume missing."""
    fresh = bars.open_time > since
    prices, volume = bars.prices.copy(), bars.volume.copy()
    tick, lots = float(instrument.tick), 10.0**instrument.lot_decimals
    prices[fresh, 3] = np.round(prices[fresh, 3] + tick, instrument.price_decimals)
    prices[fresh, 1] = np.maximum(prices[fresh, 1], prices[fresh, 3])
    volume[fresh] = np.floor(0.9 * volume[fresh] * lots) / lots
    return Bars(bars.open_time, prices, volume)


def _start(config: VenueConfig, tape: Tape) -> int:
    """Return the first instant of the clock."""
    if config.start is not None:
        return config.start
    return tape.end if config.clock == "stepped" else tape.start + config.history_days * DAY_MS


def _tape(config: VenueConfig) -> Tape:
    if config.candles is None or config.funding is None:
        return Tape.simulated(config.simulation)
    for path in (config.candles, config.funding):
        if not path.is_file():
            raise MissingInputError(f"no file {path}", "recorded candles and funding to replay", "check the path")
    return Tape.recorded(pd.read_parquet(config.candles), pd.read_parquet(config.funding))
