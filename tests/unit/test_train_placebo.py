"""Windows of placebo markets: of the training span only, scaled as the run's features, and without an edge."""

import numpy as np
import pytest

from perpfut_lib.calendar import trading_windows
from perpfut_lib.config import SplitConfig, load_profile
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
def span(profile):
    """Return the first nine days of the market."""
    panel = simulated_panel(profile.data.simulation)
    return before(panel, int(panel.open_time[0]) + 9 * 86_400_000)


def test_only_bars_before_the_end_are_drawn_from(profile, span):
    """Proves that no bar of a placebo market is younger than the span that it is made of."""
    panel = simulated_panel(profile.data.simulation)
    assert len(span.open_time) == 9 * 1440 < len(panel.open_time)
    later = before(panel, int(panel.open_time[-1]))
    later.close.setflags(write=True)
    later.close[9 * 1440 :] *= 7.0
    cut = before(later, int(panel.open_time[0]) + 9 * 86_400_000)
    assert placebo_panel(cut, 0).close.tobytes() == placebo_panel(span, 0).close.tobytes()


def test_a_placebo_has_windows_to_learn_from_and_nothing_to_earn(profile, span):
    """Proves that windows are training windows in the run's scale, and that no spread comes back."""
    spec = feature_spec(profile.features)
    width = len(spec.names)
    scaler = Scaler(spec.names, np.zeros(width), np.ones(width), 10.0)
    features = Features(spec, np.zeros((0, 0, width)), scaler)
    windows = trading_windows(span.grid(), profile.cointegration, SplitConfig(train=0.8, validate=0.1))
    windows = windows[windows["split"] == "train"]
    parts = [placebo_windows(profile, placebo_panel(span, seed), windows, features) for seed in range(2)]
    for episodes in parts:
        assert episodes is not None and len(episodes) > 5
        assert set(episodes.pair_days["split"]) == {"train"}
        assert np.isfinite(episodes.features).all()
        z = episodes.features[:, :, spec.names.index("spread_z")].astype(float)
        # A spread with a half-life of an hour moves back with a correlation of about -0.1 from bar to bar.
        assert abs(np.corrcoef(z.ravel(), spread_returns(episodes, beta_legs=True).ravel())[0, 1]) < 0.03
