"""Tables and figures of the evaluation, from a run's artifacts or from a profile's published results."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from perpfut_lib.artifacts import read_published
from perpfut_lib.evaluate import ALL_SEEDS
from perpfut_lib.policies.rules import TUNED
from perpfut_lib.report.sources import Source, published_profiles, read_result
from perpfut_lib.report.style import NOTHING, PALETTE, bounds, decimals, figure

PERCENT = ("return", "return_lower", "return_upper", "volatility", "max_drawdown", "win_rate")
STUDY = "original_study"
FITTED = "trained or tuned at (bps)"
MEASURES = {
    "return": ("return (%)", 100, 2),
    "volatility": ("volatility (% a year)", 100, 1),
    "sharpe": ("Sharpe ratio", 1, 2),
    "sortino": ("Sortino ratio", 1, 2),
    "max_drawdown": ("maximum drawdown (%)", 100, 2),
    "drawdown_days": ("longest drawdown (days)", 1, 1),
    "win_rate": ("days with a gain (%)", 100, 1),
    "turnover_per_day": ("turnover (/day)", 1, 2),
    "mean_exposure": ("mean gross exposure", 1, 3),
    "action_mean": ("mean action", 1, 3),
    "action_std": ("standard deviation of the action", 1, 3),
    "holding_bars": ("mean holding time (bars)", 1, 1),
    "price": ("price P&L (% of capital)", 100, 3),
    "funding": ("funding P&L (% of capital)", 100, 3),
    "fees": ("fees (% of capital)", 100, 3),
    "slippage": ("slippage (% of capital)", 100, 3),
    "break_even_bps": ("break-even cost (bps)", 1, 2),
    "utility_bps": ("utility per pair-day (bps)", 1, 1),
    "utility_difference_bps": ("utility over the best rule's (bps)", 1, 1),
    "utility_share": ("utility, share of the informed trader's (%)", 100, 1),
}


def fee_table(source: Source) -> pd.DataFrame:
    """Return the fee-regime table: every agent at the fee that it was trained for, every baseline at every fee.

    Percentages, basis points and ratios as the column names say. Intervals are Student's and the jackknife's; for
    the random trader where its draws lie; for the utility Student's over trading windows. Utility is the agents' own
    objective per pair-day. Beside it stand its difference to the rule that did best on validation, and its share of
    what a trader earns who knows how a simulated market was made.
    """
    metrics = read_result(source, "metrics")
    shown = metrics["train_fee_bps"].isna() | _own(metrics)
    rows = metrics[shown].assign(rule=metrics["train_fee_bps"].isna()).sort_values(["test_fee_bps", "rule", "agent"])
    percent = rows.assign(**{name: 100 * rows[name] for name in PERCENT})
    table = pd.DataFrame(
        {
            "fee (bps)": percent["test_fee_bps"],
            "agent": percent["agent"],
            "return (%)": percent["return"].round(2),
            "return interval (%)": _interval(percent, "return", 1),
            "volatility (%)": percent["volatility"].round(1),
            "Sharpe": percent["sharpe"].round(2),
            "Sharpe interval": _interval(percent, "sharpe", 1),
            "max drawdown (%)": percent["max_drawdown"].round(1),
            "turnover (/day)": percent["turnover_per_day"].round(2),
            "mean |a|": percent["mean_exposure"].round(2),
            "break-even (bps)": percent["break_even_bps"].round(2),
            **_utility_columns(percent),
        }
    ).set_index(["fee (bps)", "agent"])
    table[table.select_dtypes("float").columns] += 0.0  # no negative zeros
    return table


def _utility_columns(rows: pd.DataFrame) -> dict[str, Any]:
    """Return the columns of the fee table on utility; none for results that were published without it."""
    if "utility_bps" not in rows:
        return {}
    columns: dict[str, Any] = {"utility (bps)": rows["utility_bps"].round(1)}
    if "utility_difference_bps" in rows:
        ends = rows["utility_difference_lower"], rows["utility_difference_upper"]
        columns["over best rule (bps)"] = rows["utility_difference_bps"].round(1)
        columns["interval (bps)"] = [bounds(*pair, 1) for pair in zip(*ends, strict=True)]
    if rows["utility_share"].notna().any():
        columns["share of informed (%)"] = (100 * rows["utility_share"]).round(1)
    return columns


def measures_table(source: Source) -> pd.DataFrame:
    """Return every measure of the agent at its own fee, all seeds pooled: one row per measure, one column per fee.

    Figures are text, because each row has decimals of its own; a dash where a measure is not defined.
    """
    metrics = read_result(source, "metrics")
    rows = metrics[_own(metrics)].set_index("test_fee_bps")
    table = {
        title: [decimals(unit * value, digits) for value in rows[name]]
        for name, (title, unit, digits) in MEASURES.items()
        if name in rows
    }
    return pd.DataFrame(table, index=rows.index).T.rename_axis(index="measure", columns="fee (bps)")


def attribution_table(source: Source) -> pd.DataFrame:
    """Return the P&L of each agent at its own fee, in % of initial capital, split into its sources, which sum to it."""
    metrics = read_result(source, "metrics")
    rows = metrics[_own(metrics)]
    parts = {"price": rows["price"], "funding": rows["funding"], "fees": -rows["fees"], "slippage": -rows["slippage"]}
    table = 100 * pd.DataFrame(parts)
    table["sum"] = table.sum(axis=1)
    return (table.round(3) + 0.0).set_index(rows["test_fee_bps"].rename("fee (bps)"))  # no negative zeros


def fee_matrix(source: Source) -> pd.DataFrame:
    """Return test returns (%) by the fee trained with (rows) and the fee tested with (columns), all seeds pooled."""
    metrics = read_result(source, "metrics")
    rows = metrics[metrics["train_fee_bps"].notna() & (metrics["seed"] == ALL_SEEDS)]
    matrix = 100 * rows.pivot(index="train_fee_bps", columns="test_fee_bps", values="return")
    return matrix.round(2).rename_axis(index="trained at (bps)", columns="tested at (bps)")


def cost_table(source: Source) -> pd.DataFrame:
    """Return test returns (%) of the same positions at every cost per side (columns, bps), mean over seeds.

    Agents by the fee that they were trained with, rules by the fee that they were tuned for; a dash for the others.
    """
    costs = read_result(source, "costs")
    fee = costs["train_fee_bps"].fillna(costs["test_fee_bps"].where(costs["agent"].isin(TUNED)))
    own = costs.assign(train_fee_bps=fee).rename(columns={"train_fee_bps": FITTED, "cost_bps": "cost (bps)"})
    wide = own.pivot_table(index=["agent", FITTED], columns="cost (bps)", values="return", dropna=False)
    table = (100 * wide.dropna(how="all")).round(2) + 0.0
    fees = [NOTHING if pd.isna(fee) else f"{fee:g}" for fee in table.index.get_level_values(1)]
    table.index = pd.MultiIndex.from_arrays([table.index.get_level_values(0), fees], names=table.index.names)
    return table


def plot_costs(source: Source) -> Figure:
    """Plot test returns over the cost per side, a panel for each fee that agents and rules were fitted to.

    The positions are those of that fee; zero crossings, marked by a dot, are break-even costs. The axis ends where
    losses grow beyond half of the best return, so that the crossings can be read.
    """
    costs = read_result(source, "costs")
    fitted = costs["train_fee_bps"].fillna(costs["test_fee_bps"])
    learner = costs.loc[costs["train_fee_bps"].notna(), "agent"].unique()
    names = [*learner, *(name for name in TUNED if name in set(costs["agent"]))]
    shown = costs[costs["agent"].isin(names)].assign(fitted=fitted)
    fees = sorted(shown["fitted"].unique())
    with figure(1, len(fees), height=3.0) as (made, panels):
        for axes, fee in zip(panels, fees, strict=True):
            lines = shown[shown["fitted"] == fee].groupby(["agent", "cost_bps"])["return"].mean()
            for color, name in zip(PALETTE, names, strict=False):
                if name in lines.index:
                    style = {
                        "linestyle": "-" if name in learner else "--",
                        "linewidth": 2.0 if name in learner else 1.2,
                    }
                    _cost_line(axes, 100 * lines[name], color=color, label=name, **style)
            top = max(0.1, 100 * float(lines.max()))
            axes.set_ylim(-0.5 * top, 1.05 * top)
            axes.axhline(0.0, color="0.4", linewidth=0.8)
            axes.set_title(f"fitted to {fee:g} bps", fontsize=9)
        panels[len(panels) // 2].set_xlabel("cost per side (bps)")
        panels[0].set_ylabel("test return (%)")
        panels[0].legend(fontsize=7)
    return made


def _cost_line(axes: Axes, line: "pd.Series[float]", **style: Any) -> None:
    """Draw one policy's returns (%) over costs, with a dot where it first falls to zero."""
    cost, value = line.index.to_numpy(np.float64), line.to_numpy()
    axes.plot(cost, value, **style)
    below = np.flatnonzero((value[:-1] > 0.0) & (value[1:] <= 0.0))
    if len(below):
        at = below[0]
        zero = cost[at] + (cost[at + 1] - cost[at]) * value[at] / (value[at] - value[at + 1])
        axes.plot([zero], [0.0], marker="o", markersize=4, color=style["color"])


