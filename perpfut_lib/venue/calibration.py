"""How like a real market the simulated one is: the same statistics of both, side by side."""

import itertools
from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from statsmodels.tsa.stattools import coint

from perpfut_lib.errors import SchemaError
from perpfut_lib.types import CANDLE_COLUMNS, DAY_MS, FUNDING_COLUMNS, HOUR_MS

YEAR_MS: Final = 365 * DAY_MS
FORMATION_DAYS: Final = 3
MIN_CORRELATION: Final = 0.85
MAX_PVALUE: Final = 0.05
LAGS: Final = 5  # of the augmented Dickey-Fuller regression, fixed to keep the comparison quick


def market_statistics(candles: pd.DataFrame, funding: pd.DataFrame, *, tests: int = 200, seed: int = 0) -> pd.Series:
    """Return statistics of a market, medians over its symbols where nothing else is said.

    Parameters
    ----------
    candles, funding : DataFrame
        Columns of perpfut_lib.types; only bars that every symbol has are used, and funding within their span.
    tests : int
        Number of Engle-Granger tests, drawn without replacement from all pairs and three-day windows.
    seed : int
        Its seed.

    Returns
    -------
    Series
        Named statistics; NaN where the sample is too short for one.

    Raises
    ------
    SchemaError
        A column is missing, or the symbols share fewer than three days.

    Notes
    -----
    Volatility is annualised with 365 days. The null hypothesis of each test is that the pair is not cointegrated.
    """
    _check(candles, CANDLE_COLUMNS)
    _check(funding, FUNDING_COLUMNS)
    close, volume, width = (_table(candles, name) for name in ("close", "volume", "range"))
    timeframe = int(np.diff(close.index.to_numpy()).min()) if len(close) > 1 else 0
    if timeframe == 0 or len(close) * timeframe < FORMATION_DAYS * DAY_MS:
        raise SchemaError(f"{len(close)} common bars", "at least three days of them", "choose symbols that overlap")
    log_price = np.log(close)
    values = {
        **_returns(log_price.diff().iloc[1:], timeframe),
        **_bars(log_price.diff().iloc[1:], width.iloc[1:], volume.iloc[1:]),
        **_pairs(log_price, FORMATION_DAYS * DAY_MS // timeframe, tests, np.random.default_rng(seed)),
        **_funding(funding, close, timeframe),
    }
    return pd.Series(values, dtype=np.float64)


def side_by_side(markets: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]], *, tests: int = 200) -> pd.DataFrame:
    """Return :func:`market_statistics` of several markets, one column each, given as name: (candles, funding)."""
    columns = {name: market_statistics(*frames, tests=tests) for name, frames in markets.items()}
    return pd.DataFrame(columns).rename_axis(index="statistic")


def complete_symbols(candles: pd.DataFrame, start: int, end: int) -> pd.DataFrame:
    """Return the bars that open within [start, end), ms UTC, of the symbols that have the most of them there."""
    inside = candles[candles["open_time"].between(start, end - 1)]
    bars = inside["symbol"].astype(str).map(inside["symbol"].astype(str).value_counts())
    return inside[bars == bars.max()]


def _check(frame: pd.DataFrame, columns: tuple[str, ...]) -> None:
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise SchemaError(f"no column {', '.join(missing)}", f"columns {', '.join(columns)}", "check the files")


