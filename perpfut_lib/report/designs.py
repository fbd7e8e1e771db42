"""What others published, by the rules of this study on the same days, for readers: the table and the sentences."""

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from perpfut_lib.artifacts import list_published, read_published
from perpfut_lib.config import Design, design_names
from perpfut_lib.evaluate.fresh_worlds import AGENT
from perpfut_lib.report.across import NO_TRADE, Pooled, cost, percent, pooled_rows, published_across
from perpfut_lib.report.style import NOTHING, decimals

FOLDER: Final = "designs"
OURS: Final = "this book's agent: PPO corrects a fitted rule"
FLAT: Final = "not trading"
UNPUBLISHED: Final = "*No design of others is published yet.*"

Rows = dict[str, list[Pooled]]
"""By title, one row per fee, filled as late as was trained for."""


def published_designs() -> dict[str, Any]:
    """Return the published designs by name."""
    there = list_published(FOLDER)
    places = {name: f"{FOLDER}/{name}" for name in design_names()}
    return {name: read_published(place) for name, place in places.items() if place in there}


def designs_table(designs: Mapping[str, Any] | None = None, across: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Return one row per design, our agent and each tuned rule: net returns by fee, and what its authors printed.

    Parameters
    ----------
    designs, across : mapping, optional
        What ``perpfut publish designs`` and ``perpfut publish across`` found; by default what is published.
    """
    designs = published_designs() if designs is None else designs
    printed = {one.title: one.printed for one in map(Design.load, designs)}
    rows = _rows(designs) | _rows_of_this_study(published_across() if across is None else across)
    fees = sorted({row.fee_bps for group in rows.values() for row in group})
    table = [
        {
            "policy": title,
            **{f"net at {fee:g} bps (%)": _net(_at(group, fee)) for fee in fees},
            "break-even, no fee (bps)": _break_even(_at(group, 0.0)),
            "traded a day, no fee": _traded(_at(group, 0.0)),
            "its authors printed": printed.get(title) or NOTHING,
        }
        for title, group in rows.items()
    ]
    none = {f"net at {fee:g} bps (%)": "0" for fee in fees}
    table.append({"policy": FLAT, **none, **dict.fromkeys(list(table[0])[1 + len(fees) :] if table else [], NOTHING)})
    return pd.DataFrame(table).set_index("policy")


def designs_findings(designs: Mapping[str, Any] | None = None) -> str:
    """Return in sentences what the designs of others earn here, and what differs from how they were published."""
    designs = published_designs() if designs is None else designs
    if not designs:
        return UNPUBLISHED
    rows, first = _rows(designs), next(iter(designs.values()))
    days = next(iter(rows.values()))[0].days
    words = [
        f"{len(designs)} {'design' if len(designs) == 1 else 'designs'} of others, each trained with "
        f"{first['seeds']} seeds per fee and {first['total_steps']:,} steps on all but one of {len(first['periods'])} "
        f"recorded periods, for fills {first['latency']} bar late, and tested on all days of that one, {days} days in "
        "all."
    ]
    for fee in sorted({row.fee_bps for group in rows.values() for row in group}):
        found = [row for row in (_at(group, fee) for group in rows.values()) if row is not None]
        above, below = sum(row.shows for row in found), sum(row.gain.upper < 0.0 for row in found)
        words.append(f"At {fee:g} bps {above} earn more than nothing with 95 % confidence, and {below} less.")
    told = (f"{one.title} {{cite}}`{one.cite}`: {one.differs}" for one in map(Design.load, designs))
    return " ".join(words) + "\n\n" + "\n".join(f"- {line}" for line in told)


def _rows(designs: Mapping[str, Any]) -> Rows:
    return {Design.load(name).title: _late(content)[AGENT] for name, content in designs.items()}


def _rows_of_this_study(content: Mapping[str, Any]) -> Rows:
    return {OURS if name == AGENT else name: rows for name, rows in _late(content).items()} if content else {}


def _late(content: Mapping[str, Any]) -> Rows:
    """Return the rows at the delay that was trained for, by policy."""
    found: Rows = {}
    for row in pooled_rows(content):
        if row.delay == content["latency"]:
            found.setdefault(row.policy, []).append(row)
    return {name: sorted(rows, key=lambda row: row.fee_bps) for name, rows in found.items()}


def _at(rows: list[Pooled], fee: float) -> Pooled | None:
    return next((row for row in rows if row.fee_bps == fee), None)


def _net(row: Pooled | None) -> str:
    if row is None:
        return NOTHING
    return percent(row.gain).removesuffix(" %") if row.traded_in else NO_TRADE


def _traded(row: Pooled | None) -> str:
    return NOTHING if row is None else decimals(row.traded_per_day, 2)


def _break_even(row: Pooled | None) -> str:
    return NOTHING if row is None or not row.traded_in else cost(row.break_even)
