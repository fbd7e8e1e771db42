"""The features stage: from panel and pair-days to the raw features of every episode, with their scaler."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from perpfut_lib.artifacts import Run, StageFolder
from perpfut_lib.cointegration.stage import load_pair_days
from perpfut_lib.compute import worker_count
from perpfut_lib.config import Profile
from perpfut_lib.errors import GapError
from perpfut_lib.features.catalogue import feature_spec
from perpfut_lib.features.noise_fit import fitted
from perpfut_lib.features.scaler import Scaler, clip_report, fit_scaler, scale
from perpfut_lib.features.scan import compute, episode_shape
from perpfut_lib.features.spec import FeatureSpec
from perpfut_lib.store.halts import carried
from perpfut_lib.store.stage import load_panel
from perpfut_lib.types import Float3D, Float32

RAW: Final = "features.npy"
SPEC: Final = "spec.json"
SCALER: Final = "scaler.json"
CLIPS: Final = "clip_report.parquet"
FILTER: Final = "filter.json"


@dataclass(frozen=True)
class Features:
    """Features of all episodes of a run."""

    spec: FeatureSpec
    raw: Float3D
    """(E, K + L, F), memory-mapped, K = lookback - 1; row K + j is known when decision j is made."""
    scaler: Scaler

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the F columns."""
        return self.spec.names

    @property
    def lookback(self) -> int:
        """Return how many rows one observation stacks."""
        return self.spec.lookback

    def scaled(self) -> Float32:
        """Return the scaled features, (E, K + L, F)."""
        scaled = np.empty(self.raw.shape, np.float32)
        for episode, rows in enumerate(self.raw):
            scaled[episode] = scale(rows, self.scaler)
        return scaled


def run_stage(profile: Profile, run: Run, folder: StageFolder) -> None:
    """Write ``features.npy``, ``spec.json``, ``scaler.json`` and ``clip_report.parquet``; ``filter.json`` for a fit.

    Raises
    ------
    GapError
        A feature is not finite: a symbol lacks bars that its features need.
    """
    panel, pair_days = carried(load_panel(run)), load_pair_days(run)
    spec = feature_spec(profile.features)
    if profile.features.filter == "em":
        train = pair_days[pair_days["split"] == "train"]
        formation = profile.cointegration.formation
        spec, fit = fitted(spec, panel, train, formation, profile.features.em_iterations)
        folder.write_json(FILTER, fit.to_json())
    shape = episode_shape(spec, panel, pair_days)
    raw = np.lib.format.open_memmap(folder.file(RAW), mode="w+", dtype=np.float64, shape=shape)
    threads = worker_count(profile.compute)
    compute(spec, panel, pair_days, formation=profile.cointegration.formation, threads=threads, out=raw)
    _require_finite(raw, pair_days, spec)
    splits = pair_days["split"].to_numpy()
    # Episodes are sorted by time and training comes first, so that this is a view, not a copy.
    scaler = fit_scaler(spec, raw[: int((splits == "train").sum())], profile.features.clip)
    raw.flush()
    folder.write_json(SPEC, spec.to_json())
    folder.write_json(SCALER, scaler.to_json())
    folder.write_table(CLIPS, clip_report(raw, scaler, splits))


def load_features(run: Run) -> Features:
    """Return the features of a run."""
    folder = run.stage("features")
    spec = FeatureSpec.from_json(folder.read_json(SPEC))
    return Features(spec, folder.read_array(RAW, mapped=True), Scaler.from_json(folder.read_json(SCALER)))


def load_clip_report(run: Run) -> pd.DataFrame:
    """Return one row per split and feature: ``split``, ``feature``, ``clipped`` (share), ``min``, ``max`` (scaled)."""
    return run.stage("features").read_table(CLIPS)


def _require_finite(raw: Float3D, pair_days: pd.DataFrame, spec: FeatureSpec) -> None:
    for episode, rows in enumerate(raw):
        bad = ~np.isfinite(rows)
        if bad.any():
            names = [name for name, flag in zip(spec.names, bad.any(axis=0), strict=True) if flag]
            where = pair_days.iloc[episode]
            found = f"{int(bad.sum())} values of {', '.join(names)} not finite in episode {episode}"
            expected = f"whole candles of {where['y']} and {where['x']} before {where['end']}"
            raise GapError(found, expected, "raise data.max_gap_bars or leave the symbol out")
