"""Training windows without any edge: pairs of placebo markets, made of the training span and screened as it is.

What passes the screen by chance is rare in a training span, and what it earned there by chance a learner takes for
skill. A placebo market draws the span's bars with replacement: what moves together still does, and no spread comes
back. Its pairs show, in as many windows as wanted, which pairs to leave alone.
"""

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from perpfut_lib.artifacts import Run
from perpfut_lib.calendar import trading_windows
from perpfut_lib.cointegration.stage import choose_pair_days, window_tests
from perpfut_lib.config import Profile
from perpfut_lib.env import Episodes
from perpfut_lib.env.assemble import Observed, assemble, joined
from perpfut_lib.errors import NoPairsError
from perpfut_lib.features.scan import compute
from perpfut_lib.features.stage import Features
from perpfut_lib.store.panel import Panel
from perpfut_lib.store.placebo import placebo_panel
from perpfut_lib.store.stage import load_panel

FIELDS: Final = ("open_time", "open", "high", "low", "close", "volume", "filled")
LEAST_CORRELATION: Final = 0.75  # of a placebo's pairs, and the largest p-value, where the profile's are tighter:
LARGEST_PVALUE: Final = 0.15  # few would pass those


def placebo_episodes(profile: Profile, run: Run, features: Features) -> Episodes | None:
    """Return the windows of ``train.placebos`` placebo markets, scaled as the run's features; none where none pass."""
    panel = load_panel(run)
    windows = trading_windows(panel.grid(), profile.cointegration, profile.split)
    return windows_without_edge(profile, panel, windows[windows["split"] == "train"], features)


def windows_without_edge(profile: Profile, panel: Panel, windows: pd.DataFrame, features: Features) -> Episodes | None:
    """Return the windows of ``train.placebos`` placebo markets made of a panel up to the end of ``windows``."""
    # A decision late in the last window fills one bar after it, so that bar belongs to the span as well.
    span = before(panel, int(windows["end"].max()) + panel.timeframe)
    seeds = range(profile.train.placebos)
    parts = [placebo_windows(profile, placebo_panel(span, seed), windows, features) for seed in seeds]
    kept = [part for part in parts if part is not None]
    return joined(kept) if kept else None


def before(panel: Panel, end: int) -> Panel:
    """Return the bars of a panel that open before ``end``."""
    count = int(np.searchsorted(panel.open_time, end))
    return replace(panel, **{name: getattr(panel, name)[:count] for name in FIELDS})


def placebo_windows(profile: Profile, panel: Panel, windows: pd.DataFrame, features: Features) -> Episodes | None:
    """Return the pairs of one placebo market by a looser screen in the training ``windows``; none where none pass."""
    if len(panel.symbols) < 2:  # the others lack a bar somewhere
        return None
    own = profile.cointegration
    loose = {
        "min_correlation": min(own.min_correlation, LEAST_CORRELATION),
        "max_pvalue": max(own.max_pvalue, LARGEST_PVALUE),
    }
    screen = own.model_copy(update=loose | {"fdr": None})
    tests = window_tests(panel, windows, profile)
    try:
        pair_days = choose_pair_days(panel, windows, tests, screen)
    except NoPairsError:
        return None
    raw = compute(features.spec, panel, pair_days, formation=screen.formation)
    return assemble(panel, pair_days, Observed(features.spec, raw, features.scaler), profile)
