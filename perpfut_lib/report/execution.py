"""Execution as a choice for readers: what limit orders earn beside market orders, for rules and for fitted policies."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from perpfut_lib import statistics
from perpfut_lib.frontier import ExecutionRow, execution_rows
from perpfut_lib.frontier.execution import EXECUTIONS, Executed
from perpfut_lib.frontier.sums import BPS_PER_UNIT
from perpfut_lib.report.across import percent
from perpfut_lib.report.frontier import memory_name, published_frontier
from perpfut_lib.report.style import bounds, decimals
from perpfut_lib.statistics import Interval
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


def policy_execution_table(content: Mapping[str, Any]) -> pd.DataFrame:
    """Return what fitted policies' positions earn by execution, net of the fees of both kinds of order; %, 95 %.

    Parameters
    ----------
    content : mapping
        From ``perpfut publish across``; ``maker_fee_bps`` is paid by limit orders, or the taker fee where that is less.
    """
    rows = []
    for (fee, name), group in _executed(content):
        done = {one["execution"]: one for one in group}
        limits = done[EXECUTIONS[-1]]
        traded = sum(limits["traded"])
        share = sum(limits["maker"]) / traded if traded > 0.0 else float("nan")
        row = {"taker fee (bps)": f"{fee:g}", "policy": name, "maker fee (bps)": f"{_maker_fee(content, fee):g}"}
        row |= {execution: percent(_net(one, fee, content)) for execution, one in done.items()}
        rows.append(row | {"filled as limits (%)": decimals(100.0 * share, 0)})
    return pd.DataFrame(rows).set_index(["taker fee (bps)", "policy"])


def policy_execution_findings(content: Mapping[str, Any]) -> str:
    """Return in sentences what limit orders do to the positions of fitted policies; empty where none traded."""
    found = [group for _, group in _executed(content) if sum(group[0]["traded"]) > 0.0]
    if not found:
        return ""
    above = [[_net(one, one["fee_bps"], content).lower > 0.0 for one in group] for group in found]
    counts = np.array(above).sum(axis=0).tolist()
    told = ", ".join(f"with {name} in {count}" for name, count in zip(EXECUTIONS, counts, strict=True))
    return (
        f"The positions that these policies decided, sent as limit orders that are filled only when traded through and "
        f"else at the market one bar later: the net return lies above zero with 95 % confidence {told} of {len(found)} "
        f"cases that trade. Positions are those of market orders at the next open, so that prices alone differ; a "
        f"policy that knew that orders may stay unfilled would decide otherwise."
    )


def _executed(content: Mapping[str, Any]) -> Iterator[tuple[tuple[float, str], list[dict[str, Any]]]]:
    """Yield fee, name, and what each execution came to in all periods one after the other."""
    found: dict[tuple[float, str], dict[str, dict[str, Any]]] = {}
    for row in content.get("executions", []):
        own = found.setdefault((row["fee_bps"], row["policy"]), {})
        one = own.setdefault(row["execution"], {**row, **{name: [] for name in Executed._fields}})
        for name in Executed._fields:
            one[name] = [*one[name], *row[name]]
    for key, executions in sorted(found.items(), key=lambda item: item[0][0]):
        yield key, [executions[name] for name in EXECUTIONS]


def _maker_fee(content: Mapping[str, Any], taker: float) -> float:
    return min(taker, float(content.get("maker_fee_bps", taker)))


def _net(one: Mapping[str, Any], taker: float, content: Mapping[str, Any]) -> Interval:
    """Return the sum of net P&L over all trading windows, in equities, not compounded, with its t interval."""
    gross, traded, maker = (np.array(one[name]) for name in Executed._fields)
    paid = taker * (traded - maker) + _maker_fee(content, taker) * maker
    return statistics.total_interval(gross - paid / BPS_PER_UNIT)


def _recorded(periods: Mapping[str, Json] | None) -> dict[Place, dict[str, ExecutionRow]]:
    """Return rows of recorded minutes by memory and decision interval, then by execution."""
    found: dict[Place, dict[str, ExecutionRow]] = {}
    for row in execution_rows(published_frontier() if periods is None else periods):
        if row.bar == 1 and not row.simulated:
            found.setdefault((row.memory, row.interval), {})[row.execution] = row
    return found


def _gross(row: ExecutionRow) -> str:
    return f"{decimals(row.gross.estimate, 2, sign='+')} {bounds(row.gross.lower, row.gross.upper, 2)}"
