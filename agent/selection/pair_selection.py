"""Which pairs to trade: the library's screen on one formation window, and whether a pair still passes. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from agent.decision.pair_update import UpdateRules
from agent.selection.history import SymbolHistory
from agent.state.memory import filter_state
from perpfut_lib.acquire.bar_defects import halt_bars
from perpfut_lib.artifacts import ActivePair
from perpfut_lib.cointegration import engle_granger
from perpfut_lib.cointegration.scan import Screen, select
from perpfut_lib.cointegration.windows import LagRule, scan_windows
from perpfut_lib.config import CointegrationConfig, Profile
from perpfut_lib.errors import ArtifactError, DegenerateSeriesError, NoPairsError
from perpfut_lib.features import FeatureState, Pair, open_pair
from perpfut_lib.store.halts import halted_bars
from perpfut_lib.types import Float1D, Float2D, Json, JsonObject
from perpfut_lib.universe import daily_turnover

_NUMBERS: Final = ("alpha", "beta", "correlation", "stat", "pvalue", "spread_mean", "spread_std")


@dataclass(frozen=True)
class Span:
    """A trading window and the formation window before it, ms UTC."""

    start: int
    end: int
    formation: int
    """Length of the formation window."""

    @property
    def formation_start(self) -> int:
        """Return the open time of the first formation bar."""
        return self.start - self.formation


@dataclass(frozen=True)
class Screened:
    """Result of the screen."""

    rows: tuple[JsonObject, ...]
    """Selected pairs, best first: symbols and the numbers of their test."""
    tested: int
    """Pairs tested."""
    eligible: tuple[str, ...]
    """Symbols with a whole formation window and enough turnover in it."""


def trading_span(now: int, config: CointegrationConfig) -> Span:
    """Return the window that is traded from ``now`` on: to the end of the aligned window that ``now`` lies in."""
    end = (now // config.trading + 1) * config.trading
    return Span(now, end, config.formation)


def screen(histories: Mapping[str, SymbolHistory], span: Span, profile: Profile, timeframe: int) -> Screened:
    """Run the study's screen, eligibility included, on the formation window before ``span``.

    Raises
    ------
    DegenerateSeriesError
        The formation window is too short for the test.
    """
    config, closes = profile.cointegration, _eligible(histories, span, profile, timeframe)
    names = tuple(closes)
    if len(names) < 2:
        return Screened((), 0, names)
    log_prices = np.log(np.column_stack(list(closes.values())))
    stops, rule = np.array([len(log_prices)], np.int64), LagRule(config.maxlag, config.autolag)
    tests = scan_windows(log_prices, stops, len(log_prices), rule)
    chosen = select(tests, Screen.of(config))
    rows = [row | {"y": names[row["y"]], "x": names[row["x"]]} for row in chosen.to_dict("records")]
    return Screened(tuple(rows), len(tests) // 2, names)


def _eligible(
    histories: Mapping[str, SymbolHistory], span: Span, profile: Profile, timeframe: int
) -> dict[str, Float1D]:
    """Return closes of the symbols that the study would call eligible: whole, without a halt, and traded enough."""
    windows = {name: histories[name].window(span.formation_start, span.start, timeframe) for name in sorted(histories)}
    halt = profile.quality.halt
    present = {name: bars for name, bars in windows.items() if bars is not None}
    whole = {name: bars for name, bars in present.items() if not _halts(bars, halt, timeframe)}
    if not whole:
        return {}
    close, volume = (np.column_stack([bars[:, column] for bars in whole.values()]) for column in (4, 5))
    turnover = daily_turnover(close, volume, span.formation)
    traded = dict(zip(whole, turnover.tolist(), strict=True))
    return {name: bars[:, 4] for name, bars in whole.items() if traded[name] >= profile.universe.min_turnover}


def _halts(bars: Float2D, halt: int, timeframe: int) -> bool:
    """Return whether a symbol did not trade for ``halt`` ms or more; columns as in a history's window."""
    return halt > 0 and bool(halted_bars(bars[:, 2], bars[:, 3], bars[:, 5], halt_bars(halt, timeframe)).any())


def opened(
    row: Mapping[str, Json], histories: Mapping[str, SymbolHistory], span: Span, rules: UpdateRules
) -> ActivePair:
    """Return a selected pair with its features warmed on the formation window, up to the last bar but one.

    Raises
    ------
    ArtifactError
        A symbol's recursion does not reach that bar.
    """
    name, legs = f"{row['y']}~{row['x']}", (str(row["y"]), str(row["x"]))
    last = span.start - 2 * rules.timeframe
    if any(histories[symbol].state.time != last for symbol in legs):
        raise ArtifactError(f"recursions of {name} that stop early", f"the bar that opens at {last}", "refresh again")
    state = FeatureState(last, {symbol: histories[symbol].state.assets[symbol] for symbol in legs}, {})
    closes = _closes(histories, legs, span, rules.timeframe)
    numbers = {field: float(row[field]) for field in Pair._fields[:7]}
    times = {"formation_start": span.formation_start, "start": span.start, "end": span.end}
    pair = Pair(**numbers, **{field: float(time) for field, time in times.items()}, timeframe=float(rules.timeframe))
    state = open_pair(rules.spec, state, name, legs, pair, closes)
    settlements = {symbol: histories[symbol].settlements for symbol in legs}
    checked = min(histories[symbol].checked for symbol in legs)
    half_life = float(row["half_life"])
    return ActivePair(
        pair=name,
        y=legs[0],
        x=legs[1],
        rank=int(row["rank"]),
        lag=int(row["lag"]),
        **{field: float(row[field]) for field in _NUMBERS},
        half_life=half_life if math.isfinite(half_life) else None,
        pvalue_now=float(row["pvalue"]),
        filter_state=filter_state(state, settlements, checked, (float(closes[-1, 0]), float(closes[-1, 1]))),
    )


def retested(
    pair: ActivePair, histories: Mapping[str, SymbolHistory], now: int, config: CointegrationConfig, timeframe: int
) -> ActivePair:
    """Return a pair with the p-value of the latest formation length; 1 where it cannot be tested."""
    span = Span(now, now, config.formation)
    try:
        windows = [histories[symbol].window(span.formation_start, now, timeframe) for symbol in (pair.y, pair.x)]
        y, x = (np.log(bars[:, 4]) for bars in windows if bars is not None)
        found = engle_granger(y, x, maxlag=config.maxlag, autolag=config.autolag).pvalue
    except (KeyError, ValueError, DegenerateSeriesError):
        found = 1.0
    return pair.model_copy(update={"pvalue_now": found if math.isfinite(found) else 1.0})


def _closes(histories: Mapping[str, SymbolHistory], legs: tuple[str, str], span: Span, timeframe: int) -> Float2D:
    """Return closes of both legs over the formation window but its last bar, (n, 2)."""
    bars = [histories[symbol].window(span.formation_start, span.start, timeframe) for symbol in legs]
    if bars[0] is None or bars[1] is None:
        raise NoPairsError(f"{'/'.join(legs)} without a whole formation window", "all of its bars", "refresh first")
    return np.column_stack([bars[0][:-1, 4], bars[1][:-1, 4]])
