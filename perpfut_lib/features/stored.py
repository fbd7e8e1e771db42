"""Features of a market that does not fit into memory: every task reads the legs of one trading window from disk."""

from pathlib import Path

import numpy as np
import pandas as pd

from perpfut_lib.cointegration.stored import Stored
from perpfut_lib.compute import run_tasks
from perpfut_lib.config import Profile
from perpfut_lib.features.catalogue import feature_spec
from perpfut_lib.features.scan import compute
from perpfut_lib.store.halts import carried


def stored_features(
    stored: Stored, pair_days: pd.DataFrame, profile: Profile, folder: Path, warmup: int
) -> dict[int, Path]:
    """Write the raw features of every pair-day, one task and one file ``<start>.npy`` per trading window.

    A worker holds the bars of one window's legs. A symbol's recursion starts ``warmup`` before the formation window
    instead of at the first bar of the data; what is left of the difference fades with the slowest indicator.

    Parameters
    ----------
    stored : Stored
        Where the candles are.
    pair_days : DataFrame
        Sorted by ``start``; see :func:`perpfut_lib.cointegration.stored.stored_pair_days`.
    profile : Profile
        Features, formation, and ``compute``.
    folder : Path
        Where to write, for every worker to reach.
    warmup : int
        Length of the warm-up, ms.

    Returns
    -------
    dict of int to Path
        By the window's start: a file of (E, K + L, F), see :func:`perpfut_lib.features.compute`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    groups = [days for _, days in pair_days.groupby("start", sort=True)]
    tasks = [(stored, days.reset_index(drop=True), profile, folder, warmup) for days in groups]
    return dict(run_tasks(_write, tasks, profile.compute, label="features"))


def _write(task: tuple[Stored, pd.DataFrame, Profile, Path, int]) -> tuple[int, Path]:
    """Write the features of one trading window and return its start and file."""
    stored, days, profile, folder, warmup = task
    start, formation = int(days["start"].iloc[0]), profile.cointegration.formation
    legs = tuple(sorted({*days["y"], *days["x"]}))
    panel = carried(stored.panel(start - formation - warmup, int(days["end"].iloc[0]), legs))
    path = folder / f"{start}.npy"
    np.save(path, compute(feature_spec(profile.features), panel, days, formation=formation))
    return start, path
