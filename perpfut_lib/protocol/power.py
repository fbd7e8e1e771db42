"""How often the protocol reports an edge: in worlds of pure noise, and over the size of a planted edge.

Each world's result is kept under ``artifacts/protocol`` until settings or code change, so a killed run goes
on where it was.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from perpfut_lib.artifacts import git_commit, kept_json, package_versions, source_hash
from perpfut_lib.compute import run_tasks
from perpfut_lib.config import ComputeConfig, Profile, hash_json, project_root
from perpfut_lib.errors import NoPairsError
from perpfut_lib.protocol.trial import judge_world
from perpfut_lib.protocol.worlds import coarser, prepare, simulated_panel
from perpfut_lib.statistics import Resampling
from perpfut_lib.types import JsonObject

BASE: Final[JsonObject] = {
    "data.simulation": {"days": 40, "symbols": 8, "planted_pairs": 3},
    "split.train": 0.4,
    "split.validate": 0.1,
    "cointegration.placebos": 0,
    "compute.workers": 1,
}
RULE_FEATURES: Final = ["spread_z"]
AGENT: Final = "agent"
AGENT_SEEDS: Final = 1000  # agents are judged in worlds of their own


@dataclass(frozen=True)
class Plan:
    """How many worlds of which kind."""

    noise: int = 100
    """Worlds in which nothing is planted."""
    planted: int = 20
    """Worlds for each size of edge."""
    agents: int = 20
    """Worlds of each kind in which an agent is trained, with the study's own budget, and judged as well."""
    edges: tuple[float, ...] = (2.5, 5.0, 10.0, 20.0)
    """Standard deviations of the planted spreads, basis points of log price."""
    agent_edges: tuple[float, ...] = (10.0, 20.0)
    """Those that agents are judged at."""
    bars: int = 5
    """Minutes of a bar."""
    level: float = 0.95
    """Level of all tests."""
    reps: int = 500
    """Resamples of each bootstrap."""
    block: int = 2
    """Mean block length, days."""

    def resampling(self) -> Resampling:
        """Return how days are resampled."""
        return Resampling(self.block, self.reps, self.level)


def run_plan(plan: Plan) -> JsonObject:
    """Return the verdicts on all worlds of a plan, and how often an edge was reported by kind of world and fee."""
    tasks = [(plan, *one) for one in _kinds(plan)]
    rows = [row for rows in run_tasks(_kept_rows, tasks, ComputeConfig(), label="worlds") for row in rows]
    table = pd.DataFrame(rows)
    grouped = table.groupby(["policy", "spread_std_bps", "fee_bps"])["significant"]
    summary = grouped.agg(worlds="size", reported="sum").reset_index()
    return {
        "plan": asdict(plan),
        "base": BASE,
        "agent_steps": Profile().train.total_steps,
        "summary": [{key: _plain(value) for key, value in row.items()} for row in summary.to_dict("records")],
        "worlds": {"columns": list(table), "rows": [[_plain(value) for value in row] for row in table.to_numpy()]},
        "git_commit": git_commit(),
        "code": source_hash("perpfut_lib.protocol"),
        "packages": package_versions(),
    }


def world_rows(plan: Plan, policy: str, edge: float, seed: int) -> list[JsonObject]:
    """Return the verdict on one world at every fee, a row each; a world without pairs has nothing to report."""
    profile = world_profile(policy, edge, seed)
    named = {"policy": policy, "spread_std_bps": edge, "seed": seed}
    try:
        world = prepare(coarser(simulated_panel(profile.data.simulation), plan.bars), profile)
    except NoPairsError:
        return [named | {"fee_bps": fee, "significant": False, "pairs": 0} for fee in profile.costs.fees_bps]
    results = judge_world(world, plan.resampling(), agent=policy == AGENT)
    return [named | {"pairs": len(world.episodes)} | asdict(result) for result in results]


def _kept_rows(task: tuple[Plan, str, float, int]) -> list[JsonObject]:
    """Return :func:`world_rows`, from the last run where they are kept."""
    plan, policy, edge, seed = task
    judged = {"bars": plan.bars, "level": plan.level, "reps": plan.reps, "block": plan.block}
    settings = world_profile(policy, edge, seed).model_dump(mode="json")
    key = {"settings": settings, "policy": policy, "code": source_hash(__name__)} | judged
    path = project_root() / "artifacts" / "protocol" / f"{hash_json(key)[:24]}.json"

    def judged_rows() -> list[JsonObject]:
        return [{name: _plain(value) for name, value in row.items()} for row in world_rows(plan, policy, edge, seed)]

    kept: list[JsonObject] = kept_json(path, judged_rows)
    return kept


def world_profile(policy: str, edge: float, seed: int) -> Profile:
    """Return the settings of one world: nothing is planted where ``edge`` is zero."""
    settings = dict(BASE) | {"data.simulation": BASE["data.simulation"] | {"seed": seed}}
    settings["data.simulation"] |= {"spread_std_bps": edge} if edge > 0.0 else {"planted_pairs": 0}
    if policy == "rules":
        settings["features.only"] = RULE_FEATURES
    return Profile(name="protocol").changed(settings)


def _kinds(plan: Plan) -> Iterator[tuple[str, float, int]]:
    for seed in range(plan.noise):
        yield "rules", 0.0, seed
    for edge in plan.edges:
        for seed in range(plan.planted):
            yield "rules", edge, seed
    for edge in (0.0, *plan.agent_edges):
        for seed in range(plan.agents):
            yield AGENT, edge, AGENT_SEEDS + seed


def _plain(value: Any) -> Any:
    """Return a value that strict JSON knows: what is not a number is null."""
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
