"""Agents and rules across periods for readers: the table, the sentences, and the points of the frontier's figure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from perpfut_lib import statistics
from perpfut_lib.artifacts import list_published, read_published
from perpfut_lib.evaluate.fresh_worlds import AGENT
from perpfut_lib.frontier.sums import BPS_PER_UNIT
from perpfut_lib.report.style import bounds, decimals
from perpfut_lib.statistics import Interval
from perpfut_lib.types import Float1D, Json, JsonObject

FOLDER: Final = "across"
MINUTES: Final = "minutes"
UNPUBLISHED: Final = "*Training across periods is not published yet.*"
NO_TRADE: Final = "no trade"
LEAST_TRADED: Final = 1.0
"""Notional, in equities over all days, below which a break-even cost is not shown."""


@dataclass(frozen=True)
class Pooled:
    """One policy at one fee and delay, all periods together; intervals are Student's over trading windows."""

    policy: str
    fee_bps: float
    delay: int
    days: int
    gain: Interval
    """Compounded net return."""
    break_even: Interval
    """Basis points per side; NaN where next to nothing was traded."""
    traded_per_day: float
    """Notional over equity."""
    holding_bars: float
    utility: Interval
    """Own objective less that of doing nothing, basis points per pair-day."""
    periods: Mapping[str, float]
    """Net return by period."""
    traded_in: tuple[str, ...]
    """Periods in which it traded at all."""

    @property
    def shows(self) -> bool:
        """Whether a gain shows: its interval lies above zero, and more than one period was traded in."""
        return self.gain.lower > 0.0 and len(self.traded_in) > 1


def published_across(name: str = MINUTES) -> JsonObject:
    """Return a published study, or an empty one."""
    place = f"{FOLDER}/{name}"
    return dict(read_published(place)) if place in list_published(FOLDER) else {}


def pooled_rows(content: Mapping[str, Json]) -> Iterator[Pooled]:
    """Yield every policy, fee and delay of a study, all periods together."""
    table = pd.DataFrame(content["rows"])
    pair_days = sum(one["pair_days"] for one in content["periods"].values())
    for (fee, delay), group in table.groupby(["fee_bps", "delay"], sort=False):
        for name, own in group.groupby("policy", sort=False):
            utility = _joined(own, "utility_bps")
            yield Pooled(
                policy=str(name),
                fee_bps=float(fee),
                delay=int(delay),
                days=len(utility),
                gain=statistics.return_interval(_joined(own, "return")),
                break_even=_break_even(own),
                traded_per_day=float(_joined(own, "traded").mean()),
                holding_bars=float(own["holding_bars"].astype(float).mean()),
                utility=_per_pair_day(utility, pair_days),
                periods={row.left_out: float(np.prod(1.0 + np.array(row.series)) - 1.0) for row in _by_period(own)},
                traded_in=tuple(row.left_out for row in _by_period(own) if sum(row.traded) > 0.0),
            )


def trained_across(content: Mapping[str, Json] | None = None) -> dict[float, Pooled]:
    """Return the agents' results by fee at the delay that they were trained for; none where nothing is published."""
    content = published_across() if content is None else content
    if not content:
        return {}
    rows = (row for row in pooled_rows(content) if row.policy == AGENT and row.delay == content["latency"])
    return {row.fee_bps: row for row in rows}


def across_table(content: Mapping[str, Json] | None = None) -> pd.DataFrame:
    """Return agents and tuned rules by fee at the delay that they were fitted for; intervals at 95 %."""
    content = published_across() if content is None else content
    rows = [row for row in pooled_rows(content) if row.delay == content["latency"]] if content else []
    short = {name: f"{name.removeprefix('real-1m-')} (%)" for name in content.get("periods", {})}
    table = pd.DataFrame(
        {
            "fee (bps)": [f"{row.fee_bps:g}" for row in rows],
            "policy": [row.policy for row in rows],
            "net return (%)": [percent(row.gain) if row.traded_in else NO_TRADE for row in rows],
            **{
                title: [decimals(100.0 * row.periods[name], 2, sign="+") if row.traded_in else "" for row in rows]
                for name, title in short.items()
            },
            "break-even (bps)": [cost(row.break_even) if row.traded_in else "" for row in rows],
            "traded a day": [decimals(row.traded_per_day, 2) if row.traded_in else "" for row in rows],
            "utility (bps a pair-day)": [cost(row.utility) if row.traded_in else "" for row in rows],
        }
    )
    return table.set_index(["fee (bps)", "policy"])


def across_findings(content: Mapping[str, Json] | None = None) -> str:
    """Return in sentences what agents earn that were trained on other periods, and how the delay matters."""
    content = published_across() if content is None else content
    if not content:
        return UNPUBLISHED
    agents, count = trained_across(content), len(content["periods"])
    days = next(iter(agents.values())).days
    bars = f"{content['latency']} bar{'s' * (content['latency'] != 1)}"
    words = [
        f"{content['seeds']} agents per fee, trained for fills {bars} late on all but one of {count} recorded periods "
        f"and tested on all days of that one, each in turn, {days} days in all."
    ]
    words += [_told(row, count) for row in agents.values()]
    free = [row for row in pooled_rows(content) if row.policy == AGENT and row.fee_bps == 0.0]
    by_delay = ", ".join(f"{row.delay}: {percent(row.gain)}" for row in free)
    words.append(f"Without fees, by bars of delay of the same agents' fills: {by_delay}.")
    return " ".join([*words, *_unseen_told(content)])


