"""What each chapter found: three sentences, each from the figures of the run that the chapter shows."""

from collections.abc import Callable
from typing import Final

import pandas as pd

from perpfut_lib.artifacts import Run, list_published, read_published
from perpfut_lib.config import Profile
from perpfut_lib.report.agent import parity_table, replay_obstacle
from perpfut_lib.report.cointegration import discovery_table, survival_table
from perpfut_lib.report.environment import kernel_check, liquidation_table
from perpfut_lib.report.features import feature_list
from perpfut_lib.report.quality import findings_table, quality_table, universe_table
from perpfut_lib.report.result_findings import attribution, evaluation, robustness, training
from perpfut_lib.report.sources import LOW_FEE_BPS
from perpfut_lib.report.style import decimals
from perpfut_lib.report.tables import data_summary, environment_check, feature_table, window_table
from perpfut_lib.store.stage import load_panel

Sentences = tuple[str, str, str]
MINUTE_MS: Final = 60_000
MAINTENANCE: Final = 0.05
"""Maintenance margin in chapter 05's table."""


def chapter_findings(chapter: str, profile: Profile, run: Run) -> str:
    """Return the three sentences of a chapter, named as its notebook is.

    Parameters
    ----------
    chapter : str
        Name of the notebook, such as ``07_evaluation``.
    profile : Profile
        Settings of the run.
    run : Run
        Where its artifacts are.
    """
    return " ".join(FOUND[chapter](profile, run))


def data_acquisition(profile: Profile, run: Run) -> Sentences:
    """Say how much came in, how much it moves, and who pays funding on average."""
    table = data_summary(run)
    volatility, funding = table["volatility (% a year)"], float(table["mean funding (bps)"].mean())
    payer = "long" if funding > 0.0 else "short"
    minutes = load_panel(run).timeframe / MINUTE_MS
    return (
        f"{len(table)} symbols came in with {int(table['bars'].sum()):,} bars of {minutes:g} minutes from source "
        f"`{profile.data.source}`.",
        f"Their volatility lies between {volatility.min():g} and {volatility.max():g} % a year.",
        f"The mean funding rate is {decimals(funding, 3, sign='+')} basis points per settlement, so that the {payer} "
        f"side "
        "pays on average.",
    )


def data_quality(profile: Profile, run: Run) -> Sentences:
    """Say which symbols may be paired, what is missing, and what the audit reports."""
    universe, audit, found = universe_table(run), quality_table(run), findings_table(run)
    return (
        f"{int(universe['in the universe'].sum())} of {len(universe)} symbols may be paired.",
        f"{int(audit['missing'].sum())} bars are missing and {int(audit['filled'].sum())} were filled, the longest gap "
        f"being {int(audit['longest gap'].max())} bars.",
        f"The audit reports {len(found)} findings that a reader should look at.",
    )


def cointegration(profile: Profile, run: Run) -> Sentences:
    """Say how many pairs pass, how many of these by chance, and how many pass again."""
    passed = window_table(run).loc["test", "passed (%)"]
    rules, later = discovery_table(run, profile), survival_table(run, profile)
    apart = later[later["overlap of formation (%)"] == 0.0]
    chance = rules["FDR, one factor (%)"].iloc[1]
    lasting = (
        f"{apart['pass again (%)'].iloc[0]:.0f} % of the pairs that passed do so again in the first window that "
        f"shares no "
        f"bar, beside {apart['any pair passes (%)'].iloc[0]:.0f} % of any pair"
        if len(apart) and pd.notna(apart["pass again (%)"].iloc[0])
        else "the windows are too few to see whether pairs pass again on bars of their own"
    )
    return (
        f"In the test span {passed:g} % of the tests pass the screen.",
        f"Where prices share one factor and nothing else, the screen passes {decimals(chance, 0)} % as many.",
        lasting[0].upper() + lasting[1:] + ".",
    )


def features(profile: Profile, run: Run) -> Sentences:
    """Say how much the agent sees, what the bound cuts off, and how far scaled values reach."""
    listed, scaled = feature_list(run), feature_table(run)
    clipped = listed["clipped (%)"].astype(float)
    far = scaled["largest |scaled|"]
    return (
        f"The agent sees {len(listed)} inputs at each decision, look-back apart.",
        f"The bound cuts off at most {clipped.max():g} % of a feature's values (`{clipped.idxmax()}`), in the worst "
        f"split.",
        f"On the training span scaled values reach {far.max():.1f} standard deviations (`{far.idxmax()}`).",
    )


def environment(profile: Profile, run: Run) -> Sentences:
    """Say how large the decision process is, whether both forms agree, and how far liquidation is."""
    size, agree = environment_check(run), kernel_check(run, profile)
    same = int((agree["holdings agree"] & agree["rewards agree"]).sum())
    reach = liquidation_table(MAINTENANCE).loc[1.0, "hedged pair, cross (%)"]
    return (
        f"The run has {int(size['episodes'].sum())} episodes with {int(size['decisions'].sum()):,} decisions.",
        f"The compiled step equals the readable loop under {same} of {len(agree)} rules, charged {LOW_FEE_BPS:g} basis "
        f"points.",
        f"Without leverage both legs would have to move {reach:g} % against a hedged pair before it is liquidated.",
    )


def agent_replay(profile: Profile, run: Run) -> Sentences:
    """Say whether replay equals research, whether a fault was unsafe, and what execution left unexplained."""
    obstacle = replay_obstacle(run)
    if obstacle:
        first = f"The replay was not possible: {obstacle}."
    else:
        table = parity_table(run)
        equal, total = int(table["equal"].sum()), int(table["decisions"].sum())
        first = f"{equal} of {total} decisions of the live path equal the evaluation's in every bit."
    return first, _drill(), _loop()


def _drill() -> str:
    if "agent/drill" not in list_published("agent"):
        return "No fault drill is published."
    outcomes = [case["outcome"] for case in read_published("agent/drill")["cases"]]
    unsafe = sum(outcome.startswith("UNSAFE") for outcome in outcomes)
    return f"Of {len(outcomes)} pairs of faults {unsafe} led to an unsafe signal."


def _loop() -> str:
    if "closed_loop" not in list_published():
        return "No closed loop is published."
    kept = read_published("closed_loop")
    parts = {name: value for name, value in kept["attribution"].items() if name not in ("earned", "backtest")}
    largest = max(parts, key=lambda name: abs(parts[name]))
    return (
        f"Through real Hummingbot {kept['equal_decisions']} decisions equal the replay's, {kept['rejects']} orders "
        f"were "
        f"rejected, and *{largest}* is the largest part of what separates account and backtest."
    )


FOUND: Final[dict[str, Callable[[Profile, Run], Sentences]]] = {
    "01_data_acquisition": data_acquisition,
    "02_data_quality": data_quality,
    "03_cointegration": cointegration,
    "04_features": features,
    "05_environment": environment,
    "06_training": training,
    "07_evaluation": evaluation,
    "08_attribution": attribution,
    "09_robustness": robustness,
    "10_agent_replay": agent_replay,
}
