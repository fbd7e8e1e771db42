"""The attribution stage: from the original study's rules to correct ones, one correction at a time.

Each rung is a run of its own beside the profile's run, trained and tested anew with equal budgets. Stages that a
correction does not touch are shared between rungs by their keys.
"""

from collections.abc import Iterator
from typing import Final

import pandas as pd

from perpfut_lib import pipeline
from perpfut_lib.artifacts import Run, StageFolder
from perpfut_lib.config import Profile
from perpfut_lib.evaluate import ALL_SEEDS, load_metrics
from perpfut_lib.progress import track

LADDER: Final = "ladder.parquet"


def rungs(profile: Profile) -> Iterator[tuple[str, int, Profile]]:
    """Yield name, number of the corrected fault (0 for the start) and profile of every rung, the lowest first."""
    attribution = profile.attribution
    budget = {"train.total_steps": attribution.total_steps, "train.seeds": attribution.seeds}
    settings = {**attribution.start, **budget}
    yield "the original study's rules", 0, profile.changed(settings, name=f"{profile.name}.rung-0")
    for number, rung in enumerate(attribution.rungs, 1):
        settings |= rung.settings
        yield rung.name, rung.fault, profile.changed(settings, name=f"{profile.name}.rung-{number}")


def run_stage(profile: Profile, run: Run, folder: StageFolder) -> None:
    """Run every rung to its evaluation and write ``ladder.parquet``: one row a rung and fee, all seeds pooled."""
    rows = []
    for number, (name, fault, climbed) in enumerate(track(list(rungs(profile)), label="ladder", unit="rung")):
        beside = Run(run.path.with_name(f"{run.path.name}.rung-{number}"))
        pipeline.ensure("evaluate", climbed, beside)
        metrics = load_metrics(beside)
        own = (metrics["seed"] == ALL_SEEDS) & (metrics["train_fee_bps"] == metrics["test_fee_bps"])
        rows.append(metrics[own].assign(rung=number, correction=name, fault=fault))
    folder.write_table(LADDER, pd.concat(rows, ignore_index=True))


def load_ladder(run: Run) -> pd.DataFrame:
    """Return one row a rung and fee: ``rung``, ``correction``, ``fault`` and the columns of the metrics."""
    return run.stage("attribution").read_table(LADDER)
