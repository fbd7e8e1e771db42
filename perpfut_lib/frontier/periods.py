"""Periods of recorded data as a study across them needs them: each whole, its features not yet scaled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from perpfut_lib.artifacts import Run
from perpfut_lib.calendar import trading_windows
from perpfut_lib.cointegration import load_pair_days
from perpfut_lib.config import Profile
from perpfut_lib.env import Episodes
from perpfut_lib.env.assemble import Observed, assemble, joined
from perpfut_lib.errors import ConfigError
from perpfut_lib.features.scaler import Scaler, fit_scaler
from perpfut_lib.features.spec import FeatureSpec
from perpfut_lib.features.stage import Features, load_features
from perpfut_lib.store.panel import Panel
from perpfut_lib.store.stage import load_panel
from perpfut_lib.train.placebo import LARGEST_PVALUE, LEAST_CORRELATION, windows_without_edge
from perpfut_lib.types import Bool1D, Float3D, Int1D

VALIDATED: Final = 0.2
"""Share of each training period's windows, its last ones, that validate."""
TRAINING_SCREEN: Final[dict[str, Any]] = {
    "cointegration.min_correlation": LEAST_CORRELATION,
    "cointegration.max_pvalue": LARGEST_PVALUE,
    "cointegration.top": 100,
}
"""Screen of the pair-days that train and validate, the one of placebo markets: several times as many pass it."""


@dataclass(frozen=True)
class PairDays:
    """What passed one screen."""

    rows: pd.DataFrame
    """One row per pair-day, (E,)."""
    raw: Float3D
    """Unscaled features, (E, K+L, F)."""

    @classmethod
    def load(cls, run: Run) -> "PairDays":
        """Read what a run's stages ``cointegration`` and ``features`` left."""
        return cls(load_pair_days(run), load_features(run).raw)


@dataclass(frozen=True)
class Period:
    """One stretch of recorded data."""

    profile: Profile
    panel: Panel
    windows: pd.DataFrame
    """Every trading window: ``start``, ``end`` (ms UTC), ``row``."""
    spec: FeatureSpec
    traded: PairDays
    """By the profile's own screen: what is tested on."""
    trained: PairDays
    """By :data:`TRAINING_SCREEN`: what trains and validates other periods' agents."""

    @property
    def spans(self) -> Int1D:
        """Start and end of every trading window, (W, 2), ms UTC."""
        return self.windows[["start", "end"]].to_numpy(np.int64)

    def first_validated(self) -> int:
        """Return the start of the first window that validates, ms UTC."""
        count = len(self.windows)
        return int(self.windows["start"].iloc[count - max(1, round(VALIDATED * count))])

    def before_validation(self) -> Bool1D:
        """Return which of the ``trained`` pair-days train, (E,); the others validate."""
        earlier: Bool1D = self.trained.rows["start"].to_numpy(np.int64) < self.first_validated()
        return earlier

    def episodes(self, pair_days: PairDays, scaler: Scaler, latency: int | None = None) -> Episodes:
        """Return pair-days as episodes; filled ``latency`` bars late, by default as the profile says."""
        profile = self.profile if latency is None else self.profile.changed({"env.latency": latency})
        return assemble(self.panel, pair_days.rows, Observed(self.spec, pair_days.raw, scaler), profile)


def load_period(profile: Profile, run: Run, wide: Run) -> Period:
    """Return a period.

    Parameters
    ----------
    profile : Profile
        Its settings.
    run, wide : Run
        Hold the stages up to ``features``, by the profile's screen and by :data:`TRAINING_SCREEN`.
    """
    panel = load_panel(run)
    windows = trading_windows(panel.grid(), profile.cointegration, profile.split)
    return Period(profile, panel, windows, load_features(run).spec, PairDays.load(run), PairDays.load(wide))


@dataclass(frozen=True)
class LeftOut:
    """One period that is tested on, and what all others train."""

    test: Period
    train: Episodes
    validate: Episodes
    placebo: Episodes | None
    """Windows of placebo markets of the training windows; none where none are wanted or none pass."""
    scaler: Scaler


def leave_out(periods: Sequence[Period], number: int) -> LeftOut:
    """Return the period at a position, and the others joined: scaled by their own training windows.

    Raises
    ------
    ConfigError
        There is one period only, or the periods' features differ.
    """
    test, others = periods[number], [one for place, one in enumerate(periods) if place != number]
    if not others or any(one.spec != test.spec for one in others):
        found = f"{len(periods)} period(s) with {len({one.spec.name for one in periods})} feature specification(s)"
        raise ConfigError(found, "two or more periods of one specification", "name profiles that agree")
    rows = [one.trained.raw[one.before_validation()] for one in others]
    scaler = fit_scaler(test.spec, np.concatenate(rows), test.profile.features.clip)
    parts = [one.episodes(one.trained, scaler) for one in others]
    train, validate = (
        joined(
            [
                part.rows(np.flatnonzero(one.before_validation() == side))
                for one, part in zip(others, parts, strict=True)
            ]
        )
        for side in (True, False)
    )
    return LeftOut(test, train, validate, _placebos(others, scaler), scaler)


def _placebos(periods: Sequence[Period], scaler: Scaler) -> Episodes | None:
    parts = []
    for one in periods:
        windows = one.windows[one.windows["start"] < one.first_validated()]
        found = windows_without_edge(one.profile, one.panel, windows, Features(one.spec, one.trained.raw, scaler))
        parts += [] if found is None else [found]
    return joined(parts) if parts else None
