"""Trading windows on the calendar: aligned to UTC, each behind its formation window, each inside one split."""

from datetime import UTC, date, datetime
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from perpfut_lib.config import CointegrationConfig, SplitConfig, format_duration
from perpfut_lib.errors import ConfigError, SplitError
from perpfut_lib.types import DAY_MS, Int1D

SPLITS: Final = ("train", "validate", "test")


class Grid(NamedTuple):
    """The bars that the data cover: open times ``start``, ``start + timeframe``, … below ``end``, ms UTC."""

    start: int
    end: int
    timeframe: int


class Spans(NamedTuple):
    """Bounds of the three spans in ms UTC: train [0], [1]; validate [1], [2]; test [2], [3]."""

    start: int
    train_end: int
    validate_end: int
    end: int

    def of(self, name: str) -> tuple[int, int]:
        """Return first and past-the-end time of a span."""
        position = SPLITS.index(name)
        return self[position], self[position + 1]


def split_spans(split: SplitConfig, grid: Grid) -> Spans:
    """Return the spans of a split over the data's days.

    Shares are of the whole UTC days that the data cover, rounded to whole days; dates are taken as they are.

    Raises
    ------
    SplitError
        A date lies outside the data, or the data cover fewer than three whole days.
    """
    start, end, _ = grid
    first_day, last_day = -(-start // DAY_MS), end // DAY_MS
    days = last_day - first_day
    covers = f"dates inside {_iso(start)} … {_iso(end)}"
    if split.train_end is not None and split.validate_end is not None:
        bounds = [_ms(split.train_end), _ms(split.validate_end)]
    elif days < len(SPLITS):
        raise SplitError(f"{days} whole days", f"at least {len(SPLITS)}", "use more data, or set split.train_end")
    else:
        shares = (split.train, split.train + split.validate_)
        bounds = [(first_day + round(share * days)) * DAY_MS for share in shares]
    stop = end if split.test_end is None else _ms(split.test_end)
    if not (start < bounds[0] <= bounds[1] < stop <= end):
        found = f"a split at {_iso(bounds[0])} and {_iso(bounds[1])} that ends {_iso(stop)}"
        raise SplitError(found, f"{covers}, in this order", "change the split section")
    return Spans(start, bounds[0], bounds[1], stop)


def trading_windows(grid: Grid, config: CointegrationConfig, split: SplitConfig) -> pd.DataFrame:
    """Return every trading window: ``start``, ``end`` (ms UTC, end exclusive), ``split``, and ``row`` of its first bar.

    A window has its whole formation window before it in the data, all its bars, and one bar after its end, whose open
    flattens the position; it lies wholly inside one span, so that no training window reaches into validation. With an
    embargo the first windows of validation and test are left out.

    Raises
    ------
    ConfigError
        Formation or trading is not a whole number of bars.
    SplitError
        As in :func:`split_spans`, or a span holds no window.
    """
    for name in ("formation", "trading"):
        if getattr(config, name) % grid.timeframe:
            bar = format_duration(grid.timeframe)
            found = f"cointegration.{name} of {format_duration(getattr(config, name))}"
            raise ConfigError(found, f"a multiple of the {bar} bar", f"set cointegration.{name}")
    spans = split_spans(split, grid)
    first = -(-(spans.start + config.formation) // config.trading) * config.trading
    start: Int1D = np.arange(first, grid.end - grid.timeframe - config.trading + 1, config.trading, dtype=np.int64)
    end = start + config.trading
    table = pd.DataFrame({"start": start, "end": end, "split": "", "row": (start - grid.start) // grid.timeframe})
    for name in SPLITS:
        low, high = spans.of(name)
        low += split.embargo if name != SPLITS[0] else 0
        inside = (table["start"] >= low) & (table["end"] <= high)
        if not inside.any() and high > low:
            found = f"no whole trading window in the {name} span {_iso(low)} … {_iso(high)}"
            need = f"formation {format_duration(config.formation)} and trading {format_duration(config.trading)}"
            raise SplitError(found, f"at least one window behind {need}", "widen the span or shorten the windows")
        table.loc[inside, "split"] = name
    return table[table["split"] != ""].reset_index(drop=True)


def _ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def _iso(time: int) -> str:
    return datetime.fromtimestamp(time / 1000, UTC).strftime("%Y-%m-%d %H:%M")
