"""The cost frontier for readers: its table, the figure of the project, and what it says in words."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from perpfut_lib.artifacts import list_published, read_published
from perpfut_lib.frontier import CHOSEN, Row, frontier_rows
from perpfut_lib.report.across import trained_across
from perpfut_lib.report.sources import LOW_FEE_BPS, TAKER_FEE_BPS
from perpfut_lib.report.style import PALETTE, bounds, decimals, figure
from perpfut_lib.types import JsonObject

FOLDER: Final = "frontier"
UNPUBLISHED: Final = "*No cost frontier is published yet.*"
PACED: Final = 120
"""Minutes of the memory that is shown against the decision interval."""
FEES: Final = {f"taker fee {TAKER_FEE_BPS:.2f} bps": TAKER_FEE_BPS, f"fee {LOW_FEE_BPS:.2f} bps": LOW_FEE_BPS}


def published_frontier() -> JsonObject:
    """Return every published period by name."""
    return {name.split("/")[-1]: read_published(name) for name in list_published(FOLDER)}


def frontier_table(*, simulated: bool = False, rule: str = CHOSEN) -> pd.DataFrame:
    """Return the break-even cost (bps per side) by bar, memory and delay; decided at every bar, intervals at 95 %.

    Parameters
    ----------
    simulated : bool
        Whether simulated markets are shown in the place of recorded ones.
    rule : str
        Rule that is shown.
    """
    rows = [row for row in frontier_of(simulated=simulated) if row.interval == row.bar and row.rule == rule]
    late = {(row.bar, row.memory): row for row in rows if row.delay == 1}
    shown = [row for row in rows if row.delay == 0]
    table = pd.DataFrame(
        {
            "bar (min)": [row.bar for row in shown],
            "mean over": [memory_name(row.memory) for row in shown],
            "days": [round(row.days) for row in shown],
            "held (min)": [round(row.holding_minutes) for row in shown],
            "filled at the next open (bps)": [_cost(row) for row in shown],
            "one bar later (bps)": [_cost(late[row.bar, row.memory]) for row in shown],
        }
    )
    return table.set_index(["bar (min)", "mean over"])


def plot_frontier() -> Figure:
    """Plot the break-even cost on recorded minutes against holding time and against the decision interval.

    The shade is the 95 % interval of fills one bar later; the diamond is the agents that were trained for those on
    other periods, without fees.
    """
    rows = [row for row in frontier_of(simulated=False) if row.bar == 1 and row.rule == CHOSEN]
    half_tick = float(np.mean([one["half_tick_bps"] for one in published_frontier().values() if not one["simulated"]]))
    with figure(1, 2, height=4.0) as (made, (left, right)):
        for color, delay in zip(PALETTE, sorted({row.delay for row in rows}), strict=False):
            label = "next open" if delay == 0 else f"{delay} bar{'s' * (delay > 1)} later"
            at_once = [row for row in rows if row.delay == delay and row.interval == 1]
            _curve(left, sorted(at_once, key=lambda row: row.holding_minutes), "holding_minutes", color, label)
            paced = [row for row in rows if row.delay == delay and row.memory == PACED]
            _curve(right, paced, "interval", color, label)
        for axes in (left, right):
            axes.axhline(0.0, color="0.2", linewidth=0.8)
            for (name, level), style in zip(FEES.items(), ("--", "-."), strict=True):
                axes.axhline(level, color="0.3", linewidth=1.0, linestyle=style, label=name)
            axes.axhline(half_tick, color="0.5", linewidth=1.0, linestyle=":", label="half a price step")
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_formatter("")
        _agents(left)
        left.set_ylabel("break-even cost (bps per side)")
        left.set_xlabel("mean holding time (minutes)")
        right.set_xlabel("decision interval (minutes)")
        left.set_title("decided every minute")
        left.set_xticks([20, 60, 180, 600])
        right.set_title(f"against the mean of {PACED} minutes")
        right.set_xticks([1, 5, 15, 60])
        made.legend(*left.get_legend_handles_labels(), title="fill", loc="outside lower center", ncols=4, fontsize=8)
    return made


def frontier_findings() -> str:
    """Return in sentences what the frontier says of recorded minutes, and what it cannot exclude."""
    rows = [row for row in frontier_of(simulated=False) if row.bar == 1 and row.interval == 1 and row.rule == CHOSEN]
    if not rows:
        return UNPUBLISHED
    first, second = ([row for row in rows if row.delay == delay] for delay in (0, 1))
    shown = [row for row in second if row.break_even.lower > 0.0]
    fast = min(second, key=lambda row: row.holding_minutes)
    slow = max(second, key=lambda row: row.holding_minutes)
    words = [
        f"Rules that need no training, on all {round(rows[0].days)} recorded days of minutes and filled one bar after "
        f"the next open: {len(shown)} of {len(second)} break-even costs are above zero with 95 % confidence."
    ]
    for row in (fast, slow):
        before = next(one for one in first if one.memory == row.memory)
        words.append(
            f"Held for {round(row.holding_minutes)} minutes on average, they break even at "
            f"{_cost(row)} bps per side ({_cost(before)} at the next open): {_excluded(row)}."
        )
    return " ".join(words)


def _excluded(row: Row) -> str:
    """Return which fees an interval excludes."""
    out = [f"{fee:.2f}" for fee in FEES.values() if row.break_even.upper < fee]
    return f"an edge that pays {' or '.join(sorted(out))} bps is excluded" if out else "no fee is excluded"


def frontier_of(*, simulated: bool) -> list[Row]:
    """Return every published row of recorded, or of simulated, markets."""
    return [row for row in frontier_rows(published_frontier()) if row.simulated == simulated]


def memory_name(memory: int | None) -> str:
    """Return a memory, in minutes, for readers; None is the formation window."""
    return "formation" if memory is None else f"{memory} min"


def _cost(row: Row) -> str:
    cost = row.break_even
    return f"{decimals(cost.estimate, 2, sign='+')} {bounds(cost.lower, cost.upper, 2)}"


def _agents(axes: Axes) -> None:
    """Draw the agents that were trained on other periods without fees, at the delay that they were trained for."""
    row = trained_across().get(0.0)
    if row is not None and np.isfinite(row.break_even.lower):
        cost = row.break_even
        reach = [[cost.estimate - cost.lower], [cost.upper - cost.estimate]]
        style: dict[str, Any] = {"fmt": "D", "markersize": 6, "color": "0.1", "markerfacecolor": "white"}
        axes.errorbar([row.holding_bars], [cost.estimate], yerr=reach, label="agent, 1 bar later", **style)


def _curve(axes: Axes, rows: Sequence[Row], name: str, color: str, label: str) -> None:
    x = [getattr(row, name) for row in rows]
    axes.plot(x, [row.break_even.estimate for row in rows], color=color, marker="o", markersize=4, label=label)
    if rows and rows[0].delay == 1:
        lower, upper = ([getattr(row.break_even, end) for row in rows] for end in ("lower", "upper"))
        axes.fill_between(x, lower, upper, color=color, alpha=0.2)
