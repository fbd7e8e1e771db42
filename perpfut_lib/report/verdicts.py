"""What the study found: one verdict per question, each by a rule from published results.

An effect *shows* where its 95 % interval lies above zero. Verdicts on recorded markets read recorded markets only, and
verdicts on simulated ones simulated ones only.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from perpfut_lib.artifacts import list_published, read_published
from perpfut_lib.original import CORRECTIONS
from perpfut_lib.report.across import Pooled, across_answer, across_left, across_worth, trained_across
from perpfut_lib.report.edges import fitted_results, gross_edges, net_results
from perpfut_lib.report.headline_figure import YEAR
from perpfut_lib.report.learnability import harder_findings
from perpfut_lib.report.rule_edges import RuleEdges, rule_edges
from perpfut_lib.report.sentences import DAYS_A_YEAR, FEW_DAYS, critical_sharpe
from perpfut_lib.report.sources import FEES_BPS, published_profiles
from perpfut_lib.report.style import bounds, decimals
from perpfut_lib.report.worlds import UNPUBLISHED, learner_findings
from perpfut_lib.types import JsonObject

Rules = tuple[RuleEdges, RuleEdges]
"""The edges of rules without training, filled at the next open and one bar later."""
OPEN: Final = "Not known yet"
"""The answer while nothing is published that could give one."""


@dataclass(frozen=True)
class Verdict:
    """A question, its answer in a few words, and the figures that it rests on."""

    question: str
    answer: str
    evidence: str = ""

    def sentence(self) -> str:
        """Return it as one line of Markdown."""
        return f"*{self.question}* **{self.answer}.** {self.evidence}".strip()


def verdicts() -> list[Verdict]:
    """Return the verdicts in the order in which a reader asks."""
    return [make() for make in QUESTIONS]


def verdict_lines() -> str:
    """Return the verdicts as a numbered list."""
    return "\n".join(f"{number}. {verdict.sentence()}" for number, verdict in enumerate(verdicts(), start=1))


def gross_edge(edges: pd.DataFrame | None = None, rules: Rules | None = None, across: Pooled | None = None) -> Verdict:
    """Say whether an edge shows before costs on recorded minutes, and whether it survives a fill one bar later."""
    question = "Is there a gross edge on recorded minutes, and does it survive a fill one bar later?"
    if edges is None:
        edges, rules, across = gross_edges(), _published_rules(), trained_across().get(0.0)
    if edges.empty:
        return Verdict(question, OPEN)
    at_once, later = (edges[edges["delay"] == delay] for delay in (0, 1))
    shown, survived, total = _above(at_once), _above(later), len(at_once)
    if survived:
        answer = f"The agent's shows in {shown} of {total} periods and survives in {survived}"
    elif shown:
        answer = f"The agent's shows in {shown} of {total} periods and survives the later fill in none"
    else:
        answer = f"The agent's shows in none of {total} periods"
    told = "; ".join(
        f"`{first.profile}` ({first.days} days) {_percent(first)}, one bar later {_percent(second)}"
        for first, second in zip(at_once.itertuples(), later.itertuples(), strict=True)
    )
    answer += _rules_answer(rules) + across_answer(across)
    few = " So few days say nothing of other months." if edges["days"].min() < FEW_DAYS else ""
    evidence = f"The agent trained without fees, filled at the next open: {told}.{few}"
    return Verdict(question, answer, " ".join([evidence, *_of_rules(rules), *across_worth(across)]))


def worth_per_side(edges: pd.DataFrame | None = None, rules: Rules | None = None) -> Verdict:
    """Say what the gross edge is worth per side traded, and how much it could be at most."""
    question = "What is it worth per side?"
    if edges is None:
        edges, rules = gross_edges(), _published_rules()
    traded = edges.dropna(subset=["edge_bps"]) if not edges.empty else edges
    if traded.empty:
        return Verdict(question, OPEN if edges.empty else "Nothing was traded")
    now = traded[traded["delay"] == 0]
    low, high, bound = now["edge_bps"].min(), now["edge_bps"].max(), now["upper"].max()
    worth = decimals(low, 2) if len(now) == 1 else f"{decimals(low, 2)} to {decimals(high, 2)}"
    told = "; ".join(
        f"`{row.profile}` {decimals(row.edge_bps, 2)} bps, interval {decimals(row.lower, 2)} to "
        f"{decimals(row.upper, 2)}"
        for row in now.itertuples()
    )
    answer = f"The agent's {worth} basis points, at most {decimals(bound, 2)}"
    if rules is not None:
        best, lower, upper = (decimals(value, 1) for value in rules[1].best)
        answer += f"; the best rule's {best}, in an interval of {lower} to {upper}"
        told += f". The rule is the best of {rules[1].rules}, filled one bar later"
    return Verdict(question, answer, f"{told}. The fees are 1.44 and 4.50.")


def left_after_fees(
    results: pd.DataFrame | None = None,
    costs: dict[float, RuleEdges] | None = None,
    across: dict[float, Pooled] | None = None,
) -> Verdict:
    """Say how many of the policies that are fitted to a fee earn more than nothing after it, on recorded minutes."""
    question = "What is left at 1.44 and 4.50 basis points?"
    if results is None:
        results, costs, across = net_results(), _published_costs(), trained_across()
    if results.empty:
        return Verdict(question, OPEN)
    above, total = int((results["return_lower"] > 0.0).sum()), len(results)
    idle, below = int((results["turnover_per_day"] == 0.0).sum()), int((results["return_upper"] < 0.0).sum())
    answer = f"A gain shows in {above} of {total} results" if above else "Nothing that shows"
    own = results[results["learned"]]
    told = "; ".join(
        f"`{row.profile}` at {row.test_fee_bps:g}: " + ("no trade" if row.turnover_per_day == 0.0 else _percent(row))
        for row in own.itertuples()
    )
    counts = (
        f"Of {total} results of agents and tuned rules {above} lie above zero, {below} below, and {idle} never traded"
    )
    parts = [f"{counts}. The agents: {told}.", *across_left(across, FEES_BPS), *_rules_above(costs)]
    return Verdict(question, answer, " ".join(parts))


def replicated(study: JsonObject | None = None, periods: JsonObject | None = None) -> Verdict:
    """Say whether the original study's own policies give its figures again by its own rules, on other days."""
    question = "Was the original study replicated?"
    study, periods = study or _published("original_study"), periods or _published("original_weights")
    if not periods:
        return Verdict(question, OPEN)
    printed = {row["fee_bps"]: row["return_percent"] / 100 for row in study["results"]}
    found = [
        (entry["fee_bps"], _own_fee(entry, "original_rules")) for one in periods.values() for entry in one["policies"]
    ]
    inside = sum(row["lower"] <= printed[fee] <= row["upper"] for fee, row in found)
    free = [row for fee, row in found if fee == 0.0]
    gains = sum(row["lower"] > 0.0 for row in free)
    answer = f"Only in part: {inside} of {len(found)} intervals hold the printed return"
    answer = "No" if inside == 0 else "Its figures are compatible with ours" if inside == len(found) else answer
    days = sum(one["days"] for one in periods.values())
    return Verdict(
        question,
        answer,
        f"Its year of minutes cannot be had here. On {days} other days its own policies, by its own rules, earn "
        f"without fees a "
        f"gain that shows in {gains} of {len(free)} periods, and intervals are wide enough to hold much.",
    )


