"""Execution as a choice for readers: what limit orders earn beside market orders, before fees."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from perpfut_lib.frontier import ExecutionRow, execution_rows
from perpfut_lib.frontier.execution import EXECUTIONS
from perpfut_lib.report.frontier import memory_name, published_frontier
from perpfut_lib.report.style import bounds, decimals
from perpfut_lib.types import Json

UNPUBLISHED: Final = "*No comparison of executions is published yet.*"
SHOWN: Final = (1, 15)
"""Decision intervals, in minutes, that the table shows."""
TAKER: Final = 1.44
"""Taker fee per side, basis points, beside which the break-even maker fee is told: the lowest that there is."""

Place = tuple[int | None, int]


def execution_table(periods: Mapping[str, Json] | None = None) -> pd.DataFrame:
    """Return the gross edge (bps per side) by execution on recorded minutes, and what a limit order's fee could be."""
    found = {place: rows for place, rows in _recorded(periods).items() if place[1] in SHOWN}
    limits = [rows[EXECUTIONS[-1]] for rows in found.values()]
    columns: dict[str, list[Any]] = {
        "mean over": [memory_name(memory) for memory, _ in found],
        "decided every (min)": [interval for _, interval in found],
    }
    columns |= {name: [_gross(rows[name]) for rows in found.values()] for name in EXECUTIONS}
    columns["filled as limits (%)"] = [decimals(100.0 * row.maker_share, 0) for row in limits]
    fees = [decimals(break_even_maker_fee(row), 2, sign="+") for row in limits]
    columns[f"break-even maker fee at a taker fee of {TAKER} (bps)"] = fees
    table = pd.DataFrame(columns)
    return table.set_index(["mean over", "decided every (min)"])


def break_even_maker_fee(row: ExecutionRow, taker: float = TAKER) -> float:
    r"""Return the maker fee (bps) at which nothing is left, :math:`(g - (1 - m) f_t) / m`; negative: a rebate."""
    return (row.gross.estimate - (1.0 - row.maker_share) * taker) / row.maker_share if row.maker_share else float("nan")


def execution_findings(periods: Mapping[str, Json] | None = None) -> str:
    """Return in sentences what waiting as a limit order does to the gross edge of rules on recorded minutes."""
    found = _recorded(periods)
    if not found:
        return UNPUBLISHED
    market, limits = (
        np.array([rows[name].gross.estimate for rows in found.values()]) for name in (EXECUTIONS[0], EXECUTIONS[-1])
    )
    worse = int((limits < market).sum())
    shares = [rows[EXECUTIONS[-1]].maker_share for rows in found.values()]
    shown = [sum(rows[name].gross.lower > 0.0 for rows in found.values()) for name in (EXECUTIONS[0], EXECUTIONS[-1])]
    return (
        f"The same rules with limit orders on both legs, which are filled only when traded through: the gross edge is "
        f"lower than with market orders in {worse} of {len(found)} combinations of memory and decision interval, by "
        f"{decimals(float(np.median(market - limits)), 2)} bps per side at the median, with {100 * min(shares):.0f} to "
        f"{100 * max(shares):.0f} % of the notional filled as limits. It lies above zero with 95 % confidence in "
        f"{shown[1]} of them, with market orders in {shown[0]}. A limit against the spread fills when the spread "
        f"widens and is left behind when it narrows; the fee that it saves must pay for that."
    )


def _recorded(periods: Mapping[str, Json] | None) -> dict[Place, dict[str, ExecutionRow]]:
    """Return rows of recorded minutes by memory and decision interval, then by execution."""
    found: dict[Place, dict[str, ExecutionRow]] = {}
    for row in execution_rows(published_frontier() if periods is None else periods):
        if row.bar == 1 and not row.simulated:
            found.setdefault((row.memory, row.interval), {})[row.execution] = row
    return found


def _gross(row: ExecutionRow) -> str:
    return f"{decimals(row.gross.estimate, 2, sign='+')} {bounds(row.gross.lower, row.gross.upper, 2)}"
