"""The live agent, for chapter 10: its graphs, and what it signalled in the replay of the chapter's own run."""

from collections import defaultdict
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from perpfut_lib.artifacts import Run
from perpfut_lib.report.style import NOTHING, PALETTE, figure, time_axis

STAGE: Final = "replay"
END: Final = "__end__"


def replay_obstacle(run: Run) -> str:
    """Return why this profile cannot be replayed, empty where it was."""
    return str(run.stage(STAGE).read_json("rules.json")["obstacle"])


def parity_table(run: Run) -> pd.DataFrame:
    """Return one row per replayed pair-day: decisions, how many equal the evaluation's to the bit, interventions."""
    table = run.stage(STAGE).read_table("parity.parquet")
    titles = {"window": "window (UTC)", "largest_difference": "largest difference"}
    return table.rename(columns=titles).set_index(["window (UTC)", "pair"])


def status_table(run: Run) -> pd.DataFrame:
    """Return how often each status and reason occurred in the replay, over pairs and bars."""
    signals = run.stage(STAGE).read_table("signals.parquet")
    reasons = signals[["reasons", "overall"]].fillna("").astype(str).agg(" ".join, axis=1).str.strip()
    counted = signals.assign(reasons=reasons.replace("", NOTHING)).groupby(["status", "reasons"]).size()
    return counted.rename("decisions").to_frame()


def plot_graphs(run: Run) -> Figure:
    """Draw the graphs as the code has them: time runs downward, dashed arrows are taken on a condition."""
    graphs = run.stage(STAGE).read_json("graphs.json")
    with figure(columns=len(graphs), height=5.2) as (made, every):
        for axes, (name, edges) in zip(every, graphs.items(), strict=True):
            _draw(axes, edges)
            axes.set_title(name)
    return made


def plot_timeline(run: Run) -> Figure:
    """Plot exposure asked for by pair, gross target notional, and the status of every pair bar by bar."""
    signals = run.stage(STAGE).read_table("signals.parquet")
    with figure(rows=3, height=2.1) as (made, (asked, gross, status)):
        if len(signals):
            for color, (pair, rows) in zip(PALETTE, signals.groupby("pair"), strict=False):
                asked.plot(_dates(rows["bar_close"]), rows["action"], color=color, linewidth=0.9, label=pair)
            notional = signals.assign(gross=signals["weight_y"].abs() + signals["weight_x"].abs())
            total = notional.groupby("bar_close")["gross"].sum()
            gross.step(_dates(total.index), 100 * total, where="post", color=PALETTE[0])
            _strips(status, signals)
            made.legend(*asked.get_legend_handles_labels(), loc="outside upper center", fontsize=8, ncols=3)
        asked.set_ylabel("action")
        asked.set_title("What the policy asks for, what is targeted, and what the checks say")
        gross.set_ylabel("gross target\n(% of equity)")
        for axes in (asked, gross, status):
            time_axis(axes)
            axes.label_outer()
    return made


def _dates(milliseconds: Any) -> Any:
    return pd.to_datetime(np.asarray(milliseconds, np.int64), unit="ms")


def _strips(axes: Axes, signals: pd.DataFrame) -> None:
    """Draw one line of dots per pair, coloured by status."""
    colors = {"active": PALETTE[2], "held": PALETTE[1], "flat": PALETTE[3]}
    pairs = sorted(signals["pair"].unique(), reverse=True)
    for status, rows in signals.groupby("status"):
        place = rows["pair"].map(pairs.index)
        axes.plot(_dates(rows["bar_close"]), place, "|", color=colors[str(status)], label=str(status), markersize=7)
    axes.set_yticks(range(len(pairs)), pairs, fontsize=8)
    axes.set_ylim(-0.5, len(pairs) + 0.2)
    axes.legend(fontsize=8, ncols=3, loc="upper right")


def _draw(axes: Axes, edges: list[tuple[str, str, bool]]) -> None:
    """Draw one graph: nodes by their longest way from the start, downward."""
    depth = _depths(edges)
    rows = defaultdict(list)
    for node, level in depth.items():
        rows[level].append(node)
    place = {
        node: (number - (len(nodes) - 1) / 2, -level)
        for level, nodes in rows.items()
        for number, node in enumerate(nodes)
    }
    for source, target, conditional in edges:
        far = depth[target] - depth[source] > 1
        arrow = {
            "arrowstyle": "-|>",
            "linestyle": "--" if conditional else "-",
            "color": "0.35",
            "shrinkA": 9,
            "shrinkB": 9,
        }
        bend = "arc3,rad=0.5" if far else "arc3"
        axes.annotate("", place[target], place[source], arrowprops=arrow | {"connectionstyle": bend})
    for node, (x, y) in place.items():
        text = {"__start__": "start", END: "end"}.get(node, node.replace("_", "\n", 1))
        box = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": PALETTE[0]}
        axes.text(x, y, text, ha="center", va="center", fontsize=8, bbox=box)
    axes.set_xlim(-1.1, 1.1)
    axes.set_ylim(-max(depth.values()) - 0.5, 0.5)
    axes.axis("off")


def _depths(edges: list[tuple[str, str, bool]]) -> dict[str, int]:
    """Return the longest way of every node from the start, in edges; the graphs have no cycle."""
    depth = {node: 0 for source, target, _ in edges for node in (source, target)}
    for _ in depth:
        for source, target, _conditional in edges:
            depth[target] = max(depth[target], depth[source] + 1)
    return depth
