"""Nothing saturates: the share of clipped values of every feature, on the default simulated market."""

import numpy as np
import pytest

from perpfut_lib import pipeline, report
from perpfut_lib.artifacts import Run
from perpfut_lib.config import FeaturesConfig, load_profile
from perpfut_lib.features import feature_spec, load_clip_report, load_features
from perpfut_lib.report.features import PORTFOLIO

MOST = 0.001


SETTINGS = ["data.source=sim", "cointegration.placebos=0", "compute.workers=1"]


@pytest.fixture(scope="module")
def default_market(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return the features of the default profile's market, straight from its generator, without placebos."""
    run = Run(tmp_path_factory.mktemp("default"))
    pipeline.ensure("features", load_profile("default", SETTINGS), run)
    return run


def test_less_than_a_thousandth_of_any_feature_is_clipped(default_market: Run) -> None:
    """In every split, test included, each feature stays inside the bound but for less than one value in a thousand."""
    clipped = load_clip_report(default_market).set_index(["split", "feature"])["clipped"]
    assert set(clipped.index.get_level_values("split")) == {"train", "validate", "test"}
    assert clipped[clipped >= MOST].to_dict() == {}


def test_the_list_shows_every_feature_with_its_scale(default_market: Run) -> None:
    """Each feature of the specification is a row with formula, unit, look-back and the scaler's numbers."""
    table, features = report.feature_list(default_market), load_features(default_market)
    assert tuple(table.index) == (*features.names, *PORTFOLIO)
    assert table[["formula", "unit"]].map(bool).all(axis=None)
    assert table["scale"].astype(float).to_numpy()[: len(features.names)] == pytest.approx(
        features.scaler.scale, rel=1e-3
    )
    assert np.array_equal(table["look-back"][: len(features.names)], [one.lookback for one in features.spec.features])


@pytest.mark.parametrize("lookback", [20, 60])
def test_the_studys_features_are_complete(lookback: int) -> None:
    """The seed rules hold eight features of the pair and twelve of each leg, stacked over 20 to 60 bars."""
    spec = feature_spec(FeaturesConfig(spec="seed-rules", lookback=lookback))
    pair = {"alpha", "beta", "correlation", "pvalue", "spread_z", "kalman_mean", "spread_mean", "spread_volatility"}
    leg = {"close", "rsi", "macd", "stochastic_rsi", "mean", "bias", "volatility", "moves", "funding", "settlement"}
    leg |= {"upper_shadow", "lower_shadow"}
    assert set(spec.names) == pair | {f"{side}_{name}" for side in "yx" for name in leg}
    assert (spec.lookback, spec.indicators.rsi, spec.indicators.macd_fast, spec.indicators.macd_slow) == (
        lookback,
        20,
        5,
        14,
    )
    assert (spec.indicators.mean, spec.indicators.decay) == (20, 0.94)
