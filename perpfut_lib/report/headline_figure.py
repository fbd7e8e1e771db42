"""The one figure of the first page: every policy that is fitted to a fee, at that fee, on each published market."""

import io
from typing import Any, Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from perpfut_lib.policies.rules import TUNED
from perpfut_lib.report.edges import fitted_results, gross_edges, recorded_minutes, test_days
from perpfut_lib.report.sources import published_profiles
from perpfut_lib.report.style import PALETTE, figure

YEAR: Final = "sim-year"
"""The simulated market beside the recorded ones."""
LEARNED: Final = "agent"
POLICIES: Final = (LEARNED, *TUNED)
MARKERS: Final = ("o", "s", "^", "D")
GAP: Final = 0.17  # between policies at the same fee


def headline_picture() -> bytes:
    """Return :func:`plot_headline` as a PNG file."""
    written = io.BytesIO()
    plot_headline().savefig(written, format="png", dpi=150, metadata={"Software": None})
    return written.getvalue()


def plot_headline() -> Figure:
    """Plot the test return of agents and tuned rules at each fee, with 95 % intervals, a panel for each market.

    Recorded minutes and the simulated year have panels of their own. The hollow point is the agent trained without
    fees, filled one bar later than at the next open. The last panel is the utility on the simulated year.
    """
    markets = [*recorded_minutes("metrics"), *([YEAR] if YEAR in published_profiles("metrics") else [])]
    edges = gross_edges((1,))
    with figure(1, max(1, len(markets) + (YEAR in markets)), height=3.6) as (made, panels):
        made.set_size_inches(9.6, 3.8)
        for axes, market in zip(panels, markets, strict=False):
            results = fitted_results(market)
            _draw(axes, results, [100 * results[name] for name in ("gain", "return_lower", "return_upper")])
            if market != YEAR:
                _draw_later(axes, edges[edges["profile"] == market])
            kind = "simulated" if market == YEAR else "recorded"
            axes.set_title(f"{market}\n({kind}, {test_days(market)} test days)", fontsize=9)
            axes.axvline(0.0, color="0.3", linewidth=1.0)
            axes.set_xlabel("test return after fees (%)")
        if YEAR in markets:
            _draw_utility(panels[-1], fitted_results(YEAR))
        panels[0].set_ylabel("fee, fitted and charged (bps)")
        handles, labels = panels[0].get_legend_handles_labels()
        made.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=8)
    return made


def _draw(axes: Axes, results: pd.DataFrame, shown: list[pd.Series]) -> None:
    """Draw one market: a row for each fee, within it a point and an interval for each policy.

    ``shown`` has the middle and both ends for every row of ``results``; an end that is no number has no line.
    """
    fees = sorted(results["test_fee_bps"].unique())
    named = results["agent"].where(~results["learned"], LEARNED)
    for place, (policy, color, marker) in enumerate(zip(POLICIES, PALETTE, MARKERS, strict=False)):
        own = results.loc[named == policy, "test_fee_bps"].sort_values()
        heights = [-fees.index(fee) - (place - 1.5) * GAP for fee in own]
        middle, lower, upper = (column.loc[own.index] for column in shown)
        style: dict[str, Any] = {"fmt": marker, "markersize": 5, "elinewidth": 1.6, "color": color}
        axes.errorbar(middle, heights, xerr=[middle - lower, upper - middle], label=policy, **style)
    axes.set_yticks([-row for row in range(len(fees))], [f"{fee:g}" for fee in fees])
    axes.grid(visible=False, axis="y")


def _draw_utility(axes: Axes, results: pd.DataFrame) -> None:
    """Draw the utility on the simulated year; the agent's interval is that of its difference to the best rule."""
    middle = results["utility_bps"]
    ends = [
        (middle + results[f"utility_difference_{end}"] - results["utility_difference_bps"]).where(results["learned"])
        for end in ("lower", "upper")
    ]
    _draw(axes, results, [middle, *ends])
    axes.set_title(f"{YEAR}\n(what agents are trained for)", fontsize=9)
    axes.axvline(0.0, color="0.3", linewidth=1.0)
    axes.set_xlabel("utility (bps per pair-day)")


def _draw_later(axes: Axes, later: pd.DataFrame) -> None:
    """Add the agent without fees, filled one bar later, above its other point."""
    middle = 100 * later["gain"]
    reach = [middle - 100 * later["return_lower"], 100 * later["return_upper"] - middle]
    style: dict[str, Any] = {
        "fmt": "o",
        "markersize": 6,
        "markerfacecolor": "white",
        "elinewidth": 1.6,
        "color": PALETTE[0],
    }
    axes.errorbar(middle, [2.5 * GAP] * len(later), xerr=reach, label="agent, filled one bar later", **style)
