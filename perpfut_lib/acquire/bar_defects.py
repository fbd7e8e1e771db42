"""Candles of one symbol that are valid bar by bar and still cannot be true."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from perpfut_lib.config import QualityConfig, format_duration
from perpfut_lib.types import DAY_MS, Bool1D, Float1D, Int1D

LEAST_DAYS: Final = 3
"""A peg, and a change of the volume's unit, are judged over that many days."""
MOST_LISTED: Final = 20
"""Defects of one kind and symbol that are listed one by one; what follows is counted in the last of them."""


@dataclass(frozen=True)
class Defect:
    """One thing that is wrong with one symbol's data."""

    symbol: str
    kind: str
    """Name of the decision in :class:`~perpfut_lib.config.QualityConfig`."""
    time: int
    """Open time of the first bar concerned, or time of the settlement, ms UTC."""
    value: float
    """What was measured: a factor, a rate, a number of bars."""
    detail: str


def bar_defects(symbol: str, bars: pd.DataFrame, timeframe: int, config: QualityConfig) -> list[Defect]:
    """Return what is wrong with one symbol's candles.

    Parameters
    ----------
    symbol : str
        Named in the findings.
    bars : DataFrame
        Checked bars, sorted by time.
    timeframe : int
        Length of a bar, ms.
    config : QualityConfig
        Limits.
    """
    kinds = (_jumps, _wicks, _halts, _volumes, _volume_units, _peg)
    return [defect for kind in kinds for defect in _listed(list(kind(symbol, bars, timeframe, config)))]


