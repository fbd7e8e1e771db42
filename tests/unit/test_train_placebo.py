"""Windows of placebo markets: of the training span only, scaled as the run's features, and without an edge."""

from dataclasses import replace

import numpy as np
import pytest

from perpfut_lib.calendar import trading_windows
from perpfut_lib.config import load_profile
from perpfut_lib.features.catalogue import feature_spec
from perpfut_lib.features.scaler import Scaler
from perpfut_lib.features.stage import Features
from perpfut_lib.policies.fitting import spread_returns
from perpfut_lib.protocol import simulated_panel
from perpfut_lib.store.placebo import placebo_panel
from perpfut_lib.train.placebo import before, placebo_windows


@pytest.fixture(scope="module")
def profile():
    """Return a small market whose screen lets many pairs pass."""
    return load_profile("smoke", ["cointegration.min_correlation=0.3", "cointegration.max_pvalue=0.5"])


@pytest.fixture(scope="module")
def panel(profile):
    """Return the whole market."""
    return simulated_panel(profile.data.simulation)


@pytest.fixture(scope="module")
def windows(profile, panel):
    """Return the training windows."""
    every = trading_windows(panel.grid(), profile.cointegration, profile.split)
    return every[every["split"] == "train"]


def test_only_bars_before_the_end_are_drawn_from(panel, windows):
    """Proves that what comes after a span changes nothing in the placebo market that is made of it."""
    end = int(windows["end"].max())
    span = before(panel, end)
    assert span.open_time[-1] + panel.timeframe == end
    rows = len(span.open_time)
    other = np.concatenate([panel.close[:rows], 7.0 * panel.close[rows:]])
    cut = before(replace(panel, close=other), end)
    assert placebo_panel(cut, 0).close.tobytes() == placebo_panel(span, 0).close.tobytes()


def test_a_placebo_has_windows_to_learn_from_and_nothing_to_earn(profile, panel, windows):
    """Proves that windows are training windows in the run's scale, and that no spread comes back."""
    spec = feature_spec(profile.features)
    width = len(spec.names)
    scaler = Scaler(spec.names, np.zeros(width), np.ones(width), 10.0)
    features = Features(spec, np.zeros((0, 0, width)), scaler)
    span = before(panel, int(windows["end"].max()) + panel.timeframe)
    for seed in range(2):
        episodes = placebo_windows(profile, placebo_panel(span, seed), windows, features)
        assert episodes is not None and len(episodes) >= 5
        assert set(episodes.pair_days["split"]) == {"train"}
        assert np.isfinite(episodes.features).all()
        z = episodes.features[:, :, spec.names.index("spread_z")].astype(float)
        # A spread with a half-life of an hour moves back with a correlation of about -0.1 from bar to bar.
        assert abs(np.corrcoef(z.ravel(), spread_returns(episodes, beta_legs=True).ravel())[0, 1]) < 0.03
