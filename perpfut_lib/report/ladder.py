"""Tables and figures of the attribution: what each correction of the original rules does to the result."""

from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from perpfut_lib.attribution import ORIGINAL, Difference, differences, effort, studies
from perpfut_lib.attribution.ladder import RULE
from perpfut_lib.attribution.sweep import SAME_CLOSE
from perpfut_lib.config import Profile
from perpfut_lib.report.sources import Source, read_result
from perpfut_lib.report.style import NOTHING, PALETTE, bounds, decimals, figure

MEASURES = (("return", 100, "return (%)", 2), ("sharpe", 1, "Sharpe", 2), ("break_even_bps", 1, "break-even (bps)", 2))

FEW: Final = 3
"""Settings of one section and reason that are listed one by one; more are counted."""


def ladder_table(source: Source, agent: str | None = None) -> pd.DataFrame:
    """Return one row per rung and fee: each measure, and its change from the rung below with a paired interval.

    Returns in %, costs in basis points; of the learned agent, where there is one, unless another is named.

    Parameters
    ----------
    source : Source
        A run, or the name of a published profile.
    agent : str
        Which of the run's agents or rules.
    """
    ladder = read_result(source, "ladder")
    rows = ladder["label"].str.startswith("rung") & (ladder["agent"] == (agent or climbers(ladder)[0]))
    return changes_table(ladder[rows], "correction")


def lone_faults_table(source: Source, agent: str | None = None) -> pd.DataFrame:
    """Return one row per fault and fee: what that fault alone does to the correct rules, as in :func:`ladder_table`.

    Parameters
    ----------
    source : Source
        A run, or the name of a published profile.
    agent : str
        Which of the run's agents or rules.
    """
    ladder = read_result(source, "ladder")
    rows = ladder["label"].str.startswith("fault") & (ladder["agent"] == (agent or climbers(ladder)[0]))
    return changes_table(ladder[rows], "without")


def agents(table: pd.DataFrame) -> tuple[str, str]:
    """Return the names of the learned agent, which is that of its algorithm, and of the rule beside it."""
    return next((name for name in table["agent"] if name != RULE), "counterfactual-ppo"), RULE


def climbers(ladder: pd.DataFrame) -> list[str]:
    """Return the names of the policies on the ladder, the learned agent first."""
    return [name for name in agents(ladder) if name in set(ladder["agent"])]


def changes_table(rows: pd.DataFrame, named: str) -> pd.DataFrame:
    """Return rows of the ladder for readers."""
    table = {named: rows["correction"], "fault": rows["fault"], "fee (bps)": rows["fee_bps"]}
    table["days"] = rows["days"].astype(int)
    for name, unit, title, digits in MEASURES:
        change, low, high = (unit * rows[f"{name}_change{end}"] for end in ("", "_lower", "_upper"))
        table[title] = (unit * rows[name]).round(digits) + 0.0
        table[f"Δ {title}"] = [_change(*values, digits) for values in zip(change, low, high, strict=True)]
    table["excess (%)"] = (100 * rows["excess"]).round(2) + 0.0
    return pd.DataFrame(table).set_index([named, "fault", "fee (bps)"])


def lowest_rung_table(profile: Profile) -> pd.DataFrame:
    """Return the settings in which a profile's lowest rung differs from the original study's, and why.

    Both are read from their settings; where many of one section differ for one reason, their number stands for them.
    """
    lowest = next(iter(studies(profile))).profile
    groups: dict[tuple[str, str], list[Difference]] = {}
    for one in differences(lowest):
        groups.setdefault((one.section, _why(one, profile)), []).append(one)
    rows: list[tuple[str, str, str, str]] = []
    for (section, why), found in groups.items():
        listed = [(one.setting, _value(one.here), _value(one.original)) for one in found]
        counted = [(f"{section}: {len(found)} settings", NOTHING, NOTHING)]
        rows += [(*row, why) for row in (listed if len(found) <= FEW else counted)]
    return pd.DataFrame(rows, columns=["setting", "lowest rung", ORIGINAL, "why"]).set_index("setting")


