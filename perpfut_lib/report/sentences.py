"""Findings of a run, or of the published runs on recorded and simulated markets, in sentences made of figures."""

import math
from collections.abc import Hashable
from statistics import NormalDist
from typing import Any, Final

import pandas as pd

from perpfut_lib.artifacts import read_published
from perpfut_lib.config import load_profile
from perpfut_lib.evaluate import ALL_SEEDS
from perpfut_lib.report.sources import MANIFEST, RATIO_DAYS, Source, is_simulated, published_profiles, read_result
from perpfut_lib.report.style import decimals

Row = dict[Hashable, Any]
LIKELY: Final = 0.95
"""Probability that a Sharpe ratio is above the best of so many trials by chance; believed from here on."""
FEW_DAYS: Final = RATIO_DAYS
"""With fewer an annual ratio says next to nothing."""
DAYS_A_YEAR: Final = 365
TWO_SIDED: Final = NormalDist().inv_cdf(0.975)
TEST_DAYS: Final = "test days"
STRUNG: Final = "pair-days strung together, as the original study did"
HOPELESS: Final = "It lost before costs: no fee is low enough."


def headline(source: Source) -> str:
    """Return one sentence per fee regime: the agent's return on the test span, and whether it could be chance."""
    return "\n".join(map(_sentence, _own(source)))


def recorded() -> str:
    """Return the same of every recorded market that is published, with how much of it the number of trials leaves."""
    return _of_profiles(simulated=False)


def simulated() -> str:
    """Return the same of every simulated market that is published."""
    return _of_profiles(simulated=True)


def _of_profiles(*, simulated: bool) -> str:
    names = [name for name in published_profiles("metrics") if is_simulated(name) is simulated]
    return "\n\n".join(map(_of_profile, names)) or "*No results are published yet.*"


def findings(source: Source) -> str:
    """Return, fee by fee, what was found, whether it survives every significance test, and what would make it pay."""
    significance = read_result(source, "significance").set_index("fee_bps")
    return "\n".join(_judged(row, significance.loc[row["test_fee_bps"]]) for row in _own(source))


def critical_sharpe(days: float) -> float:
    """Return the least annual Sharpe ratio over so many days that differs from zero at 5 %, two-sided."""
    return TWO_SIDED * math.sqrt(DAYS_A_YEAR / days)


def _own(source: Source) -> list[Row]:
    """Return the measures of the agents at their own fee, all seeds pooled, by fee."""
    metrics = read_result(source, "metrics")
    own = metrics[(metrics["train_fee_bps"] == metrics["test_fee_bps"]) & (metrics["seed"] == ALL_SEEDS)]
    return own.sort_values("test_fee_bps").to_dict("records")


def _returned(row: Row) -> str:
    gain = decimals(100 * row["return"], 2, sign="+")
    span = f"{row['days']:g} {TEST_DAYS}"
    return f"- At **{row['test_fee_bps']:g} bps** per side the agent returned **{gain} %** over {span}"


def _interval(row: Row) -> str:
    lower, upper = (decimals(100 * row[f"return_{end}"], 2, sign="+") for end in ("lower", "upper"))
    return f"interval {lower} % to {upper} %"


def _sentence(row: Row) -> str:
    if pd.isna(row["break_even_bps"]):
        return f"{_returned(row)}: it never traded, so no cost would matter."
    sure = row["return_lower"] > 0 or row["return_upper"] < 0
    verdict = "the interval excludes zero" if sure else "the interval contains zero: this could be chance"
    if row["days"] < FEW_DAYS:
        verdict += ", but so few days say nothing of other months"
    even = row["break_even_bps"]
    pays = f"It would break even at {even:.2f} bps per side." if even > 0 else HOPELESS
    return f"{_returned(row)} ({_interval(row)}): {verdict}. {pays}"


def _of_profile(name: str) -> str:
    title = read_published(f"{name}/{MANIFEST}")["title"]
    judged = f"\n{_significance(name)}" if name in published_profiles("significance") else ""
    told = headline(name)
    if load_profile(name).evaluate.portfolio == "concatenated":
        told = told.replace(TEST_DAYS, STRUNG)
    return f"**`{name}`**: {title}\n\n{told}{judged}"


def _significance(name: str) -> str:
    """Return what is left of the Sharpe ratios after the number of trials is counted."""
    significance = read_result(name, "significance")
    passed = [f"{row.fee_bps:g}" for row in significance.itertuples() if row.deflated >= LIKELY]
    told = f"at {', '.join(passed)} bps" if passed else "at none of the fees"
    days = int(significance["days"].max())
    return (
        f"- Over {days} days a Sharpe ratio below {critical_sharpe(days):.1f} is not distinguishable from zero at 5 "
        f"%, and "
        f"one of {significance['detectable'].max():.1f} is found with a power of 80 %. After "
        f"{int(significance['trials'].max())} trials the deflated Sharpe ratio is significant **{told}**."
    )


def _judged(row: Row, significance: "pd.Series[Any]") -> str:
    if row["turnover_per_day"] == 0.0:
        return f"{_returned(row)}: it did not trade, because nothing that it learned gained on the validation span."
    sure = row["return_lower"] > 0.0 and significance["deflated"] >= LIKELY and significance["spa flat"] <= 1.0 - LIKELY
    tests = (
        f"{_interval(row)}, deflated Sharpe ratio {significance['deflated']:.2f} "
        f"over {int(significance['trials'])} trials, "
        f"SPA p-value against not trading {significance['spa flat']:.2f}"
    )
    verdict = (
        "**significant** by all three tests"
        if sure
        else "**not significant**: at least one test cannot rule out chance"
    )
    if row["days"] < FEW_DAYS:
        verdict = "**not significant**: so few days say nothing of other months"
    return (
        f"{_returned(row)} ({tests}): {verdict}. {_pays(row)} A test of this length finds an edge with a power of "
        f"80 % only from a Sharpe ratio of {significance['detectable']:.1f} on."
    )


def _pays(row: Row) -> str:
    even = row["break_even_bps"]
    if even > row["test_fee_bps"]:
        return f"Costs per side could rise by {even - row['test_fee_bps']:.2f} bps before the gain is gone."
    if even > 0:
        return f"To pay, costs per side would have to fall below {even:.2f} bps."
    return HOPELESS