def explained(study: JsonObject | None = None, periods: JsonObject | None = None) -> Verdict:
    """Say which correction takes most from the original policies' return without fees, and whether it shows."""
    study, periods = study or _published("original_study"), periods or _published("original_weights")
    first = study["results"][0]
    question = f"What explains its {first['return_percent']:+.0f} %?"
    if not periods:
        return Verdict(question, OPEN)
    values = {title: _shapley(periods, name) for name, title in CORRECTIONS.items()}
    shown = [title for title, (_, lower, upper) in values.items() if lower > 0.0 or upper < 0.0]
    title, (value, lower, upper) = max(values.items(), key=lambda item: abs(item[1][0]))
    error = math.sqrt(DAYS_A_YEAR / study["setting"]["calendar_days"])
    chance = abs(first["sharpe"]) < critical_sharpe(study["setting"]["calendar_days"])
    answer = "Chance suffices" if chance else "More than chance"
    answer += f"; of its faults, {', '.join(shown)}" if shown else "; no single fault stands out"
    return Verdict(
        question,
        answer,
        f"Its Sharpe ratio of {first['sharpe']:.2f} has a standard error of about {error:.1f} over "
        f"{study['setting']['calendar_days']} days. The correction that changes its policies' return most is "
        f"*{title}*: {decimals(100 * value, 1, sign='+')} log points (%), interval "
        f"{decimals(100 * lower, 1, sign='+')} to {decimals(100 * upper, 1, sign='+')}.",
    )


