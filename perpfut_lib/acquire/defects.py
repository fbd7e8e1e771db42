"""Data that lie: the search over a whole market, and the decision about everything that is found."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from perpfut_lib.acquire.bar_defects import Defect, bar_defects
from perpfut_lib.acquire.funding_defects import funding_defects
from perpfut_lib.acquire.market import Market
from perpfut_lib.acquire.panel_defects import duplicates, shifts
from perpfut_lib.acquire.window import midnight
from perpfut_lib.config import DataConfig, QualityConfig, format_time
from perpfut_lib.errors import SuspectDataError

DEFECT_COLUMNS: Final = ("symbol", "kind", "time", "value", "detail", "done")
_DONE: Final = {"leave_out": "symbol left out", "report": "reported"}
_HALTED: Final = "no order is filled in it, and no formation window with it counts"


@dataclass(frozen=True)
class Examined:
    """A market after the search."""

    market: Market
    """Without the symbols that were left out."""
    defects: pd.DataFrame
    """One row per defect: ``symbol kind time`` (ms UTC) ``value detail done``, sorted by symbol and time."""
    left_out: Mapping[str, str]
    """Symbols that were left out, and why."""


def examine(market: Market, timeframe: int, data: DataConfig, config: QualityConfig) -> Examined:
    """Look for defects and decide about each as ``config`` says.

    Parameters
    ----------
    market : Market
        Checked candles and settlements.
    timeframe : int
        Length of a bar, ms.
    data : DataConfig
        Symbols that are asked for by name are never left out silently: they are refused.
    config : QualityConfig
        Limits and decisions.

    Raises
    ------
    SuspectDataError
        A defect is to be refused; it names symbol, time, value and the setting.
    """
    wanted = None if data.symbols == "auto" else set(data.symbols)
    dated = _within_dates(market, data)
    found = [defect for defect in find_defects(dated, timeframe, config) if wanted is None or defect.symbol in wanted]
    decided = [(defect, getattr(config, defect.kind)) for defect in found]
    refused = [d for d, decision in decided if decision == "refuse" or (decision == "leave_out" and wanted is not None)]
    if refused:
        raise _refusal(refused)
    out: dict[str, str] = {}
    for defect, decision in decided:
        if decision == "leave_out":
            out.setdefault(defect.symbol, f"out: {defect.kind} at {format_time(defect.time)}: {defect.detail}")
    rows = [(*vars(defect).values(), _done(defect, decision)) for defect, decision in decided]
    table = pd.DataFrame(rows, columns=list(DEFECT_COLUMNS))
    types = {"symbol": str, "kind": str, "time": np.int64, "value": np.float64, "detail": str, "done": str}
    table = table.astype(types).sort_values(["symbol", "time", "kind"], ignore_index=True)
    kept = {symbol: bars for symbol, bars in market.candles.items() if symbol not in out}
    return Examined(replace(market, candles=kept), table, out)


def _within_dates(market: Market, data: DataConfig) -> Market:
    """Return the part of a market inside the dates asked for: what lies outside is not used, whatever it is."""
    start = -math.inf if data.start == "auto" else midnight(data.start)
    end = math.inf if data.end == "auto" else midnight(data.end)
    if math.isinf(start) and math.isinf(end):
        return market

    def cut(tables: Mapping[str, pd.DataFrame], time: str) -> dict[str, pd.DataFrame]:
        parts = {symbol: table[(table[time] >= start) & (table[time] < end)] for symbol, table in tables.items()}
        return {symbol: part for symbol, part in parts.items() if len(part)}

    funding = None if market.funding is None else cut(market.funding, "funding_time")
    return replace(market, candles=cut(market.candles, "open_time"), funding=funding)


def find_defects(market: Market, timeframe: int, config: QualityConfig) -> list[Defect]:
    """Return every defect of a market's candles and settlements.

    Parameters
    ----------
    market : Market
        Checked candles and settlements.
    timeframe : int
        Length of a bar, ms.
    config : QualityConfig
        Limits; its decisions are not looked at, nothing is left out or refused.
    """
    found = [d for symbol, bars in market.candles.items() for d in bar_defects(symbol, bars, timeframe, config)]
    for symbol, settlements in (market.funding or {}).items():
        if symbol in market.candles:
            found += funding_defects(symbol, settlements, config)
    return [*found, *duplicates(market.candles), *shifts(market.candles, timeframe)]


def _done(defect: Defect, decision: str) -> str:
    return _HALTED if defect.kind == "halted" and decision == "report" else _DONE[decision]


def _refusal(refused: list[Defect]) -> SuspectDataError:
    first = refused[0]
    more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
    found = f"{first.symbol} at {format_time(first.time)}: {first.detail}{more}"
    remedy = f"mend the data, leave the symbol out, or set quality.{first.kind}=report to take them as they are"
    return SuspectDataError(found, f"data that pass quality.{first.kind}", remedy)