def stretches(flags: Bool1D, at_least: int = 1) -> list[tuple[int, int]]:
    """Return (first row, length) of every stretch of at least ``at_least`` True values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    pairs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [(first, end - first) for first, end in pairs if end - first >= at_least]


def halt_bars(halt: int, timeframe: int) -> int:
    """Return how many bars without a trade make a halt of ``halt`` ms: two at least."""
    return max(2, -(-halt // timeframe))


def _listed(defects: list[Defect]) -> list[Defect]:
    """Return at most ``MOST_LISTED`` defects; the last one says how many there are besides."""
    if len(defects) <= MOST_LISTED:
        return defects
    last = defects[MOST_LISTED - 1]
    text = f"{last.detail}; and {len(defects) - MOST_LISTED} more"
    return [*defects[: MOST_LISTED - 1], Defect(last.symbol, last.kind, last.time, last.value, text)]


def _columns(bars: pd.DataFrame, *names: str) -> tuple[Float1D, ...]:
    return tuple(bars[name].to_numpy() for name in names)


def _jumps(symbol: str, bars: pd.DataFrame, timeframe: int, config: QualityConfig) -> Iterator[Defect]:
    """Yield jumps of the close that stay (another unit), and those that are back after one bar."""
    time, close = bars["open_time"].to_numpy(), bars["close"].to_numpy()
    step = np.diff(np.log(close), prepend=np.log(close[:1]))
    step[np.diff(time, prepend=time[:1]) != timeframe] = 0.0  # what happens in a gap is no jump
    rows, back = np.flatnonzero(np.abs(step) > np.log(config.jump)).tolist(), -1
    for row in rows:
        if row == back:
            continue
        factor = float(np.exp(step[row]))
        after = step[row + 1] if row + 1 < len(step) else 0.0
        if abs(step[row] + after) < abs(step[row]) / 4:
            back = row + 1
            yield Defect(symbol, "spike", int(time[row]), factor, f"close times {factor:.4g} for one bar, and back")
        else:
            detail = f"close {close[row - 1]:g} to {close[row]:g} from one bar to the next, times {factor:.4g}"
            yield Defect(symbol, "redenominated", int(time[row]), factor, detail)


def _wicks(symbol: str, bars: pd.DataFrame, _: int, config: QualityConfig) -> Iterator[Defect]:
    opened, high, low, close = _columns(bars, "open", "high", "low", "close")
    above, below = high / np.maximum(opened, close), np.minimum(opened, close) / low
    for row in np.flatnonzero(np.maximum(above, below) > config.wick).tolist():
        up = above[row] >= below[row]
        name, extreme = ("high", high) if up else ("low", low)
        detail = f"{name} {extreme[row]:g} beside open {opened[row]:g} and close {close[row]:g}"
        factor = float(above[row] if up else 1.0 / below[row])
        yield Defect(symbol, "wicked", int(bars["open_time"].iloc[row]), factor, detail)


def _halts(symbol: str, bars: pd.DataFrame, timeframe: int, config: QualityConfig) -> Iterator[Defect]:
    if config.halt == 0:
        return
    high, low, close, volume = _columns(bars, "high", "low", "close", "volume")
    time = bars["open_time"].to_numpy()
    for row, length in stretches((volume == 0) & (high == low), halt_bars(config.halt, timeframe)):
        detail = f"no trade for {format_duration(length * timeframe)} at {close[row]:g}"
        yield Defect(symbol, "halted", int(time[row]), float(length), detail)


def _volumes(symbol: str, bars: pd.DataFrame, _: int, config: QualityConfig) -> Iterator[Defect]:
    """Yield a symbol whose prices move without volume, and single bars of absurd volume."""
    time, (high, low, volume) = bars["open_time"].to_numpy(), _columns(bars, "high", "low", "volume")
    moving = high > low
    dead = float((volume[moving] == 0).mean()) if moving.any() else 0.0
    if dead > 0.9:
        detail = f"prices move but {dead:.0%} of the bars have no volume: mark or index prices?"
        yield Defect(symbol, "no_volume", int(time[0]), dead, detail)
        return
    traded = volume[volume > 0]
    if len(traded) == 0:
        return
    median = float(np.median(traded))
    for row in np.flatnonzero(volume > config.volume * median).tolist():
        factor = float(volume[row] / median)
        yield Defect(symbol, "absurd_volume", int(time[row]), factor, f"volume {volume[row]:g}, {factor:.4g} medians")


def _volume_units(symbol: str, bars: pd.DataFrame, timeframe: int, config: QualityConfig) -> Iterator[Defect]:
    """Yield days from which on the volume is in another unit: one step between levels that both last."""
    days, medians = _daily_medians(bars)
    for row in range(1, len(days)):
        factor = medians[row] / medians[row - 1]
        level = np.median(medians[row:]) / np.median(medians[:row])
        lasting = min(row, len(days) - row) >= LEAST_DAYS and min(factor, 1 / factor) * config.volume_units < 1
        if lasting and min(level, 1 / level) * config.volume_units < 1 and timeframe < DAY_MS:
            detail = f"median volume {medians[row - 1]:.4g} a bar on the day before, then {medians[row]:.4g}"
            yield Defect(symbol, "volume_rescaled", int(days[row]) * DAY_MS, float(factor), detail)


def _daily_medians(bars: pd.DataFrame) -> tuple[Int1D, Float1D]:
    """Return the days (since 1970) with a trade, and the median volume of their traded bars."""
    traded = bars.loc[bars["volume"] > 0, ["open_time", "volume"]]
    medians = traded["volume"].groupby(traded["open_time"] // DAY_MS).median()
    return medians.index.to_numpy(np.int64), medians.to_numpy(np.float64)


def _peg(symbol: str, bars: pd.DataFrame, timeframe: int, config: QualityConfig) -> Iterator[Defect]:
    close = bars["close"].to_numpy()
    off = float(np.max(np.abs(close - 1.0)))
    if len(close) * timeframe >= LEAST_DAYS * DAY_MS and off <= config.peg:
        time = int(bars["open_time"].iloc[0])
        yield Defect(symbol, "stable_coin", time, off, f"never further than {off:.2%} from one")
