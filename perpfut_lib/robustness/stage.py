"""The robustness stage: significance tests, walk-forward folds, placebo worlds."""

from dataclasses import asdict
from typing import Final

import pandas as pd

from perpfut_lib.artifacts import Run, StageFolder
from perpfut_lib.config import Profile
from perpfut_lib.errors import NoPairsError
from perpfut_lib.evaluate.stage import resampling_of
from perpfut_lib.progress import track
from perpfut_lib.protocol import judge_world, prepare
from perpfut_lib.robustness.folds import walk_forward
from perpfut_lib.robustness.tests import seeds_table, significance_table
from perpfut_lib.store.placebo import placebo_panel
from perpfut_lib.store.stage import load_panel

PLACEBO_FEATURES: Final = ("spread_z",)


def run_stage(profile: Profile, run: Run, folder: StageFolder) -> None:
    """Write ``seeds``, ``significance``, ``folds`` and ``placebos`` as parquet.

    Parameters
    ----------
    profile : Profile
        Reads ``robustness``, and what its folds and placebo worlds need.
    run : Run
        Holds the stages up to ``evaluate``. Every fold is a run of its own beside it.
    folder : StageFolder
        Where artifacts go.
    """
    folder.write_table("seeds.parquet", seeds_table(profile, run))
    folder.write_table("significance.parquet", significance_table(profile, run))
    folder.write_table("folds.parquet", walk_forward(profile, run))
    folder.write_table("placebos.parquet", placebos(profile, run))


def load_checks(run: Run, name: str) -> pd.DataFrame:
    """Return one table of the stage: ``seeds``, ``significance``, ``folds`` or ``placebos``."""
    return run.stage("robustness").read_table(f"{name}.parquet")


def placebos(profile: Profile, run: Run) -> pd.DataFrame:
    """Return the verdict of the protocol on each placebo world and fee; a world without pairs has none to trade."""
    panel, rows = load_panel(run), []
    plain = profile.changed({"features.only": list(PLACEBO_FEATURES), "features.spec": "default"})
    for seed in track(range(profile.robustness.placebos), label="placebo worlds", unit="world"):
        try:
            world = prepare(placebo_panel(panel, seed), plain)
        except NoPairsError:
            rows += [{"world": seed, "fee_bps": fee, "pairs": 0, "significant": False} for fee in plain.costs.fees_bps]
            continue
        for verdict in judge_world(world, resampling_of(profile.evaluate)):
            named = {"world": seed, "pairs": len(world.episodes)}
            rows.append(named | asdict(verdict))
    columns = ["world", "fee_bps", "pairs", "chosen", "sharpe", "lower", "deflated", "spa", "significant"]
    return pd.DataFrame(rows, columns=columns)
