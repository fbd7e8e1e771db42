"""How much of the attainable the learner reaches where the truth is known: tables and figures of published trials."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from perpfut_lib.artifacts import read_published
from perpfut_lib.report.style import PALETTE, figure
from perpfut_lib.types import JsonObject


def learnability_table() -> pd.DataFrame:
    """Return, by fee, the agents' utility beside the oracle's on the same fresh episodes.

    ``program`` is what the dynamic program expects; the oracle earns a little less where legs drift apart and are sized
    back, and a little more or less by sampling of the episodes.
    """
    rows = _published()["shares"]["summary"]
    table = pd.DataFrame(
        {
            "fee (bps)": [row["fee_bps"] for row in rows],
            "seeds": [row["seeds"] for row in rows],
            "agent (bps a day)": [round(row["utility"], 1) for row in rows],
            "oracle (bps a day)": [round(row["oracle"], 1) for row in rows],
            "program (bps a day)": [round(row["program"], 1) for row in rows],
            "share (%)": [round(100 * row["share"], 1) for row in rows],
            "interval": [f"[{100 * row['lower']:.1f}, {100 * row['upper']:.1f}]" for row in rows],
            "target (%)": [100 * row["target"] for row in rows],
        }
    )
    return table.set_index("fee (bps)")


def harder_table() -> pd.DataFrame:
    """Return utilities on the harder task by policy and fee, basis points a day, with shares of the informed trader's.

    Unpublished where trials on it are not: then the table has no rows.
    """
    rows = _published().get("harder", {"summary": []})["summary"]
    table = pd.DataFrame(
        {
            "policy": [row["policy"] for row in rows],
            "fee (bps)": [f"{row['fee_bps']:g} bps" for row in rows],
            "utility": [f"{row['utility']:.1f} ({100 * row['share']:.0f} %)" for row in rows],
        }
    )
    shaped = table.pivot(index="policy", columns="fee (bps)", values="utility")
    return shaped.reindex(index=table["policy"].unique(), columns=table["fee (bps)"].unique())


def harder_findings(published: JsonObject | None = None) -> str:
    """Return half a sentence on the harder task, with what the corrections of the base rule are worth; empty if none.

    An agent that earns exactly what its base rule earns has been exported without a correction.
    """
    content = (published or _published()).get("harder")
    if content is None:
        return ""
    shares = [100 * row["share"] for row in content["summary"] if row["policy"] == "agent"]
    trials = [trial["utility"] for trial in content["trials"]]
    above = sum(trial["agent"] > trial["ridge"] for trial in trials)
    corrected = sum(trial["agent"] != trial["base rule"] for trial in trials)
    return (
        f"; on the harder task, {min(shares):.0f} to {max(shares):.0f} % of an informed trader's, more than the ridge "
        f"in {above} of {len(trials)} trials; what PPO corrects of the fitted rule was worth keeping in {corrected} of "
        "them"
    )


def noise_table() -> pd.DataFrame:
    """Return what agents do that were trained on pure noise, before the rule that abstains."""
    rows = _published()["noise"]["trials"]
    table = pd.DataFrame(
        {
            "fee (bps)": [row["fee_bps"] for row in rows],
            "seed": [row["seed"] for row in rows],
            "mean |exposure|": [round(row["exposure"], 4) for row in rows],
            "utility (bps a day)": [round(row["utility"], 3) for row in rows],
            "exported": ["flat" if row["validated"] <= 0.0 else "as trained" for row in rows],
        }
    )
    return table.set_index(["fee (bps)", "seed"])


def signal_to_noise(std_bps: float, noise_bps: float, half_life: float) -> float:
    """Return the deviation of the drift of one bar over that of its surprise, for a planted spread beside a walk."""
    persistence = 2.0 ** (-1.0 / half_life)
    surprise = np.sqrt((1.0 - persistence**2) * std_bps**2 + noise_bps**2)
    return float((1.0 - persistence) * std_bps / surprise)


def plot_detection_limit() -> Figure:
    """Plot the share of the oracle's utility against the signal-to-noise ratio of one bar."""
    content = _published()
    reference = [trial for trial in content["shares"]["trials"] if trial["seed"] == 0]
    trials = pd.DataFrame(content["limit"]["trials"] + reference)
    trials = trials[trials["fee_bps"].isin([trial["fee_bps"] for trial in content["limit"]["trials"]])]
    trials = trials.sort_values("std_bps")
    half_life = content["task"]["half_life"]
    with figure() as (made, (axes,)):
        for color, (fee, rows) in zip(PALETTE, trials.groupby("fee_bps"), strict=False):
            ratios = [signal_to_noise(a, b, half_life) for a, b in zip(rows["std_bps"], rows["noise_bps"], strict=True)]
            shares = 100 * rows["utility"] / rows["oracle"]
            earns = rows["oracle"] > 1.0  # the share of nothing is not a number
            axes.plot(np.array(ratios)[earns], shares[earns], "o-", color=color, label=f"{fee:g} bps")
        axes.axhline(100.0, color="0.4", linewidth=0.8, linestyle="--")
        axes.axhline(0.0, color="0.4", linewidth=0.8)
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter("{x:g}")
        axes.set_xlabel("drift of a bar over its surprise (standard deviations)")
        axes.set_ylabel("share of the oracle's utility (%)")
        axes.set_title("How weak an edge the agent still finds")
        axes.legend(title="fee per side")
    return made


def plot_race() -> Figure:
    """Plot validation utility over seconds of training, ours beside stock Stable-Baselines3."""
    race = _published()["race"]
    names = ("ours", "Stable-Baselines3, one environment")
    with figure() as (made, (axes,)):
        for color, name, trial in zip(PALETTE, names, race["trials"], strict=False):
            seconds, utility = np.array(trial["seconds"]), trial["validation_utility"]
            axes.plot(np.maximum(seconds, 0.1), utility, color=color, marker=".", label=name)
        axes.axhline(race["trials"][0]["oracle"], color="0.4", linewidth=0.8, linestyle="--", label="oracle")
        axes.set_xscale("log")
        axes.set_xlabel("training (seconds, one core)")
        axes.set_ylabel("validation utility (bps a day)")
        axes.set_title(f"Learning by wall time at {race['trials'][0]['fee_bps']:g} bps")
        axes.legend()
    return made


def _published() -> JsonObject:
    content: JsonObject = read_published("learnability")
    return content