def study_table(source: Source) -> pd.DataFrame:
    """Return the original study's published test results beside a run's agents and those of the published profiles."""
    study = read_published(STUDY)
    parts = [pd.DataFrame(study["results"]).assign(of="the original study, as published")]
    named = [("this run", source), *((f"profile {name}", name) for name in published_profiles("metrics"))]
    for title, each in named:
        metrics = read_result(each, "metrics")
        rows = metrics[_own(metrics)]
        percent = {f"{name}_percent": 100 * rows[name] for name in ("return", "volatility", "max_drawdown")}
        plain = {"sharpe": rows["sharpe"], "turnover_per_day": rows["turnover_per_day"]}
        parts.append(pd.DataFrame({"fee_bps": rows["test_fee_bps"], **percent, **plain, "of": title}))
    titles = {
        "of": "of",
        "fee_bps": "fee (bps)",
        "return_percent": "return (%)",
        "volatility_percent": "volatility (%)",
        "sharpe": "Sharpe",
        "max_drawdown_percent": "max drawdown (%)",
        "turnover_per_day": "turnover (/day)",
    }
    table = pd.concat(parts, ignore_index=True)[list(titles)].rename(columns=titles).set_index(["of", "fee (bps)"])
    return table.round(2) + 0.0  # no negative zeros


def _own(metrics: pd.DataFrame) -> "pd.Series[bool]":
    """Return which rows are those of agents at their own fee, all seeds pooled."""
    return (metrics["train_fee_bps"] == metrics["test_fee_bps"]) & (metrics["seed"] == ALL_SEEDS)


def _interval(rows: pd.DataFrame, name: str, digits: int) -> list[str]:
    return [bounds(*ends, digits) for ends in zip(rows[f"{name}_lower"], rows[f"{name}_upper"], strict=True)]
