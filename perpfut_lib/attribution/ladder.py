"""The ladder: from the original study's rules to correct ones, one correction at a time, and each fault alone.

Every rung is a whole study, trained and tested anew as the study itself is. Beside the learned agent stands the z-score
rule, whose thresholds are tuned on the same past: its changes do not depend on a seed. Where training on every rung
would take too long (``attribution.agents``), the ladder is that rule's alone. No study exports a flat policy in place
of what it learned (``train.abstain``): the original had no such rule, and a zero would hide what a rung does.

With agents the lowest rung is profile ``seed-rules`` setting by setting, but for the market and the effort: what the
original chose otherwise without fault (its learner, reward, observation and screen) is put right first.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from perpfut_lib import pipeline, statistics
from perpfut_lib.artifacts import Run
from perpfut_lib.attribution.original import CHOSEN, choices, values_of
from perpfut_lib.config import Profile
from perpfut_lib.evaluate import load_days, pooled_days, trial_days
from perpfut_lib.evaluate.stage import CONSTANT_SPREAD
from perpfut_lib.statistics.paired import MEASURES, PER_DAY
from perpfut_lib.types import Float2D, Int1D

LADDER: Final = "ladder.parquet"
SEEDS_FAULT: Final = 14
RULE: Final = "z-score"


@dataclass(frozen=True)
class Study:
    """One set of rules to run the study under."""

    label: str
    """``rung-0``, ``rung-1`` … or ``fault-N``: the name of its run."""
    compared: str | None
    """Label of the study that its change is counted from; None for the start."""
    correction: str
    """What is corrected, or what the lone fault is the lack of."""
    fault: int
    """Number of the fault; 0 for the start and for what was no fault."""
    profile: Profile


@dataclass(frozen=True)
class _Result:
    """Days of one agent at one fee under one study."""

    days: pd.DataFrame
    benchmark: pd.DataFrame

    def sums(self, keys: Int1D) -> Float2D:
        table = self.days
        return statistics.window_sums(keys, table["window"].to_numpy(), table[list(PER_DAY)].to_numpy(np.float64))


def studies(profile: Profile) -> Iterator[Study]:
    """Yield the start, every rung of the ladder, and, where it is wanted, every fault alone in the correct rules."""
    attribution, shared = profile.attribution, effort(profile)
    chosen = choices(profile, shared)
    settings: dict[str, Any] = {**attribution.start, **shared}
    for original in chosen.values():
        settings |= original
    rungs = [rung for rung in attribution.rungs if attribution.agents or not rung.for_agents_only]
    if not attribution.agents:  # what concerns training and observations only is right from the start
        settings = {key: value for key, value in settings.items() if not key.startswith("features.")}
        settings.pop("train.horizons", None)
    faults = [(rung.name, rung.fault, rung.settings) for rung in rungs]
    corrections = [(CHOSEN[section], 0, values_of(profile, original)) for section, original in chosen.items()]
    corrections += faults
    if attribution.agents:
        corrections.append(("several seeds", SEEDS_FAULT, {"train.seeds": attribution.seeds}))
    label = "rung-0"
    yield Study(label, None, "the original study's rules", 0, _named(profile, settings, label))
    for number, (name, fault, changed) in enumerate(corrections, 1):
        settings, below, label = settings | changed, label, f"rung-{number}"
        yield Study(label, below, name, fault, _named(profile, settings, label))
    top = f"rung-{len(chosen) + len(faults)}"  # one seed, as a lone fault has
    for name, fault, changed in faults if attribution.alone else ():
        wrong = settings | {key: attribution.start[key] for key in changed} | {"train.seeds": shared["train.seeds"]}
        yield Study(f"fault-{fault}", top, name, fault, _named(profile, wrong, f"fault-{fault}"))


def effort(profile: Profile) -> dict[str, Any]:
    """Return the settings that are the same on all rungs: how long each trains, and what of it is tested."""
    attribution = profile.attribution
    return {
        "train.total_steps": attribution.total_steps or profile.train.total_steps,
        "train.evaluations": attribution.evaluations or profile.train.evaluations,
        "train.seeds": int(attribution.agents),
        "train.abstain": False,
        "cointegration.placebos": 0,
        "evaluate.only": [*compared(profile), "flat"],
        "evaluate.cross_fees": False,
    }


def climb(profile: Profile, run: Run) -> pd.DataFrame:
    """Run every study to its evaluation and return one row per study, agent and fee; see :func:`load_ladder`."""
    results: dict[str, dict[tuple[str, float], _Result]] = {}
    rows = []
    climbed = [(study, Run(run.path.with_name(f"{run.path.name}.{study.label}"))) for study in studies(profile)]
    pipeline.ensure_all(
        "evaluate", [(study.profile, beside) for study, beside in climbed], profile.compute, label="ladder"
    )
    for study, beside in climbed:
        results[study.label] = _results(study.profile, beside, compared(profile))
        for (agent, fee), result in results[study.label].items():
            below = results[study.compared][agent, fee] if study.compared else None
            named = {key: value for key, value in asdict(study).items() if key != "profile"}
            measured = _measured(result, below, profile.evaluate.confidence)
            rows.append({**named, "agent": agent, "fee_bps": fee, **measured})
    return pd.DataFrame(rows)


def load_ladder(run: Run) -> pd.DataFrame:
    """Return one row per study, agent and fee.

    Columns: ``label``, ``compared``, ``correction``, ``fault``, ``agent``, ``fee_bps``, ``days``, ``excess`` (return
    over that of the benchmark); for each of ``return``, ``sharpe`` and ``break_even_bps`` the value, and with
    ``_change``, ``_change_lower`` and ``_change_upper`` its change from the study that it is compared with, with a
    paired jackknife interval; for the return also ``_lower`` and ``_upper``.
    """
    return run.stage("attribution").read_table(LADDER)


def followed(profile: Profile) -> tuple[str, str]:
    """Return the names of the learned agent, which is that of its algorithm, and of the rule beside it."""
    return profile.train.algorithm, RULE


def compared(profile: Profile) -> tuple[str, ...]:
    """Return the names of those that climb the ladder."""
    return followed(profile) if profile.attribution.agents else (RULE,)


def _named(profile: Profile, settings: dict[str, Any], label: str) -> Profile:
    rung = profile.changed(settings, name=f"{profile.name}.{label}")
    return rung.changed({"evaluate.only": [*compared(rung), "flat"]})  # another learner has another name


def _results(profile: Profile, run: Run, names: tuple[str, ...]) -> dict[tuple[str, float], _Result]:
    """Return the days of those that climb, under the names that they have on the top rung."""
    days = pooled_days(load_days(run))
    benchmark = CONSTANT_SPREAD if profile.evaluate.benchmark == CONSTANT_SPREAD else "flat"
    found = {}
    for name, agent in zip(names, compared(profile), strict=True):
        for fee in profile.costs.fees_bps:
            own = trial_days(days, agent, fee, fee if agent != RULE else None)
            found[name, fee] = _Result(own, trial_days(days, benchmark, fee))
    return found


def _measured(result: _Result, below: _Result | None, level: float) -> dict[str, float]:
    """Return the measures of one agent, and what changed from the study below."""
    returns = result.days["return"].to_numpy()
    interval = statistics.return_interval(returns, level)
    bench = float(statistics.cumulative_return(result.benchmark["return"].to_numpy()))
    keys = np.union1d(result.days["window"], below.days["window"] if below else result.days["window"])
    sums = result.sums(keys)
    values = dict(zip(MEASURES, statistics.measures_of(sums.sum(axis=0)).tolist(), strict=True))
    row = {
        "days": float(len(returns)),
        **values,
        "return_lower": interval.lower,
        "return_upper": interval.upper,
        "excess": values["return"] - bench,
    }
    changes = statistics.paired_changes(below.sums(keys), sums, level) if below else {}
    for name in MEASURES:
        change = changes.get(name)
        row[f"{name}_change"] = change.estimate if change else np.nan
        row[f"{name}_change_lower"] = change.lower if change else np.nan
        row[f"{name}_change_upper"] = change.upper if change else np.nan
    return row
