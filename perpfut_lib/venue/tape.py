"""The tape: every bar and funding settlement that the exchange will ever publish, shown only up to its clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd

from perpfut_lib.config import SimulationConfig
from perpfut_lib.errors import SchemaError
from perpfut_lib.types import CANDLE_COLUMNS, FUNDING_COLUMNS, HOUR_MS, PRICE_COLUMNS, Float1D, Float2D, Int1D
from perpfut_lib.venue.instruments import Instrument, decimals_of, instrument_of
from perpfut_lib.venue.market import SimulatedMarket, simulate


@dataclass(frozen=True)
class Bars:
    """Consecutive bars of one symbol, oldest first."""

    open_time: Int1D
    """(T,), ms UTC."""
    prices: Float2D
    """Open, high, low, close, (T, 4)."""
    volume: Float1D
    """Base units, (T,)."""

    def __len__(self) -> int:
        return self.open_time.size

    def __getitem__(self, rows: slice) -> "Bars":
        return Bars(self.open_time[rows], self.prices[rows], self.volume[rows])

    def followed_by(self, later: "Bars") -> "Bars":
        """Return these bars and later ones."""
        return Bars(
            np.concatenate([self.open_time, later.open_time]),
            np.concatenate([self.prices, later.prices]),
            np.concatenate([self.volume, later.volume]),
        )

    def grouped(self, interval: int) -> "Bars":
        """Return bars of a longer interval, aligned to the epoch: first open, extreme high and low, last close."""
        start = self.open_time // interval * interval
        first = np.flatnonzero(np.diff(start, prepend=-1))
        if first.size in (0, start.size):
            return Bars(start, self.prices, self.volume)
        last = np.append(first[1:], start.size) - 1
        extremes = (
            np.maximum.reduceat(self.prices[:, 1], first),
            np.minimum.reduceat(self.prices[:, 2], first),
        )
        prices = np.column_stack([self.prices[first, 0], *extremes, self.prices[last, 3]])
        return Bars(start[first], prices, np.add.reduceat(self.volume, first))


@dataclass(frozen=True)
class Series:
    """One symbol's whole history."""

    instrument: Instrument
    bars: Bars
    funding_time: Int1D
    """Settlement times, (S,), ms UTC."""
    funding_rate: Float1D
    """Rates that longs pay, (S,), fractions."""
    off_schedule: tuple[int, ...] = ()
    """Settlement times that are out of turn."""

    @cached_property
    def mark(self) -> Bars:
        """Bars of the mark price: trades without the bid-ask bounce, between high and low, continuous at the edges."""
        prices = self.bars.prices
        typical = prices[:, 1:].mean(axis=1)
        close = 0.5 * (prices[:, 3] + typical)
        start = np.clip(np.append(typical[:1], close[:-1]), prices[:, 2], prices[:, 1])
        high, low = np.maximum(start, close), np.minimum(start, close)
        extremes = (high + 0.8 * (prices[:, 1] - high), low + 0.8 * (prices[:, 2] - low))
        marked = np.column_stack([start, *extremes, close])
        return Bars(self.bars.open_time, np.round(marked, 8), np.zeros(len(self.bars)))

    @cached_property
    def hourly_funding(self) -> tuple[Int1D, Float1D]:
        """Funding as Hyperliquid settles it: every full hour, each rate spread evenly over its own interval.

        What is settled out of turn is settled at once.
        """
        regular = ~np.isin(self.funding_time, self.off_schedule)
        times, rates = self.funding_time[regular], self.funding_rate[regular]
        if times.size < 2:
            return self.funding_time, self.funding_rate
        hours = np.arange(times[0] // HOUR_MS, times[-1] // HOUR_MS + 1, dtype=np.int64) * HOUR_MS
        k = np.searchsorted(times, hours)
        steps = np.maximum(np.diff(times, prepend=2 * times[0] - times[1]) // HOUR_MS, 1)
        spread, own = np.round(rates[k] / steps[k], 10), ~np.isin(hours, self.off_schedule)
        merged = np.append(hours[own], self.funding_time[~regular])
        order = np.argsort(merged)
        return merged[order], np.append(spread[own], self.funding_rate[~regular])[order]


@dataclass(frozen=True)
class Tape:
    """All series of a market on one timeframe."""

    series: Mapping[str, Series]
    timeframe: int
    """Length of a bar, ms."""

    @property
    def start(self) -> int:
        """Open time of the first bar, ms UTC."""
        return min(int(series.bars.open_time[0]) for series in self.series.values())

    @property
    def end(self) -> int:
        """Close time of the last bar, ms UTC, exclusive."""
        return max(int(series.bars.open_time[-1]) for series in self.series.values()) + self.timeframe

    def moved(self, milliseconds: int) -> "Tape":
        """Return the same market at another time; whole days keep the season and the settlements where they belong."""
        series = {}
        for symbol, one in self.series.items():
            bars = Bars(one.bars.open_time + milliseconds, one.bars.prices, one.bars.volume)
            series[symbol] = Series(one.instrument, bars, one.funding_time + milliseconds, one.funding_rate)
        return Tape(series, self.timeframe)

    @classmethod
    def simulated(cls, config: SimulationConfig) -> Self:
        """Return the tape of a simulated market."""
        return cls.of_market(simulate(config))

    @classmethod
    def of_market(cls, market: SimulatedMarket) -> Self:
        """Return the tape of a market that has been simulated before."""
        instruments = {contract["symbol"]: instrument_of(contract) for contract in market.truth["contracts"]}
        return cls.recorded(market.candles, market.funding, instruments)

    @classmethod
    def recorded(
        cls, candles: pd.DataFrame, funding: pd.DataFrame, instruments: Mapping[str, Instrument] | None = None
    ) -> Self:
        """Return the tape that replays candles and funding rates.

        Parameters
        ----------
        candles, funding : DataFrame
            Columns :data:`~perpfut_lib.types.CANDLE_COLUMNS` and :data:`~perpfut_lib.types.FUNDING_COLUMNS`.
        instruments : mapping, optional
            Trading rules by symbol; a symbol without an entry gets the coarsest grids that its values lie on.

        Raises
        ------
        SchemaError
            A column is missing, or there are fewer than two bars.
        """
        _check_columns(candles, CANDLE_COLUMNS)
        _check_columns(funding, FUNDING_COLUMNS)
        settlements = {str(name): rows for name, rows in funding.groupby("symbol", observed=True)}
        series = {}
        for name, rows in candles.groupby("symbol", observed=True):
            known = (instruments or {}).get(str(name))
            series[str(name)] = _series(str(name), rows, settlements.get(str(name), funding.iloc[:0]), known)
        steps = [np.diff(one.bars.open_time).min() for one in series.values() if len(one.bars) > 1]
        if not steps:
            raise SchemaError("no symbol with two bars", "candles to replay", "check the candle files")
        return cls(dict(sorted(series.items())), int(min(steps)))


def _check_columns(frame: pd.DataFrame, columns: tuple[str, ...]) -> None:
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise SchemaError(f"no column {', '.join(missing)}", f"columns {', '.join(columns)}", "check the files")


def _series(symbol: str, candles: pd.DataFrame, funding: pd.DataFrame, known: Instrument | None) -> Series:
    candles, funding = candles.sort_values("open_time"), funding.sort_values("funding_time")
    prices = np.ascontiguousarray(candles[list(PRICE_COLUMNS)].to_numpy(np.float64))
    volume = candles["volume"].to_numpy(np.float64)
    time = funding["funding_time"].to_numpy(np.int64)
    if known is None:
        hours = int(np.diff(time[:2])[0] // HOUR_MS) if time.size > 1 else 8
        known = Instrument(symbol, decimals_of(prices.ravel()), decimals_of(volume), max(hours, 1))
    bars = Bars(candles["open_time"].to_numpy(np.int64), prices, volume)
    return Series(known, bars, time, funding["funding_rate"].to_numpy(np.float64))