def _table(candles: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return one column as a table of times and symbols, on the bars that all symbols have."""
    if name == "range":
        candles = candles.assign(range=np.log(candles["high"] / candles["low"]))
    table = candles.pivot(index="open_time", columns="symbol", values=name)
    return table.rename(columns=str).dropna()


def _returns(returns: pd.DataFrame, timeframe: int) -> dict[str, float]:
    size = returns.abs()
    volatility = returns.std() * np.sqrt(YEAR_MS / timeframe)
    day = DAY_MS // timeframe
    return {
        "volatility, 1st decile": float(volatility.quantile(0.1)),
        "volatility, median": float(volatility.median()),
        "volatility, 9th decile": float(volatility.quantile(0.9)),
        "excess kurtosis of returns": float(returns.kurt().median()),
        "autocorrelation of returns, lag 1": _autocorrelation(returns, 1),
        "autocorrelation of |returns|, lag 1": _autocorrelation(size, 1),
        "autocorrelation of |returns|, lag 60": _autocorrelation(size, 60),
        "autocorrelation of |returns|, one day": _autocorrelation(size, day),
    }


def _autocorrelation(table: pd.DataFrame, lag: int) -> float:
    if lag >= len(table) - 1:
        return float("nan")
    return float(table.apply(lambda column: column.autocorr(lag)).median())


def _bars(returns: pd.DataFrame, width: pd.DataFrame, volume: pd.DataFrame) -> dict[str, float]:
    traded = np.log(volume.where(volume > 0))
    size = returns.abs()
    linked = [traded[name].corr(size[name]) for name in traded.columns]
    return {
        "high-low range over |return|": float((width.mean() / size.mean()).median()),
        "bars without volume": float((volume == 0).mean().median()),
        "deviation of log volume": float(traded.std().median()),
        "correlation of log volume and |return|": float(np.median(linked)),
    }


def _pairs(log_price: pd.DataFrame, window: int, tests: int, rng: np.random.Generator) -> dict[str, float]:
    returns = log_price.diff().iloc[1:]
    upper = np.triu_indices(len(log_price.columns), 1)
    starts = range(0, len(log_price) - window + 1, window)
    levels = [np.corrcoef(log_price.to_numpy()[k : k + window].T)[upper] for k in starts]
    choices = list(itertools.product(starts, itertools.combinations(log_price.columns, 2)))
    picked = rng.permutation(len(choices))[:tests]
    passed = [_passes(log_price.iloc[choices[k][0] :][:window], *choices[k][1]) for k in picked]
    correlations = np.concatenate(levels)
    return {
        "correlation of returns, median": float(np.median(returns.corr().to_numpy()[upper])),
        "correlation of log prices over 3 days, median": float(np.median(correlations)),
        "pairs correlated at least 0.85": float((correlations >= MIN_CORRELATION).mean()),
        "pairs that pass Engle-Granger at 5 %": float(np.mean(passed)),
    }


def _passes(window: pd.DataFrame, y: str, x: str) -> bool:
    return bool(coint(window[y], window[x], maxlag=LAGS, autolag=None)[1] <= MAX_PVALUE)


def _funding(funding: pd.DataFrame, close: pd.DataFrame, timeframe: int) -> dict[str, float]:
    """Return statistics of funding, put on eight hours."""
    inside = funding["funding_time"].between(close.index[0], close.index[-1] + timeframe)
    chosen = funding[inside & funding["symbol"].astype(str).isin(close.columns)]
    parts = [_on_eight_hours(rows) for _, rows in chosen.groupby("symbol", observed=True) if len(rows) > 1]
    if not parts:
        return {}
    rates = pd.concat(parts)
    quantiles = rates.groupby("symbol", observed=True)["rate"]
    return {
        "funding per 8 h, mean (bps)": 1e4 * float(quantiles.mean().median()),
        "funding per 8 h, deviation (bps)": 1e4 * float(quantiles.std().median()),
        "funding per 8 h, 1st quartile (bps)": 1e4 * float(quantiles.quantile(0.25).median()),
        "funding per 8 h, median (bps)": 1e4 * float(quantiles.quantile(0.5).median()),
        "funding at the interest rate": float((rates["rate"].round(6) == 1e-4).mean()),
        "symbols not settled every 8 h": float((rates.groupby("symbol", observed=True)["hours"].median() != 8).mean()),
    }


def _on_eight_hours(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.sort_values("funding_time")
    hours = (rows["funding_time"].diff().bfill() / HOUR_MS).round().clip(lower=1)
    return pd.DataFrame(
        {"symbol": rows["symbol"].astype(str), "hours": hours, "rate": rows["funding_rate"] * 8 / hours}
    )
