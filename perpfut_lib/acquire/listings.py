"""Point-in-time listings: when a coin could be traded on Hyperliquid, and what its perpetual is called on Binance."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from perpfut_lib.acquire.grid import Span
from perpfut_lib.acquire.history import CANDLES, FUNDING, History
from perpfut_lib.config import project_root
from perpfut_lib.errors import MissingInputError, SchemaError
from perpfut_lib.types import HOUR_MS

SETTLEMENT_MS = HOUR_MS
"""Hyperliquid settles every hour: a coin counts as listed until an hour after its last settlement or bar."""


def match_names(coins: Iterable[str], symbols: Iterable[str], quote: str = "USDT") -> dict[str, str]:
    """Return Hyperliquid's coin by Binance's symbol, for those that both have.

    Hyperliquid marks contracts on a thousand units with a small k: ``kPEPE`` is ``1000PEPEUSDT``. Where Binance trades
    single units (``kNEIRO`` and ``NEIROUSDT``) the pair matches too: returns do not know the unit.
    """
    listed, found = set(symbols), {}
    for coin in sorted(coins):
        thousand = coin[1:] if coin[:1] == "k" and coin[1:].isupper() else None
        names = [f"{coin}{quote}"] if thousand is None else [f"1000{thousand}{quote}", f"{thousand}{quote}"]
        symbol = next((name for name in names if name in listed), None)
        if symbol is not None and symbol not in found:
            found[symbol] = coin
    return found


def read_listings(path: Path) -> dict[str, Span]:
    """Return when each coin was listed, as the data tell: from its first to its last bar or settlement.

    Parameters
    ----------
    path : Path
        A file of Hyperliquid candles or funding rates (schema in ``data/README.md``), or a folder of downloads such as
        ``data/hyperliquid/1h``; relative to the project's root.

    Returns
    -------
    dict of str to Span
        By coin. What lies before the data begin is unknown and counts as not listed.

    Raises
    ------
    MissingInputError, SchemaError
        There is nothing at ``path``, or it is neither.
    """
    from perpfut_lib.acquire.files import read_table

    full = project_root() / path.expanduser()
    if full.is_dir():
        return _from_history(full)
    if not full.is_file():
        raise MissingInputError(f"no file or folder {full}", "Hyperliquid's history", "check universe.hyperliquid")
    time = "open_time" if "open_time" in _columns(full) else "funding_time"
    held = read_table(full, ("symbol", time))[0].groupby("symbol", observed=True)[time].agg(["min", "max"])
    return {str(row.Index): Span(int(row.min), int(row.max) + SETTLEMENT_MS) for row in held.itertuples()}


def listed_spans(symbols: Iterable[str], path: Path) -> dict[str, list[Span]]:
    """Return the spans in which Binance's ``symbols`` were on Hyperliquid too; none for those that never were."""
    coins = read_listings(path)
    symbols = tuple(symbols)
    names = match_names(coins, symbols)
    return {symbol: [coins[names[symbol]]] if symbol in names else [] for symbol in symbols}


def _columns(path: Path) -> Mapping[str, object] | list[str]:
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet

        return list(pa.parquet.read_schema(path).names)
    if path.suffix == ".csv":
        return list(pd.read_csv(path, nrows=0).columns)
    return list(pd.read_feather(path).columns)


def _from_history(root: Path) -> dict[str, Span]:
    history = History(root)
    spans: dict[str, Span] = {}
    for series in (CANDLES, FUNDING):
        for symbol in history.symbols(series):
            held = history.span(series, symbol)
            if held is not None:
                before = spans.get(symbol, Span(*held))
                spans[symbol] = Span(min(before.start, held[0]), max(before.end, held[1] + SETTLEMENT_MS))
    if not spans:
        raise SchemaError(f"no downloads in {root}", "candles/ or funding/ with symbols", "check universe.hyperliquid")
    return spans