def learns(content: JsonObject | None = None) -> Verdict:
    """Say whether the agent attains what can be attained where the truth is known."""
    question = "Can the agent learn where there is something to learn?"
    content = content or _published("learnability")
    if not content:
        return Verdict(question, OPEN)
    rows = content["shares"]["summary"]
    met = sum(row["lower"] >= row["target"] for row in rows)
    answer = "Yes" if met == len(rows) else f"At {met} of {len(rows)} fees" if met else "Not to our targets"
    told = "; ".join(
        f"{100 * row['share']:.1f} % at {row['fee_bps']:g} (interval {100 * row['lower']:.1f} to "
        f"{100 * row['upper']:.1f}, "
        f"target {100 * row['target']:g})"
        for row in rows
    )
    worlds = learner_findings()
    found = " ".join(["", *([] if worlds == UNPUBLISHED else [worlds]), *simulated_year()])
    return Verdict(
        question,
        answer,
        f"On simulated spreads of known truth it attains, of the best possible utility, "
        f"{told}{harder_findings(content)}.{found}",
    )


def simulated_year(results: pd.DataFrame | None = None) -> Iterator[str]:
    """Yield how agents of a simulated year do beside the best rule, in utility and in return; nothing without one."""
    if results is None and YEAR not in published_profiles("metrics"):
        return
    table = fitted_results(YEAR) if results is None else results
    agents, rules = table[table["learned"]], table[~table["learned"]]
    apart = "; ".join(
        f"{row.utility_difference_bps:+.1f} "
        f"{bounds(row.utility_difference_lower, row.utility_difference_upper, 1)} at {row.test_fee_bps:.2f}"
        for row in agents.itertuples()
    )
    best = rules.loc[rules.groupby("test_fee_bps")["gain"].idxmax()].set_index("test_fee_bps")
    own = agents.set_index("test_fee_bps")
    risk, fewer = own["volatility"] / best["volatility"], int((own["gain"] < best["gain"]).sum())
    yield (
        f"On a simulated year ({int(agents['days'].max())} test days), utility less that of the best rule is {apart}; "
        f"the return is below the highest of a rule at {fewer} of {len(own)} fees, at "
        f"{risk.min():.2f} to {risk.max():.2f} times its volatility."
    )


QUESTIONS: Final[tuple[Callable[[], Verdict], ...]] = (
    gross_edge,
    worth_per_side,
    left_after_fees,
    replicated,
    explained,
    learns,
)


def _published(name: str) -> JsonObject:
    return dict(read_published(name)) if name in list_published() else {}


def _published_rules() -> Rules | None:
    """Return the rules' edges filled at the next open and one bar later, where both are published."""
    now, later = rule_edges(0), rule_edges(1)
    return None if now is None or later is None else (now, later)


def _published_costs() -> dict[float, RuleEdges]:
    """Return the rules' edges over each fee, filled one bar later."""
    found = {fee: rule_edges(1, fee) for fee in FEES_BPS}
    return {fee: one for fee, one in found.items() if one is not None}


def _rules_answer(rules: Rules | None) -> str:
    if rules is None:
        return ""
    later = rules[1]
    return (
        f"; filled later, {later.shown} of {later.rules} rules show one, {later.counted} once their number is counted"
    )


def _of_rules(rules: Rules | None) -> Iterator[str]:
    if rules is not None:
        now, later = rules
        yield (
            f"Rules without training, over {now.days:.0f} days: an edge shows in {now.shown} of {now.rules} at the "
            f"next "
            f"open and in {later.shown} one bar later; with intervals for so many rules, in {now.counted} and "
            f"{later.counted}."
        )


def _rules_above(costs: dict[float, RuleEdges] | None) -> Iterator[str]:
    if costs:
        told = " and ".join(
            f"{one.shown} earn more than {fee:g} per side ({one.counted} once their number is counted)"
            for fee, one in costs.items()
        )
        yield f"Of {next(iter(costs.values())).rules} rules without training, filled one bar later, {told}."


def _above(rows: pd.DataFrame) -> int:
    return int((rows["return_lower"] > 0.0).sum())


def _percent(row: Any) -> str:
    value, lower, upper = (decimals(100 * each, 2, sign="+") for each in (row.gain, row.return_lower, row.return_upper))
    return f"{value} % ({lower} to {upper})"


def _own_fee(entry: JsonObject, rules: str) -> dict[str, float]:
    return next(row for row in entry[rules] if row["fee_bps"] == entry["fee_bps"])


def _shapley(periods: JsonObject, name: str) -> tuple[float, float, float]:
    """Return a correction's Shapley value without fees over all periods, which share no day, with its interval."""
    rows = [entry["shapley"][name] for one in periods.values() for entry in one["policies"] if entry["fee_bps"] == 0.0]
    value = sum(row["estimate"] for row in rows)
    reach = math.sqrt(sum((0.5 * (row["upper"] - row["lower"])) ** 2 for row in rows))
    return value, value - reach, value + reach
