"""Checks that one symbol's candles and settlements pass before anything is written."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from perpfut_lib.acquire.market import BAR_COLUMNS, SETTLEMENT_COLUMNS
from perpfut_lib.config import format_time
from perpfut_lib.errors import DuplicateBarError, FundingError, PriceError
from perpfut_lib.types import MINUTE_MS, PRICE_COLUMNS, Bool1D


def by_symbol(tables: Sequence[pd.DataFrame], time: str) -> dict[str, pd.DataFrame]:
    """Split long tables into one a symbol, sorted by symbol and by the column ``time``.

    Parameters
    ----------
    tables : sequence of DataFrame
        Each with a categorical ``symbol`` column and the same other columns.
    time : str
        Name of the time column.

    Returns
    -------
    dict of str to DataFrame
        Without the ``symbol`` column; each with a fresh index.
    """
    symbols = sorted({name for table in tables for name in table["symbol"].cat.categories})
    code = {name: number for number, name in enumerate(symbols)}
    whole = pd.concat([table.drop(columns="symbol") for table in tables], ignore_index=True)
    codes = np.concatenate(
        [np.array([code[name] for name in t["symbol"].cat.categories])[t["symbol"].cat.codes] for t in tables]
    )
    order = np.lexsort((whole[time].to_numpy(), codes))
    whole, codes = whole.take(order), codes[order]
    edges = np.searchsorted(codes, np.arange(len(symbols) + 1))
    parts = (whole.iloc[edges[k] : edges[k + 1]].reset_index(drop=True) for k in range(len(symbols)))
    return dict(zip(symbols, parts, strict=True))


def check_bars(symbol: str, bars: pd.DataFrame) -> pd.DataFrame:
    """Return one symbol's bars as they are, if each is unique, finite, positive and free of contradictions.

    Parameters
    ----------
    symbol : str
        Named in messages.
    bars : DataFrame
        Columns ``open_time open high low close volume``, sorted by time.

    Raises
    ------
    DuplicateBarError
        A time stamp occurs more than once.
    PriceError
        A price is NaN, infinite, zero or negative, a volume is NaN, infinite or negative, or high and low do not
        enclose the other prices.
    """
    _check_unique(symbol, bars)
    for name in (*PRICE_COLUMNS, "volume"):
        values = bars[name].to_numpy()
        bad = ~np.isfinite(values) | ((values < 0) if name == "volume" else (values <= 0))
        least = "a finite volume of zero or more" if name == "volume" else "a finite price above zero"
        if bad.any():
            raise _price_error(symbol, bars, bad, (name,), least)
    high, low = bars["high"].to_numpy(), bars["low"].to_numpy()
    for name in ("open", "close", "low"):
        bad = high < bars[name].to_numpy()
        if bad.any():
            raise _price_error(symbol, bars, bad, ("high", name), f"high at or above {name}")
    for name in ("open", "close"):
        bad = low > bars[name].to_numpy()
        if bad.any():
            raise _price_error(symbol, bars, bad, ("low", name), f"low at or below {name}")
    return bars.loc[:, list(BAR_COLUMNS)]


def check_settlements(symbol: str, settlements: pd.DataFrame) -> pd.DataFrame:
    """Return one symbol's settlements with times rounded down to the minute and the jitter beside them.

    Parameters
    ----------
    symbol : str
        Named in messages.
    settlements : DataFrame
        Columns ``funding_time funding_rate``, sorted by time. Exchanges stamp settlements up to 20 ms late.

    Raises
    ------
    FundingError
        A rate is not finite or not a fraction below 1, or a settlement occurs twice.
    """
    time, rate = settlements["funding_time"].to_numpy(), settlements["funding_rate"].to_numpy()
    bad = ~(np.abs(rate) < 1)
    if bad.any():
        row = int(bad.argmax())
        found = f"funding rate {rate[row]} of {symbol} at {format_time(int(time[row]))}{_more(bad)}"
        raise FundingError(found, "a finite fraction of notional between -1 and 1", "mend or drop the rows")
    minute = time // MINUTE_MS * MINUTE_MS
    again = np.flatnonzero(np.diff(minute) == 0)
    if len(again):
        found = (
            f"{len(again) + 1} settlements of {symbol} that share a minute, first {format_time(int(time[again[0]]))}"
        )
        raise FundingError(found, "one rate per settlement", "drop the duplicates")
    columns = dict(zip(SETTLEMENT_COLUMNS, (minute, rate, time - minute), strict=True))
    return pd.DataFrame(columns)


def _check_unique(symbol: str, bars: pd.DataFrame) -> None:
    time = bars["open_time"].to_numpy()
    again = np.flatnonzero(np.diff(time) == 0)
    if len(again):
        where = format_time(int(time[again[0]]))
        found = f"{len(again)} duplicated bars of {symbol}, the first at {where}"
        raise DuplicateBarError(found, "one bar per symbol and time", "drop the duplicates")


def _price_error(symbol: str, bars: pd.DataFrame, bad: Bool1D, names: Sequence[str], expected: str) -> PriceError:
    """Return an error that names the symbol, the first bad bar's time and the values in question."""
    row = bars.iloc[int(bad.argmax())]
    values = ", ".join(f"{name} {float(row[name]):g}" for name in names)
    found = f"{symbol} at {format_time(int(row['open_time']))} with {values}{_more(bad)}"
    return PriceError(found, expected, "mend or drop the bar")


def _more(bad: Bool1D) -> str:
    others = int(bad.sum()) - 1
    return f" (and {others} more)" if others else ""
