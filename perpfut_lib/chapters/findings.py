"""What a run, or the published runs on recorded and simulated markets, found, in sentences made from their figures."""

from collections.abc import Hashable
from typing import Any, Final

import pandas as pd

from perpfut_lib.artifacts import Run, read_published
from perpfut_lib.config import Profile
from perpfut_lib.evaluate import ALL_SEEDS
from perpfut_lib.report.robustness import FEW_DAYS
from perpfut_lib.report.sources import MANIFEST, Source, published_profiles, read_result

LIKELY: Final = 0.95
"""Probability that a Sharpe ratio is above that of the best of so many lucky trials, from which on it is believed."""


def headline(profile: Profile, run: Run) -> str:
    """Return one sentence per fee regime: what the agent made of the test span, and whether it could be luck."""
    return _sentences(run)


def recorded(profile: Profile, run: Run) -> str:
    """Return the same of every profile whose results are published, with how much of it the number of trials leaves."""
    return "\n\n".join(_finding(name) for name in published_profiles("metrics")) or "*No results are published yet.*"


def _finding(name: str) -> str:
    title = read_published(f"{name}/{MANIFEST}")["title"]
    judged = f"\n{_luck(name)}" if name in published_profiles("luck") else ""
    return f"**`{name}`** - {title}\n\n{_sentences(name)}{judged}"


def _sentences(source: Source) -> str:
    metrics = read_result(source, "metrics")
    own = metrics[(metrics["train_fee_bps"] == metrics["test_fee_bps"]) & (metrics["seed"] == ALL_SEEDS)]
    return "\n".join(_sentence(row) for row in own.sort_values("test_fee_bps").to_dict("records"))


def _sentence(row: dict[Hashable, Any]) -> str:
    start = f"- At **{row['test_fee_bps']:g} bps** a side the agent returned **{100 * row['return']:+.2f} %**"
    days, even = f"over {row['days']:g} test days", row["break_even_bps"]
    if pd.isna(even):
        return f"{start} {days}: it never traded, so no cost would matter."
    lower, upper = 100 * row["return_lower"], 100 * row["return_upper"]
    verdict = "the interval excludes zero" if lower > 0 or upper < 0 else "the interval holds zero: this could be luck"
    if row["days"] < FEW_DAYS:
        verdict += "; but so few days make any interval too narrow"
    return (
        f"{start} {days} (interval {lower:+.2f} % to {upper:+.2f} %): {verdict}. "
        f"It would break even at {even:.2f} bps a side."
    )


def _luck(name: str) -> str:
    """Return what is left of the Sharpe ratios after the number of trials is counted."""
    luck = read_result(name, "luck")
    passed = [f"{row.fee_bps:g}" for row in luck.itertuples() if row.deflated >= LIKELY]
    told = f"at {', '.join(passed)} bps" if passed else "at no fee"
    return (
        f"- Over {int(luck['days'].max())} days a Sharpe ratio below {luck['detectable'].max():.1f} cannot be told "
        f"from zero. After {int(luck['trials'].max())} trials the deflated Sharpe ratio is significant **{told}**."
    )
