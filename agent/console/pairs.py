"""Pairs over time: spread, its bands, z-score and trades, from the selection and the signals that followed."""

import math
from collections.abc import Sequence
from typing import Final, TypeVar

from agent.console.reading import Reading
from perpfut_lib.artifacts import ActivePair
from perpfut_lib.types import JsonObject

Row = TypeVar("Row")
POINTS: Final = 720
"""Most points of one curve."""
BAND: Final = 2.0
"""Half-width of the band that is drawn, standard deviations of the formation window."""


def pair_views(reading: Reading, signals: Sequence[JsonObject]) -> list[JsonObject]:
    """Return every active pair with its parameters, its present z-score and its curves."""
    selected = reading.pairs.document
    if selected is None:
        return []
    recent = [row for row in signals if row["bar_close"] >= selected.valid_from]
    return [_view(pair, recent, reading.marks.get(pair.pair)) for pair in selected.pairs]


def thin(rows: Sequence[Row], most: int = POINTS) -> list[Row]:
    """Return at most so many of the rows, evenly spaced, the last one always among them."""
    step = max(1, math.ceil(len(rows) / most))
    return list(rows[::-1][::step][::-1])


def _view(pair: ActivePair, signals: Sequence[JsonObject], marks: tuple[float, float] | None) -> JsonObject:
    rows = [(signal, report) for signal in signals for report in signal["pairs"] if report["pair"] == pair.pair]
    last = rows[-1][1] if rows else None
    curve = [_point(pair, signal["bar_close"], report) for signal, report in thin(rows)]
    return {
        "pair": pair.pair,
        "rank": pair.rank,
        "beta": pair.beta,
        "correlation": pair.correlation,
        "pvalue": pair.pvalue,
        "pvalue_now": pair.pvalue_now,
        "half_life": pair.half_life,
        "mean": pair.spread_mean,
        "std": pair.spread_std,
        "band": BAND,
        "z": curve[-1][2] if marks is None and curve else _z(pair, marks),
        "status": last["status"] if last else None,
        "action": last["action"] if last else None,
        "reasons": last["reasons"] if last else [],
        "curve": curve,
        "trades": _trades(rows),
    }


def _point(pair: ActivePair, time: int, report: JsonObject) -> list[float | None]:
    """Return time, spread, z-score and the weight of leg y; gaps where the signal named no prices."""
    y, x = report["legs"]
    if y is None or x is None:
        return [time, None, None, 0.0]
    spread = _spread(pair, y[1], x[1])
    return [time, spread, (spread - pair.spread_mean) / pair.spread_std, y[0]]


def _trades(rows: Sequence[tuple[JsonObject, JsonObject]], most: int = 50) -> list[JsonObject]:
    """Return the latest changes of the target of leg y, newest first."""
    found, before = [], 0.0
    for signal, report in rows:
        weight = report["legs"][0][0] if report["legs"][0] else 0.0
        if weight != before:
            found.append({"time": signal["bar_close"], "from": before, "to": weight, "reasons": report["reasons"]})
        before = weight
    return found[: -most - 1 : -1]


def _z(pair: ActivePair, marks: tuple[float, float] | None) -> float | None:
    return None if marks is None else (_spread(pair, *marks) - pair.spread_mean) / pair.spread_std


def _spread(pair: ActivePair, price_y: float, price_x: float) -> float:
    return math.log(price_y) - pair.alpha - pair.beta * math.log(price_x)