def _why(one: Difference, profile: Profile) -> str:
    if one.of_market:
        return "the market is the profile's own"
    if one.of_measure:
        return "the same measure on every rung"
    if one.setting in effort(profile):
        return "the same effort on every rung"
    if not profile.attribution.agents:
        return "no agent is trained" if one.section in ("train", "features") else "no fault: this study's on all rungs"
    return "not among what this ladder starts from"


def _value(value: object) -> str:
    return "none" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def sweep_table(source: Source) -> pd.DataFrame:
    """Return the break-even cost (bps) of the same decisions by fill: at once or later, at trades or mid prices."""
    sweep = read_result(source, "sweep")
    wide = sweep.pivot_table(
        index=["agent", "fee_bps", "prices"], columns="delay", values="break_even_bps", dropna=False
    ).dropna(how="all")
    names = {delay: "the close seen" if delay == SAME_CLOSE else f"open + {delay}" for delay in wide.columns}
    return wide.rename(columns=names).rename_axis(columns=None, index=["agent", "fee (bps)", "prices"]).round(2)


def plot_ladder(source: Source) -> Figure:
    """Plot return with its interval on every rung, one colour per fee regime; one panel for each that climbed it."""
    ladder = read_result(source, "ladder")
    ladder = ladder[ladder["label"].str.startswith("rung")]
    names = ladder.drop_duplicates("label")["correction"].tolist()
    with figure(1, len(climbers(ladder)), height=0.8 + 0.42 * len(names)) as (made, panels):
        for axes, agent in zip(panels, climbers(ladder), strict=True):
            for number, (fee, rows) in enumerate(ladder[ladder["agent"] == agent].groupby("fee_bps")):
                place = [-rung - 0.2 * (number - 1) for rung in range(len(rows))]
                middle = 100 * rows["return"]
                reach = [middle - 100 * rows["return_lower"], 100 * rows["return_upper"] - middle]
                color, label = PALETTE[number], f"{fee:g} bps"
                axes.errorbar(middle, place, xerr=reach, fmt="o", markersize=4, color=color, label=label)
            axes.set_yticks([-rung for rung in range(len(names))], names if axes is panels[0] else [""] * len(names))
            axes.axvline(0.0, color="0.4", linewidth=0.8)
            axes.set_xlabel("test return (%)")
            axes.set_title(agent)
        panels[0].legend(title="fee per side", fontsize=8)
        made.suptitle("From the original rules (top) to correct ones (bottom)")
    return made


def plot_sweep(source: Source) -> Figure:
    """Plot the break-even cost over the delay of fills, lines for last trades and dashes for mid prices."""
    sweep = read_result(source, "sweep")
    with figure(1, 2, height=3.8) as (made, panels):
        for axes, agent in zip(panels, agents(sweep), strict=True):
            groups = sweep[sweep["agent"] == agent].groupby(["fee_bps", "prices"])
            fees = sorted(sweep["fee_bps"].unique())
            for (fee, prices), rows in groups:
                color, linestyle = PALETTE[fees.index(fee)], "-" if prices == "last" else "--"
                label = f"{fee:g} bps" if prices == "last" else None
                x, y = rows["delay"], rows["break_even_bps"]
                axes.plot(x, y, marker=".", label=label, color=color, linestyle=linestyle)
            axes.axhline(0.0, color="0.4", linewidth=0.8)
            axes.set_xlabel("bars after the next open\n(-1: the close seen)")
            axes.set_xticks(sorted(sweep["delay"].unique()))
            axes.set_title(agent)
        panels[0].set_ylabel("break-even cost (bps)")
        made.legend(*panels[0].get_legend_handles_labels(), title="fee per side", loc="outside lower center", ncols=3)
    return made


def _change(change: float, lower: float, upper: float, digits: int) -> str:
    """Return a change with its interval; a dash where there is none to count from."""
    return NOTHING if pd.isna(change) else f"{decimals(change, digits, sign='+')} {bounds(lower, upper, digits)}"
