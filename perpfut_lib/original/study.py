"""One recorded period through the original policies: results by its rules and by correct ones, and Shapley values."""

from collections.abc import Sequence
from itertools import chain, combinations
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from perpfut_lib.cointegration.scan import Screen, select
from perpfut_lib.cointegration.seed_rules import with_seed_faults
from perpfut_lib.cointegration.windows import LagRule, scan_windows
from perpfut_lib.config import CointegrationConfig
from perpfut_lib.errors import NoPairsError
from perpfut_lib.original.features import Relation, leg_features, pair_features
from perpfut_lib.original.policy import DAY_BARS, REGIMES, OriginalPolicy, decide_days
from perpfut_lib.original.rules import CORRECTIONS, LEGS, Rules, account
from perpfut_lib.original.shapley import shapley_values
from perpfut_lib.progress import track
from perpfut_lib.statistics import Interval, total_interval
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import DAY_MS, MINUTE_MS, Float1D, Float2D, Float32, Int1D, JsonObject

FORMATION: Final = 3 * DAY_BARS
NONE: Final[frozenset[str]] = frozenset()
ALL: Final = frozenset(CORRECTIONS)
LATE_BARS: Final = 1
FEES_BPS: Final = tuple(REGIMES.values())
RELATION: Final = ("alpha", "beta", "correlation", "pvalue", "spread_mean", "spread_std")


class _Decided(NamedTuple):
    """Pair-days of one screen in the study's order, and a policy's actions on them, carried over or not."""

    pair_days: pd.DataFrame
    actions: dict[bool, Float2D]


def run_study(panel: Panel, policies: Sequence[OriginalPolicy]) -> JsonObject:
    """Return what the policies earn on a panel of one-minute candles.

    Parameters
    ----------
    panel : Panel
        Whole days are used that have three days before them; none of them may have been seen in training.
    policies : sequence of OriginalPolicy
        The three of the study.

    Returns
    -------
    dict
        ``start``, ``end`` (ISO dates), ``days``, ``policies``: one entry per policy with its results by the study's
        rules and by correct ones at each fee, the ladder, and Shapley values in log points with t intervals over days.

    Raises
    ------
    NoPairsError
        Nothing passes the study's screen, or no day has three days before it.
    """
    windows = _windows(panel)
    screens = {made: _pair_days(panel, windows, made) for made in _subsets(("correlation", "critical"))}
    features = {made: _features(panel, days) for made, days in screens.items()}
    entries = []
    for policy in track(policies, label="original policies", unit="policy"):
        decided = {made: _decided(policy, days, features[made]) for made, days in screens.items()}
        entries.append(_entry(panel, windows, policy, decided))
    dates = [str(np.datetime64(int(time), "ms").astype("datetime64[D]")) for time in (windows[0], windows[-1])]
    return {
        "start": dates[0],
        "end": dates[1],
        "days": len(windows),
        "symbols": list(panel.symbols),
        "pair_days": {"+".join(sorted(made)) or "original": len(days) for made, days in screens.items()},
        "policies": entries,
    }


def _decided(policy: OriginalPolicy, pair_days: pd.DataFrame, features: Float32) -> _Decided:
    return _Decided(pair_days, {flag: decide_days(policy, features, carried=flag) for flag in (True, False)})


def _entry(panel: Panel, windows: Int1D, policy: OriginalPolicy, decided: dict[frozenset[str], _Decided]) -> JsonObject:
    def growth(made: frozenset[str], fee: float, latency: int = 0) -> Float1D:
        chosen = decided[made & {"correlation", "critical"}]
        actions = chosen.actions["calendar" not in made]
        return account(panel, chosen.pair_days, actions, windows, Rules(made, fee, latency)).growth

    worth = {made: growth(made, policy.fee_bps) for made in _subsets(tuple(CORRECTIONS))}
    values = shapley_values(worth, tuple(CORRECTIONS))
    rungs = [frozenset(list(CORRECTIONS)[:number]) for number in range(len(CORRECTIONS) + 1)]
    original = decided[NONE]
    turnover = account(panel, original.pair_days, original.actions[True], windows, Rules(NONE, 0.0)).turnover
    return {
        "policy": policy.name,
        "fee_bps": policy.fee_bps,
        "sha256": policy.sha256,
        "turnover_per_day": turnover,
        "action_mean": float(original.actions[True].mean()),
        "original_rules": [_result(growth(NONE, fee), fee) for fee in FEES_BPS],
        "correct_rules": [_result(growth(ALL, fee), fee) for fee in FEES_BPS],
        "correct_rules_late": [_result(growth(ALL, fee, LATE_BARS), fee) for fee in FEES_BPS],
        "ladder": [_result(worth[made], policy.fee_bps) for made in rungs],
        "shapley": {name: _interval(total_interval(value)) for name, value in zip(CORRECTIONS, values, strict=True)},
    }


