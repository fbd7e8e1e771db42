"""The agent in fresh simulated markets, beside the best rule and a trader who knows the market."""

from collections.abc import Mapping
from typing import Final

import pandas as pd

from perpfut_lib import statistics
from perpfut_lib.artifacts import list_published, read_published
from perpfut_lib.evaluate.fresh_worlds import AGENT, BEST, INFORMED, world_values
from perpfut_lib.report.style import NOTHING, bounds, decimals
from perpfut_lib.types import Json

MAIN: Final = "default"
UNPUBLISHED: Final = "*No worlds are published yet.*"
VARIANTS: Final = {
    "default": "the shipped learner",
    "default-train.keep_errors=1000000": "the base rule alone, never corrected",
    "default-train.overlay=0": "counterfactual PPO without a base rule",
    "default-train.placebos=0": "without placebo markets in training",
    "default-train.algorithm=sb3-ppo": "PPO of Stable-Baselines3 on the same environments",
}
"""Published variants of the learner and what each is."""


def learner_table(name: str = MAIN) -> pd.DataFrame:
    """Return, by fee, mean utility (bps per pair-day) of agent, best rule and informed trader over fresh worlds.

    ``agent - rule`` is the paired difference and ``share`` the agent's utility as a share of the informed trader's (%),
    both with 95 % t intervals over worlds; ``return`` is that of the test span (%), agent and best rule.
    """
    content = read_published(f"learner/{name}")
    rows = []
    for fee in _fees(content):
        agent, rule, informed = (
            world_values(content["worlds"], policy, fee, "utility") for policy in (AGENT, BEST, INFORMED)
        )
        apart, share = statistics.mean_interval(agent - rule), statistics.ratio_interval(agent, informed)
        returns = [
            100 * float(world_values(content["worlds"], policy, fee, "return").mean()) for policy in (AGENT, BEST)
        ]
        rows.append(
            {
                "fee (bps)": decimals(fee, 2),
                "worlds": len(agent),
                "agent": decimals(float(agent.mean()), 1),
                "best rule": decimals(float(rule.mean()), 1),
                "agent - rule": f"{decimals(apart.estimate, 1, sign='+')} {bounds(apart.lower, apart.upper, 1)}",
                "informed": decimals(float(informed.mean()), 1),
                "share (%)": _percent(share),
                "return (%): agent, rule": f"{decimals(returns[0], 2)}, {decimals(returns[1], 2)}",
            }
        )
    return pd.DataFrame(rows).set_index("fee (bps)")


def ablation_table() -> pd.DataFrame:
    """Return the mean utility (bps per pair-day) of each variant on the worlds that all of them were run on, by fee.

    Beside it the paired difference to the shipped learner with its 95 % t interval over worlds.
    """
    contents = {name: read_published(f"learner/{name}") for name in VARIANTS if f"learner/{name}" in _published()}
    if MAIN not in contents:
        return pd.DataFrame(columns=["no worlds are published yet"])
    seeds = set.intersection(*({world["seed"] for world in content["worlds"]} for content in contents.values()))
    shared = {name: {"worlds": [w for w in one["worlds"] if w["seed"] in seeds]} for name, one in contents.items()}
    rows = {}
    for name, content in shared.items():
        cells = {"worlds": str(len(seeds))}
        for fee in _fees(content):
            own, shipped = (world_values(each["worlds"], AGENT, fee, "utility") for each in (content, shared[MAIN]))
            text = decimals(float(own.mean()), 1)
            if name != MAIN:
                apart = statistics.mean_interval(own - shipped)
                text += f" ({decimals(apart.estimate, 1, sign='+')} {bounds(apart.lower, apart.upper, 1)})"
            cells[f"{decimals(fee, 2)} bps"] = text
        rows[VARIANTS[name]] = cells
    return pd.DataFrame(rows).T.rename_axis(index="learner")


def learner_findings(name: str = MAIN) -> str:
    """Return in a sentence whether the agent beats the best fixed rule where there is something to learn."""
    if f"learner/{name}" not in _published():
        return UNPUBLISHED
    content = read_published(f"learner/{name}")
    told, ahead, behind = [], 0, 0
    for fee in _fees(content):
        agent, rule = (world_values(content["worlds"], policy, fee, "utility") for policy in (AGENT, BEST))
        apart = statistics.mean_interval(agent - rule)
        ahead, behind = ahead + (apart.lower > 0.0), behind + (apart.upper < 0.0)
        told.append(
            f"{decimals(apart.estimate, 1, sign='+')} {bounds(apart.lower, apart.upper, 1)} at {decimals(fee, 2)} bps"
        )
    fees = len(told)
    verdict = (
        f"earns more utility than the best fixed rule at {ahead} of {fees} fees"
        if ahead
        else f"shows no more utility than the best fixed rule at any of {fees} fees"
    )
    less = f", and less at {behind}" if behind else ""
    first, count = content["worlds"][0]["seed"], len(content["worlds"])
    return (
        f"On {count} fresh simulated markets (seeds from {first}, not used in development) the agent {verdict}{less}: "
        f"{'; '.join(told)} (bps per pair-day, 95 % intervals over markets)."
    )


def _published() -> list[str]:
    return list_published("learner")


def _fees(content: Mapping[str, Json]) -> list[float]:
    return list(dict.fromkeys(row["fee_bps"] for row in content["worlds"][0]["rows"]))


def _percent(share: statistics.Interval) -> str:
    """Return a share with its interval; a dash where it is not known to within the whole."""
    if not share.upper - share.lower <= 1.0:
        return NOTHING
    return f"{decimals(100 * share.estimate, 0)} {bounds(100 * share.lower, 100 * share.upper, 0)}"
