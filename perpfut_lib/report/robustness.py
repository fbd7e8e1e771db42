"""Tables and figures of the robustness checks, from a run's artifacts or from a profile's published results."""

import pandas as pd

from perpfut_lib.artifacts import list_published, read_published
from perpfut_lib.report.sources import Source, nothing_published, read_result
from perpfut_lib.report.style import NOTHING, bounds, decimals

PROTOCOL = "protocol"
COVERAGE = "coverage"
DIGITS = {"days": 0, "sharpe": 2, "detectable": 2, "trials": 0}  # of all others three


def seeds_table(source: Source) -> pd.DataFrame:
    """Return the interquartile mean of the test return (%) and Sharpe ratio over seeds, with intervals, by fees."""
    seeds = read_result(source, "seeds")
    unit = seeds["measure"].map({"return": 100.0, "sharpe": 1.0})
    shown = {
        "trained at (bps)": seeds["train_fee_bps"],
        "tested at (bps)": seeds["test_fee_bps"],
        "measure": seeds["measure"].replace({"return": "return (%)", "sharpe": "Sharpe"}),
        "seeds": seeds["seeds"],
        "interquartile mean": (unit * seeds["mean"]).round(2) + 0.0,
        "interval": [bounds(*ends, 2) for ends in zip(unit * seeds["lower"], unit * seeds["upper"], strict=True)],
    }
    return pd.DataFrame(shown).set_index(["trained at (bps)", "tested at (bps)", "measure"]).sort_index()


def significance_table(source: Source) -> pd.DataFrame:
    """Return the significance tests, one row per test, one column per fee; probabilities and p-values as fractions.

    Figures are text, because rows differ in their decimals; a dash where a test has nothing to judge.
    """
    significance = read_result(source, "significance").set_index("fee_bps")
    titles = {
        "days": "test days",
        "sharpe": "Sharpe ratio",
        "detectable": "least detectable Sharpe ratio (power 80 %)",
        "probabilistic": "P(true Sharpe ratio > 0)",
        "trials": "trials counted",
        "deflated": "deflated Sharpe ratio",
        "overfitting": "probability of backtest overfitting",
    }
    tests = [name for name in significance if name.startswith("spa ")]
    titles |= {name: f"SPA: p-value, does any agent beat {name.removeprefix('spa ')}?" for name in tests}
    shown = {
        title: [decimals(value, DIGITS.get(name, 3)) for value in significance[name]] for name, title in titles.items()
    }
    return pd.DataFrame(shown, index=significance.index).T.rename_axis(index="test", columns="fee (bps)")


def folds_table(source: Source) -> pd.DataFrame:
    """Return how many walk-forward folds gained, and the test return (%) of each, a column each, by agent and fee."""
    folds = read_result(source, "folds")
    wide = 100 * folds.pivot_table(index=["agent", "test_fee_bps"], columns="start", values="return")
    table = (wide.round(2) + 0.0).rename_axis(index=["agent", "fee (bps)"], columns="test from")
    table.insert(0, "gains", [f"{int((row > 0).sum())} of {len(row)}" for row in wide.to_numpy()])
    return table


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
    wide = shown.pivot(index=["policy", "spread_std_bps"], columns="fee_bps", values="share").fillna(NOTHING)
    return wide.rename_axis(index=["policy", "planted spread (bps)"], columns="fee (bps)")


def power_findings(fee: float = 1.44) -> str:
    """Return half a sentence: how often agents are taken for an edge on noise, and find the smallest one planted.

    Beside the tuned rules, at one fee in basis points; empty where agents were not judged.
    """
    if PROTOCOL not in list_published():
        return ""
    rows = pd.DataFrame(read_published(PROTOCOL)["summary"])
    agents = rows[rows["policy"] == "agent"]
    planted = agents.loc[agents["spread_std_bps"] > 0.0, "spread_std_bps"]
    if planted.empty:
        return ""
    noise = agents.loc[agents["spread_std_bps"] == 0.0, ["reported", "worlds"]].sum()
    at = rows[(rows["spread_std_bps"] == planted.min()) & (rows["fee_bps"] == fee)].set_index("policy")
    found = {name: f"{at.at[name, 'reported']} of {at.at[name, 'worlds']} worlds" for name in at.index}
    return (
        f"; in larger numbers, {noise['reported']} of {noise['worlds']} with agents on noise, who find a planted "
        f"spread of {planted.min():g} bps at a fee of {fee:g} bps in {found['agent']} (tuned rules: {found['rules']})"
    )


def coverage_table() -> pd.DataFrame:
    """Return, by number of days, what 95 % intervals cover and how often the test of the best rejects a truth (%)."""
    if COVERAGE not in list_published():
        return nothing_published()
    content = read_published(COVERAGE)
    titles = {
        "return": "return: t interval",
        "sharpe": "Sharpe ratio: jackknife",
        "bootstrap": "Sharpe ratio: percentile bootstrap",
        "spa": f"best of {content['candidates']} worthless: rejected at 5 %",
    }
    rows = [{"days": row["days"], **{titles[k]: decimals(100 * row[k], 1) for k in titles}} for row in content["rows"]]
    return pd.DataFrame(rows).set_index("days")
