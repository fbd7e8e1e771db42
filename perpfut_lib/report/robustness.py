"""Tables and figures of the robustness checks, from a run's artifacts or from a profile's published results."""

import pandas as pd
from matplotlib.figure import Figure

from perpfut_lib.artifacts import list_published, read_published
from perpfut_lib.evaluate import ALL_SEEDS
from perpfut_lib.report.sources import Source, nothing_published, read_result
from perpfut_lib.report.style import PALETTE, figure

PROTOCOL = "protocol"
LIKELY = 0.95
FEW_DAYS = 20  # with fewer a bootstrap has too few blocks to draw from


def seeds_table(source: Source) -> pd.DataFrame:
    """Return the interquartile mean of the test return (%) and Sharpe ratio over seeds, with intervals, by fees."""
    seeds = read_result(source, "seeds")
    unit = seeds["measure"].map({"return": 100.0, "sharpe": 1.0})
    shown = {
        "trained at (bps)": seeds["train_fee_bps"],
        "tested at (bps)": seeds["test_fee_bps"],
        "measure": seeds["measure"].replace({"return": "return (%)", "sharpe": "Sharpe"}),
        "seeds": seeds["seeds"],
        "interquartile mean": (unit * seeds["mean"]).round(2),
        "interval": _bounds(unit * seeds["lower"], unit * seeds["upper"]),
    }
    return pd.DataFrame(shown).set_index(["trained at (bps)", "tested at (bps)", "measure"]).sort_index()


def luck_table(source: Source) -> pd.DataFrame:
    """Return the tests for luck, one row a test, one column a fee; probabilities and p-values as fractions."""
    luck = read_result(source, "luck").set_index("fee_bps")
    titles = {
        "days": "test days",
        "sharpe": "Sharpe ratio",
        "detectable": "least detectable Sharpe ratio (power 80 %)",
        "probabilistic": "P(true Sharpe ratio > 0)",
        "trials": "trials counted",
        "deflated": "deflated Sharpe ratio",
        "overfitting": "probability of backtest overfitting",
    }
    tests = [name for name in luck if name.startswith("spa ")]
    titles |= {name: f"SPA: p-value, does any agent beat {name.removeprefix('spa ')}?" for name in tests}
    return luck[list(titles)].rename(columns=titles).T.round(3).rename_axis(index="test", columns="fee (bps)")


def folds_table(source: Source) -> pd.DataFrame:
    """Return the test return (%) of each walk-forward fold, a column each, by agent and fee, and how many gained."""
    folds = read_result(source, "folds")
    wide = 100 * folds.pivot_table(index=["agent", "test_fee_bps"], columns="start", values="return")
    table = wide.round(2).rename_axis(index=["agent", "fee (bps)"], columns="test from")
    return table.assign(gains=[f"{int((row > 0).sum())} of {len(row)}" for row in wide.to_numpy()])


def placebo_table(source: Source) -> pd.DataFrame:
    """Return how often the protocol saw an edge in placebo worlds, by fee, with the largest Sharpe ratio it met."""
    placebos = read_result(source, "placebos")
    grouped = placebos.groupby("fee_bps")
    table = {
        "worlds": grouped.size(),
        "edges reported": grouped["significant"].sum(),
        "largest Sharpe ratio": grouped["sharpe"].max().round(1),
        "smallest SPA p-value": grouped["spa"].min().round(3),
    }
    return pd.DataFrame(table).rename_axis(index="fee (bps)")


def power_table() -> pd.DataFrame:
    """Return how often the protocol reports an edge, by planted spread and fee, as published; empty if it never was."""
    if PROTOCOL not in list_published():
        return nothing_published()
    rows = pd.DataFrame(read_published(PROTOCOL)["summary"])
    shown = rows.assign(share=[f"{one.reported} of {one.worlds}" for one in rows.itertuples()])
    wide = shown.pivot(index=["policy", "spread_std_bps"], columns="fee_bps", values="share").fillna("-")
    return wide.rename_axis(index=["policy", "planted spread (bps)"], columns="fee (bps)")


def plot_power() -> Figure:
    """Plot the share of worlds in which the protocol reports an edge over the size of the planted spread."""
    rows = pd.DataFrame(read_published(PROTOCOL)["summary"])
    rows = rows[rows["policy"] == "rules"]
    with figure() as (made, (axes,)):
        for color, (fee, group) in zip(PALETTE, rows.groupby("fee_bps"), strict=False):
            share = 100 * group["reported"] / group["worlds"]
            axes.plot(group["spread_std_bps"], share, color=color, marker="o", label=f"{fee:g} bps")
        axes.axhline(5.0, color="0.4", linewidth=0.8, linestyle="--")
        axes.set_xlabel("standard deviation of the planted spread (bps); 0: noise")
        axes.set_ylabel("worlds with an edge reported (%)")
        axes.set_title("Noise is left alone, and an edge is found once it is large enough")
        axes.legend(title="fee per side")
    return made


def findings(source: Source) -> str:
    """Return Markdown that says, fee by fee, what was found, whether it could be luck, and what would make it pay."""
    metrics, luck = read_result(source, "metrics"), read_result(source, "luck").set_index("fee_bps")
    own = metrics[(metrics["train_fee_bps"] == metrics["test_fee_bps"]) & (metrics["seed"] == ALL_SEEDS)]
    return "\n".join(_finding(row, luck.loc[row["test_fee_bps"]]) for _, row in own.iterrows())


def _finding(row: pd.Series, luck: pd.Series) -> str:
    fee, gain = row["test_fee_bps"], 100 * row["return"]
    head = f"- At **{fee:g} bps** the agent returned {gain:+.2f} % in {int(row['days'])} days"
    if row["turnover_per_day"] == 0.0:
        return f"{head}: it did not trade, because nothing that it learned beat doing nothing on the validation span."
    sure = row["return_lower"] > 0.0 and luck["deflated"] >= LIKELY and luck["spa flat"] <= 1.0 - LIKELY
    tests = (
        f"interval {100 * row['return_lower']:+.2f} to {100 * row['return_upper']:+.2f} %, deflated Sharpe ratio "
        f"{luck['deflated']:.2f} over {int(luck['trials'])} trials, "
        f"SPA p-value against not trading {luck['spa flat']:.2f}"
    )
    verdict = "**significant** by all three tests" if sure else "**not significant**: at least one test calls it luck"
    if row["days"] < FEW_DAYS:
        verdict = "**not significant**: so few days make every interval and test too sure of itself"
    margin = row["break_even_bps"] - fee
    pays = (
        f"Costs a side could rise by {margin:.2f} bps before the gain is gone."
        if margin > 0
        else f"To pay, costs a side would have to fall below {row['break_even_bps']:.2f} bps."
        if row["break_even_bps"] > 0
        else "It lost before costs: no fee is low enough."
    )
    return (
        f"{head} ({tests}): {verdict}. {pays} A test of this length finds an edge with a power of 80 % only from a "
        f"Sharpe ratio of {luck['detectable']:.1f} on."
    )


def _bounds(lower: pd.Series, upper: pd.Series) -> list[str]:
    return [f"[{low:.2f}, {high:.2f}]" for low, high in zip(lower, upper, strict=True)]