def _told(row: Pooled, count: int) -> str:
    if not row.traded_in:
        return f"At {row.fee_bps:g} bps they never trade."
    return (
        f"At {row.fee_bps:g} bps they trade in {len(row.traded_in)} of {count} periods, {row.traded_per_day:.3g} times "
        f"the equity a day, earn {percent(row.gain)} and break even at {cost(row.break_even)} bps per side."
    )


def _unseen_told(content: Mapping[str, Json]) -> Iterator[str]:
    """Yield what the base rule earned in training windows that it was not fitted to."""
    rows = content.get("unseen", [])
    found = [_per_pair_day(np.array(row["utility_bps"]), row["pair_days"]) for row in rows]
    if found:
        low, high = sum(one.upper < 0.0 for one in found), sum(one.lower > 0.0 for one in found)
        yield (
            f"The rule that agents start from was also judged in training windows that it was not fitted to "
            f"({min(row['pair_days'] for row in rows)} to {max(row['pair_days'] for row in rows)} pair-days): its "
            f"utility lies below zero in {low} and above zero in {high} of {len(found)} cases, with 95 % confidence."
        )


def across_answer(free: Pooled | None) -> str:
    """Return the end of a verdict's answer: whether the edge of agents without fees shows; empty without any."""
    if free is None:
        return ""
    return f"; trained on other periods for the later fill, the agent's {'shows' if free.shows else 'does not show'}"


def across_worth(free: Pooled | None) -> Iterator[str]:
    """Yield what agents without fees earn, and what that is per side; nothing without any."""
    if free is not None:
        yield (
            f"Trained on the other periods for fills one bar later, it trades in {len(free.traded_in)} of "
            f"{len(free.periods)} periods; over all {free.days} days that is {_words(free.gain, 100.0)} %, or "
            f"{_words(free.break_even, 1.0)} basis points per side."
        )


def across_left(agents: Mapping[float, Pooled] | None, fees: Sequence[float]) -> Iterator[str]:
    """Yield what agents earn at the named fees; nothing without any."""
    rows = [row for fee, row in (agents or {}).items() if fee in fees]
    if rows:
        told = "; ".join(f"at {row.fee_bps:g} {_left(row)}" for row in rows)
        yield f"Trained on the other periods for fills one bar later, over {rows[0].days} days: {told}."


def _left(row: Pooled) -> str:
    if not row.traded_in:
        return "no trade"
    where = f"in {len(row.traded_in)} of {len(row.periods)} periods"
    return f"{_words(row.gain, 100.0)} %, trading {row.traded_per_day:.2g} of the equity a day {where}"


def _words(found: Interval, factor: float) -> str:
    value, lower, upper = (factor * each for each in (found.estimate, found.lower, found.upper))
    return f"{decimals(value, 2, sign='+')} ({decimals(lower, 2, sign='+')} to {decimals(upper, 2, sign='+')})"


def across_lines(content: Mapping[str, Json]) -> Iterator[str]:
    """Yield a line per policy and fee at the delay that was trained for."""
    for row in pooled_rows(content):
        if row.delay == content["latency"]:
            yield (
                f"fee {row.fee_bps:>4g}  {row.policy:<12} net {percent(row.gain)}, break-even {cost(row.break_even)} "
                f"bps per side, {row.traded_per_day:.2f} traded a day, utility {cost(row.utility)} bps a pair-day"
            )


def _by_period(own: pd.DataFrame) -> Iterator[Any]:
    return own.rename(columns={"return": "series"}).itertuples()


def _joined(own: pd.DataFrame, column: str) -> Float1D:
    """Return the windows of all periods one after the other."""
    values: Float1D = np.concatenate([np.array(series, np.float64) for series in own[column]])
    return values


def _break_even(own: pd.DataFrame) -> Interval:
    gross, traded = _joined(own, "gross"), _joined(own, "traded")
    if traded.sum() < LEAST_TRADED:
        return Interval(np.nan, np.nan, np.nan, 0.95)
    ratio = statistics.ratio_interval(gross, traded)
    return scaled(ratio, BPS_PER_UNIT)


def _per_pair_day(utility: Float1D, pair_days: int) -> Interval:
    return scaled(statistics.total_interval(utility), 1.0 / pair_days)


def scaled(found: Interval, factor: float) -> Interval:
    """Return an interval in another unit."""
    return Interval(factor * found.estimate, factor * found.lower, factor * found.upper, found.level)


def percent(found: Interval) -> str:
    """Return a return and its interval as text, in percent."""
    value, lower, upper = (100.0 * each for each in (found.estimate, found.lower, found.upper))
    return f"{decimals(value, 2, sign='+')} {bounds(lower, upper, 2)} %"


def cost(found: Interval) -> str:
    """Return a figure in basis points and its interval as text."""
    return f"{decimals(found.estimate, 2, sign='+')} {bounds(found.lower, found.upper, 2)}"
