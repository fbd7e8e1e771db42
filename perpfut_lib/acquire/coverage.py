"""When each symbol can be used: its candles, its funding rates and its listing elsewhere, as spans of time."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from perpfut_lib.acquire.grid import Span, covered_spans, funded_spans, gap_error, gaps, intersect
from perpfut_lib.acquire.listings import listed_spans
from perpfut_lib.acquire.market import Market
from perpfut_lib.config import DataConfig, UniverseConfig, format_time
from perpfut_lib.errors import FundingError
from perpfut_lib.types import Int1D

Spans = Mapping[str, list[Span]]


@dataclass(frozen=True)
class Coverage:
    """The spans of every symbol that was asked for, on the candles' grid."""

    traded: Spans
    """Where candles have no hole beyond ``max_gap_bars``."""
    funded: Spans | None
    """Where funding rates are there; None if they are not required."""
    listed: Spans | None
    """Where Hyperliquid lists the symbol too; None if that does not matter."""
    usable: Spans
    """Where all of it holds."""

    def reason(self, symbol: str, window: Span) -> str:
        """Return why a symbol is not usable throughout a window."""
        parts = (("candles", self.traded), ("funding rates", self.funded), ("Hyperliquid's listing", self.listed))
        for name, spans in parts:
            if spans is not None and not any(span.within(window.start, window.end) for span in spans[symbol]):
                verb = "does" if name.endswith("listing") else "do"
                return f"{name} {verb} not cover the window ({spans_text(spans[symbol])})"
        return f"usable only {spans_text(self.usable[symbol])}"


def coverage_of(
    market: Market, times: Mapping[str, Int1D], timeframe: int, data: DataConfig, universe: UniverseConfig
) -> Coverage:
    """Return the spans in which each symbol can be used.

    Parameters
    ----------
    market : Market
        For its funding.
    times : mapping of str to array
        Open times by symbol, sorted, within the dates asked for.
    timeframe : int
        Length of a bar, ms.
    data, universe : DataConfig, UniverseConfig
        What is allowed and required.

    Raises
    ------
    GapError
        A symbol has a hole (``gaps: error``).
    FundingError
        A symbol asked for has no funding rates, or none has.
    """
    symbols = tuple(times)
    traded = {symbol: _traded(symbol, time, timeframe, data) for symbol, time in times.items()}
    required = market.funding is not None and universe.require_funding
    funded = _funded(market.funding, symbols, data) if required and market.funding is not None else None
    listed = listed_spans(symbols, universe.hyperliquid) if universe.hyperliquid is not None else None
    usable = dict(traded)
    for spans in (funded, listed):
        if spans is not None:
            usable = {symbol: intersect(usable[symbol], spans[symbol]) for symbol in symbols}
    on_grid = {symbol: [_aligned(span, timeframe) for span in usable[symbol]] for symbol in symbols}
    return Coverage(traded, funded, listed, {s: [x for x in on_grid[s] if x.start < x.end] for s in symbols})


def spans_text(spans: list[Span]) -> str:
    """Return what spans cover, in words."""
    shown = [f"{format_time(span.start)} to {format_time(span.end)}" for span in spans[:3]]
    more = f" and {len(spans) - 3} more" if len(spans) > 3 else ""
    return (", ".join(shown) + more) or "nothing"


def _aligned(span: Span, timeframe: int) -> Span:
    """Return the part of a span that whole bars fill."""
    return Span(-(-span.start // timeframe) * timeframe, span.end // timeframe * timeframe)


def _traded(symbol: str, time: Int1D, timeframe: int, data: DataConfig) -> list[Span]:
    """Return the spans that a symbol's candles cover; holes are an error unless they are to be avoided."""
    holes = gaps(time, timeframe, data.max_gap_bars)
    if holes and data.gaps == "error":
        raise gap_error(symbol, holes, timeframe, data.max_gap_bars)
    return covered_spans(time, timeframe, data.max_gap_bars) if len(time) else []


def _funded(funding: Mapping[str, pd.DataFrame], symbols: tuple[str, ...], data: DataConfig) -> dict[str, list[Span]]:
    allowed = data.max_missing_settlements
    spans = {s: funded_spans(funding[s]["funding_time"].to_numpy(), allowed) if s in funding else [] for s in symbols}
    absent = [symbol for symbol in symbols if not spans[symbol]]
    if len(absent) == len(symbols) or (absent and data.symbols != "auto"):
        found = f"no funding rates of {', '.join(absent[:10])}"
        expected = "funding rates of every symbol asked for" if data.symbols != "auto" else "those of some symbol"
        remedy = "check data.funding, set universe.require_funding=false, or data.funding=none to pay no funding"
        raise FundingError(found, expected, remedy)
    return spans