def _result(growth: Float1D, fee: float) -> dict[str, float]:
    """Return the compounded return with its t interval, from daily log growth."""
    return {"fee_bps": fee} | {
        name: float(np.expm1(value)) for name, value in _interval(total_interval(growth)).items()
    }


def _interval(interval: Interval) -> dict[str, float]:
    return {"estimate": interval.estimate, "lower": interval.lower, "upper": interval.upper}


def _subsets(players: tuple[str, ...]) -> list[frozenset[str]]:
    sized = (combinations(players, size) for size in range(len(players) + 1))
    return [frozenset(chosen) for chosen in chain.from_iterable(sized)]


def _windows(panel: Panel) -> Int1D:
    """Return the start of every whole UTC day with three days before it and two bars after it."""
    first = -(-int(panel.open_time[0]) // DAY_MS) * DAY_MS + 3 * DAY_MS
    last = int(panel.open_time[-1]) - 2 * MINUTE_MS - DAY_MS
    windows = np.arange(first, last, DAY_MS, dtype=np.int64)
    if panel.timeframe != MINUTE_MS or not len(windows):
        found = f"{len(panel.open_time)} bars of {panel.timeframe // MINUTE_MS} minutes"
        raise NoPairsError(found, "four whole days of one-minute bars", "use recorded minutes")
    return windows


def _pair_days(panel: Panel, windows: Int1D, made: frozenset[str]) -> pd.DataFrame:
    """Return the pair-days that the study's screen chooses, in its order: pair by pair, day by day."""
    config = CointegrationConfig(
        direction="listed",
        correlation="formation" if "correlation" in made else "whole",
        critical="engle-granger" if "critical" in made else "dickey-fuller",
        fdr=None,
        min_correlation=0.85,
        max_pvalue=0.05,
        top=5,
    )
    stops = np.array([panel.row(int(start)) for start in windows], np.int64)
    tests = scan_windows(np.log(panel.close), stops, FORMATION, LagRule())
    chosen = select(with_seed_faults(tests, panel, config), Screen.of(config))
    if chosen.empty:
        raise NoPairsError("no pair that passes the study's screen", "at least one", "use another period")
    whole = np.isfinite(panel.close) & np.isfinite(panel.open)
    rows = stops[chosen["window"].to_numpy()]
    legs = chosen[["y", "x"]].to_numpy()
    traded = np.array([whole[row : row + DAY_BARS + 3, pair].all() for row, pair in zip(rows, legs, strict=True)])
    names = np.array(panel.symbols)
    table = chosen.assign(start=windows[chosen["window"]], y=names[legs[:, 0]], x=names[legs[:, 1]])[traded]
    return table.sort_values(["y", "x", "start"], ignore_index=True)


def _features(panel: Panel, pair_days: pd.DataFrame) -> Float32:
    """Return the features of every pair-day, (E, 1440, 32)."""
    legs: dict[tuple[str, int], Float2D] = {}
    out = np.empty((len(pair_days), DAY_BARS, 32), np.float32)
    for number, row in enumerate(pair_days.to_dict("records")):
        day = slice(panel.row(row["start"]), panel.row(row["start"]) + DAY_BARS)
        close = {leg: panel.close[day, panel.column(row[leg])] for leg in LEGS}
        relation = Relation(*(row[name] for name in RELATION))
        for leg in LEGS:
            if (row[leg], row["start"]) not in legs:
                funding = _funding(panel, row[leg], panel.open_time[day])
                legs[row[leg], row["start"]] = leg_features(close[leg], *funding)
        parts = [legs[row[leg], row["start"]] for leg in LEGS]
        out[number] = np.hstack([pair_features(close["y"], close["x"], relation), *parts])
    return out


def _funding(panel: Panel, symbol: str, times: Int1D) -> tuple[Float1D, Float1D]:
    """Return the last settled rate and the whole minutes to the next settlement at ``times``; NaN before the first."""
    if symbol not in panel.funding:
        return np.full(len(times), np.nan), np.full(len(times), np.nan)
    events = panel.funding[symbol]
    stamps = (events.time + MINUTE_MS // 2) // MINUTE_MS * MINUTE_MS
    last = np.searchsorted(stamps, times, side="right") - 1
    interval = stamps[-1] - stamps[-2] if len(stamps) > 1 else 8 * 60 * MINUTE_MS
    following = np.append(stamps[1:], stamps[-1] + interval)
    known = last >= 0
    rate = np.where(known, events.rate[np.maximum(last, 0)], np.nan)
    left = np.where(known, (following[np.maximum(last, 0)] - times) // MINUTE_MS, np.nan)
    return rate, left
