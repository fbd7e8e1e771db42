"""The findings of the chapters on results: training, evaluation, attribution and robustness, three sentences each."""

from typing import Final

import pandas as pd

from perpfut_lib.artifacts import Run
from perpfut_lib.config import Profile
from perpfut_lib.report.edges import fitted_results
from perpfut_lib.report.ladder import agents
from perpfut_lib.report.learnability import harder_findings, learnability_table, noise_table
from perpfut_lib.report.robustness import power_findings
from perpfut_lib.report.sentences import FEW_DAYS, LIKELY, critical_sharpe
from perpfut_lib.report.sources import Source, read_result
from perpfut_lib.report.style import NOTHING, decimals
from perpfut_lib.train.agents import load_curves, load_policies

Sentences = tuple[str, str, str]
LATER: Final = {-1: "filled at the close that the decision has seen", 0: "at the next open", 1: "one bar later"}


def training(profile: Profile, run: Run) -> Sentences:
    """Say what the learner attains where the truth is known, what it does on noise, and how it fared here."""
    shares, noise, curves = learnability_table()["share (%)"], noise_table(), load_curves(run)
    flat = int((noise["exported"] == "flat").sum())
    best = curves.groupby(["fee_bps", "seed"])["validation_utility"].max()
    return (
        f"Where the truth is known the learner attains {shares.min():g} to {shares.max():g} % of the best utility"
        f"{harder_findings()}.",
        f"On random walks {flat} of {len(noise)} agents are exported flat, and none holds more than "
        f"{noise['mean |exposure|'].max():.4f} of its capital on average.",
        f"In this run {int((best > 0.0).sum())} of {len(best)} agents earned more than nothing on the validation span"
        f"{_corrections(run)}.",
    )


def _corrections(run: Run) -> str:
    """Say how many agents are more than the rule that they were to correct; nothing where there is no such rule."""
    told = [one.card.training for one in load_policies(run) if one.card.base_hidden]
    kept = sum(not (training["uncorrected"] or training["abstains"]) for training in told)
    return f"; {kept} of {len(told)} kept a correction of the fitted rule that they start from" if told else ""


def evaluation(profile: Profile, source: Source) -> Sentences:
    """Say what is left after each fee, whether a rule earns more, and how much cost the agents could bear."""
    results = fitted_results(source).sort_values("test_fee_bps")
    own, rules = results[results["learned"]], results[~results["learned"]]
    days, above = int(own["days"].max()), int((own["return_lower"] > 0.0).sum())
    best = rules.groupby("test_fee_bps")["gain"].max().reindex(own["test_fee_bps"])
    ahead = int((own["gain"].to_numpy() > best.to_numpy()).sum())
    few = ", which say nothing of other months" if days < FEW_DAYS else ""
    return (
        f"At fees of {_list(own['test_fee_bps'], '{:g}')} basis points the agent returned "
        f"{_list(100 * own['gain'], '{:+.2f}')} % over {days} test days{few}; {above} of {len(own)} intervals lie "
        f"above zero.",
        f"It earned more than the best tuned rule at {ahead} of {len(own)} fees.",
        f"Its positions break even at costs of {_costs(own['break_even_bps'])} basis points per side.",
    )


def attribution(profile: Profile, source: Source) -> Sentences:
    """Say where the ladder begins and ends, which correction changes most, and what later fills leave."""
    ladder, sweep = read_result(source, "ladder"), read_result(source, "sweep")
    learned = next(name for name in agents(ladder) if name in set(ladder["agent"]))
    rungs = ladder[ladder["label"].str.startswith("rung") & (ladder["agent"] == learned)]
    rungs = rungs[rungs["fee_bps"] == rungs["fee_bps"].min()]
    first, last = 100 * rungs["return"].iloc[0], 100 * rungs["return"].iloc[-1]
    return (
        f"Without fees the return of `{learned}` goes from {first:+.2f} % under the original rules to {last:+.2f} % "
        "under correct ones.",
        _largest(rungs),
        _later(sweep[(sweep["agent"] == learned) & (sweep["prices"] == "last")]),
    )


def robustness(profile: Profile, source: Source) -> Sentences:
    """Say whether any fee passes all tests, what the test could find, and how often noise was reported as an edge."""
    tests, placebos = read_result(source, "significance"), read_result(source, "placebos")
    own = fitted_results(source)
    lower = own[own["learned"]].set_index("test_fee_bps")["return_lower"].reindex(tests["fee_bps"]).to_numpy()
    days = int(tests["days"].max())
    passed = (lower > 0.0) & (tests["deflated"] >= LIKELY) & (tests["spa flat"] <= 1.0 - LIKELY) & (days >= FEW_DAYS)
    return (
        f"At {int(passed.sum())} of {len(tests)} fees the return passes interval, deflated Sharpe ratio and SPA "
        f"together, on "
        f"at least {FEW_DAYS} days.",
        f"Over {days} days a Sharpe ratio below {critical_sharpe(days):.1f} is not distinguishable from zero at 5 "
        f"%, and only "
        f"one of {tests['detectable'].max():.1f} is found with a power of 80 %.",
        f"In placebo worlds {int(placebos['significant'].sum())} of {len(placebos)} tests report an edge"
        f"{power_findings()}.",
    )


def _largest(rungs: pd.DataFrame) -> str:
    known = rungs.dropna(subset=["return_change"])
    if known.empty:
        return "No correction changes anything that could be measured."
    row = known.loc[known["return_change"].abs().idxmax()]
    lower, upper = 100 * row["return_change_lower"], 100 * row["return_change_upper"]
    verdict = "contains zero" if lower <= 0.0 <= upper else "excludes zero"
    return (
        f"The correction that changes it most is *{row['correction']}*, by {100 * row['return_change']:+.2f} "
        f"points; the "
        f"interval, {lower:+.2f} to {upper:+.2f}, {verdict}."
    )


def _later(sweep: pd.DataFrame) -> str:
    if sweep.empty:
        return "No decisions of an agent were filled later."
    rows = sweep[sweep["fee_bps"] == sweep["fee_bps"].min()].set_index("delay")["break_even_bps"]
    told = ", ".join(f"{decimals(rows[delay], 2)} {when}" for delay, when in LATER.items() if delay in rows.index)
    return f"The break-even cost of its decisions without fees is, in basis points, {told}."


def _costs(values: "pd.Series[float]") -> str:
    return ", ".join(NOTHING if pd.isna(value) else f"{value:.2f}" for value in values)


def _list(values: "pd.Series[float]", form: str) -> str:
    return ", ".join(form.format(value) for value in values)
