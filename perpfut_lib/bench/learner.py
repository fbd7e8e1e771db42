"""``perpfut bench learner``: the agent in fresh simulated markets, beside every rule and a trader who knows the market.

Each world goes through the stages of the study and is kept under ``artifacts/learner`` until settings or code change,
so a killed run goes on where it was.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from perpfut_lib import statistics
from perpfut_lib.artifacts import git_commit, publish, source_hash
from perpfut_lib.bench._learner_world import World, kept_world, world_settings
from perpfut_lib.bench.harness import BenchRow
from perpfut_lib.compute import run_tasks
from perpfut_lib.config import Profile, load_profile, project_root
from perpfut_lib.config.base import hash_json
from perpfut_lib.errors import ConfigError
from perpfut_lib.evaluate.fresh_worlds import AGENT, world_values
from perpfut_lib.types import Float1D, JsonObject

MEASURES: Final = {"utility": "bps a pair-day", "return": "1"}


@dataclass(frozen=True)
class Order:
    """Which worlds."""

    worlds: int = 4
    """Number of markets."""
    first_seed: int = 1000
    """Seed of the first market; the others follow by one. The study itself uses seed 7."""
    profile: str = "default"
    settings: tuple[str, ...] = ()
    """Overrides of the profile's settings, as ``section.key=value``."""


@dataclass(frozen=True)
class LearnerRow(BenchRow):
    """The agent beside one other policy at one fee: means over worlds, and what sets them apart."""

    fee_bps: float
    policy: str
    worlds: int
    difference: float
    """Agent minus policy, mean over worlds."""
    lower: float | None
    """Lower end of the paired t-interval of the difference at 95 %; null with one world."""
    upper: float | None
    ratio_lower: float | None
    """Interval of the ratio of the means by the delta method; beside the informed trader it is the agent's share."""
    ratio_upper: float | None

    def to_text(self) -> str:
        """Return the row for people, the difference with its interval behind."""
        apart = "" if self.lower is None else f" [{self.lower:+.4g}, {self.upper:+.4g}]"
        return f"{super().to_text()}   {self.difference:+.4g}{apart}"


def run(order: Order | None = None) -> Iterator[BenchRow]:
    """Yield, by fee and measure, the agent beside each rule, the best rule and the informed trader."""
    order = order or Order()
    worlds = results(order)
    names = [row["policy"] for row in worlds[0]["rows"]]
    for fee in dict.fromkeys(row["fee_bps"] for row in worlds[0]["rows"]):
        for measure in MEASURES:
            own = world_values(worlds, AGENT, fee, measure)
            for name in dict.fromkeys(names):
                if name != AGENT:
                    yield compare(own, world_values(worlds, name, fee, measure), fee, measure, name)


def results(order: Order) -> list[JsonObject]:
    """Return what every world gave; worlds that are not kept yet are made, side by side."""
    base = load_profile(order.profile, order.settings)
    if base.data.source not in ("sim", "venue"):
        found = f"profile {base.name} with data.source {base.data.source}"
        raise ConfigError(found, "a simulated market, which a seed makes anew", "choose another profile")
    folder = _folder(base)
    seeds = range(order.first_seed, order.first_seed + order.worlds)
    worlds = [World(world_settings(base, seed), seed, folder) for seed in seeds]
    return run_tasks(kept_world, worlds, base.compute, label="worlds")


def compare(own: Float1D, other: Float1D, fee: float, measure: str, name: str) -> LearnerRow:
    r"""Return the agent beside another policy over the same N worlds, with t-intervals over worlds.

    The ratio's interval follows from the residuals :math:`a_i - R b_i` over the mean of b; it is only given where
    the other policy earns something.
    """
    apart = own - other
    found = statistics.ratio_interval(own, other) if len(own) > 1 else None
    ratio = float(own.mean() / other.mean()) if other.mean() > 0.0 else None
    ends = (found.lower, found.upper) if found and ratio is not None else (None, None)
    between = statistics.mean_interval(apart) if len(apart) > 1 else None
    lower, upper = (between.lower, between.upper) if between else (None, None)
    metric, unit = f"{measure} at {fee:g} bps", MEASURES[measure]
    means = float(own.mean()), float(other.mean())
    shown = (metric, unit, *means, name, ratio, None)
    return LearnerRow("learner", *shown, fee, name, len(own), float(apart.mean()), lower, upper, *ends)


def _folder(profile: Profile) -> Path:
    """Return where the worlds of these settings and this code are kept."""
    sections = [name for name in type(profile).model_fields if name not in ("name", "title", "compute")]
    key = {"settings": profile.sections_hash(sections), "code": source_hash("perpfut_lib.bench._learner_world")}
    return project_root() / "artifacts" / "learner" / f"{profile.name}-{hash_json(key)[:16]}"


def keep(order: Order | None = None) -> None:
    """Publish what every world gave, as ``learner/<profile>``, settings that differ behind it."""
    order = order or Order()
    worlds = [{**world, "rows": [_brief(row) for row in world["rows"]]} for world in results(order)]
    publish(f"learner/{published_name(order)}", {"order": asdict(order), "worlds": worlds, "git_commit": git_commit()})


def published_name(order: Order) -> str:
    """Return the name that worlds are published under: the profile's, and the settings that differ from it."""
    return "-".join([order.profile, *(re.sub(r"[^\w.=-]+", "_", setting) for setting in order.settings)])


def _brief(row: JsonObject) -> JsonObject:
    """Return a row without the hundred draws of the random trader."""
    return {name: value for name, value in row.items() if name != "utility_by_seed" or row["policy"] == AGENT}


__all__ = ["LearnerRow", "Order", "compare", "keep", "results", "run"]
