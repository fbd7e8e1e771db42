"""Unit tests of the feature catalogue, settlements, scaling, the state's JSON and the stage."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from perpfut_lib.config import FeaturesConfig
from perpfut_lib.errors import ArtifactError, ConfigError, PolicyError
from perpfut_lib.features import (
    AssetBar,
    FeatureSpec,
    FeatureState,
    Pair,
    Scaler,
    feature_spec,
    init_state,
    known_funding,
    open_pair,
    scale,
    step,
)
from perpfut_lib.features.asset import AssetQuantities
from perpfut_lib.features.scaler import clip_report, fit_scaler
from perpfut_lib.features.spec import assemble
from perpfut_lib.store.panel import FundingEvents
from perpfut_lib.types import HOUR_MS, MINUTE_MS

SPEC = feature_spec(FeaturesConfig())
BAR = AssetBar(100.0, 101.0, 99.0, 100.5, 3.0, 1e-4, 60.0, 480.0)
PAIR = Pair(0.0, 1.0, 0.9, 0.01, 50.0, 0.0, 0.01, 0.0, 3.0 * MINUTE_MS, 10.0 * MINUTE_MS, float(MINUTE_MS))


@pytest.mark.parametrize(("name", "count"), [("default", 43), ("seed-rules", 32)])
def test_specifications_document_every_feature(name: str, count: int) -> None:
    """Both lists have unique names, a formula and a unit for each feature, and survive JSON."""
    spec = feature_spec(FeaturesConfig(spec=name, lookback=20))
    assert len(spec.names) == len(set(spec.names)) == count
    assert all(feature.formula and feature.unit for feature in spec.features)
    assert FeatureSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_a_specification_can_be_narrowed() -> None:
    """``features.only`` keeps some features in the list's order; unknown names are refused with the known ones."""
    config = FeaturesConfig(only=("carry", "spread_z"))
    assert feature_spec(config).names == ("spread_z", "carry")
    with pytest.raises(ConfigError, match=r"spreadz; expected some of spread_z"):
        feature_spec(FeaturesConfig(only=("spreadz",)))


def test_funding_is_known_from_its_settlement_on() -> None:
    """Rate and time to the next settlement follow the last event at or before a time; jitter shifts no schedule."""
    start = 1_700_006_400_000 // (8 * HOUR_MS) * 8 * HOUR_MS
    events = FundingEvents(
        np.array([start + 12, start + 4 * HOUR_MS, start + 8 * HOUR_MS + 7]), np.array([1.0, 2.0, 3.0]) * 1e-4
    )
    times = start + np.array([-MINUTE_MS, 0, MINUTE_MS, 4 * HOUR_MS, 8 * HOUR_MS, 8 * HOUR_MS + MINUTE_MS])
    known = known_funding(events, times)
    assert (known.rate * 1e4).round(9).tolist() == [0.0, 0.0, 1.0, 2.0, 2.0, 3.0]
    assert known.interval.tolist() == [480.0, 480.0, 480.0, 240.0, 240.0, 240.0]
    assert known.minutes.tolist() == [1.0, 480.0, 479.0, 240.0, 240.0, 239.0]
    alone = [known_funding(events, times[[k]]) for k in range(len(times))]
    assert all(np.concatenate(parts).tobytes() == whole.tobytes() for parts, whole in zip(zip(*alone), known))  # noqa: B905


def test_without_funding_the_rate_is_zero_on_an_eight_hour_schedule() -> None:
    """A symbol that pays no funding has rate 0."""
    known = known_funding(None, np.array([0, HOUR_MS]))
    assert (known.rate.tolist(), known.minutes.tolist()) == ([0.0, 0.0], [480.0, 420.0])


def test_carry_is_what_a_long_spread_receives() -> None:
    """Long y pays its rate, short x receives its own: carry = -(f_y - beta f_x) / (1 + beta) in bps a day."""
    state = init_state(SPEC, ("Y", "X"))
    bars = {"Y": BAR._replace(funding_rate=3e-4), "X": BAR._replace(funding_rate=1e-4, settlement_interval=240.0)}
    state, _ = step(SPEC, state, 0, bars)
    state = open_pair(SPEC, state, "p", ("Y", "X"), PAIR, np.full((1, 2), 100.5))
    carry = state.pairs["p"].window[-1, SPEC.names.index("carry")]
    assert carry == pytest.approx(math.asinh(-(3.0 * 3 - 1.0 * 6) / 2))


def test_a_bar_without_a_price_leaves_the_state_and_says_nan() -> None:
    """A symbol that has no bar does not move; its pairs' rows are NaN; JSON carries the gap."""
    state, _ = step(SPEC, init_state(SPEC, ("Y", "X")), 0, {"Y": BAR, "X": BAR})
    state = open_pair(SPEC, state, "p", ("Y", "X"), PAIR, np.full((1, 2), 100.5))
    after, rows = step(SPEC, state, MINUTE_MS, {"Y": BAR, "X": BAR._replace(close=math.nan)})
    assert np.isnan(rows["p"]).all()
    assert after.assets["X"].state["bars"] == 1.0
    assert after.pairs["p"].state["bars"] == 1.0
    again = FeatureState.from_json(SPEC, json.loads(json.dumps(after.to_json(), allow_nan=False)))
    assert np.isnan(again.pairs["p"].window[-1]).all()


def test_a_step_does_not_touch_the_state_it_was_given() -> None:
    """``step`` is pure: the old state can be stepped again with the same result."""
    state, _ = step(SPEC, init_state(SPEC, ("Y", "X")), 0, {"Y": BAR, "X": BAR})
    before = json.dumps(state.to_json())
    first, _ = step(SPEC, state, MINUTE_MS, {"Y": BAR, "X": BAR})
    assert json.dumps(state.to_json()) == before
    second, _ = step(SPEC, state, MINUTE_MS, {"Y": BAR, "X": BAR})
    assert json.dumps(first.to_json()) == json.dumps(second.to_json())


def test_a_state_that_does_not_fit_is_refused() -> None:
    """A missing symbol, a bar that is not later, too few closes, another schema: each a named error."""
    state, _ = step(SPEC, init_state(SPEC, ("Y", "X")), 0, {"Y": BAR, "X": BAR})
    with pytest.raises(ArtifactError, match="no bar of X"):
        step(SPEC, state, MINUTE_MS, {"Y": BAR})
    with pytest.raises(ArtifactError, match="bar 0 after bar 0"):
        step(SPEC, state, 0, {"Y": BAR, "X": BAR})
    with pytest.raises(ArtifactError, match="2 closes"):
        open_pair(SPEC, state, "p", ("Y", "X"), PAIR, np.ones((2, 2)))
    with pytest.raises(ArtifactError, match="without a state of Z"):
        open_pair(SPEC, state, "p", ("Y", "Z"), PAIR, np.ones((1, 2)))
    with pytest.raises(ArtifactError, match="schema 0"):
        FeatureState.from_json(SPEC, {"schema": 0})
    other = FeatureSpec("other", 1, SPEC.indicators._replace(mean=30), SPEC.features)
    with pytest.raises(ArtifactError, match="shape"):
        FeatureState.from_json(other, state.to_json())
    broken = state.to_json()
    del broken["assets"]["X"]["state"]["rsi"]
    with pytest.raises(ArtifactError, match="rsi"):
        FeatureState.from_json(SPEC, broken)


def test_infinite_half_life_becomes_the_length_of_the_window() -> None:
    """A spread that does not revert has half-life infinity; the feature says as much as the window can tell."""
    row = pd.Series({**PAIR._asdict(), "half_life": math.inf, "start": 3 * MINUTE_MS, "end": 10 * MINUTE_MS})
    assert Pair.of(row, 3 * MINUTE_MS, MINUTE_MS).half_life == 3.0


def test_scaling_is_elementwise() -> None:
    """H0: a row scales to the same bits alone, in a batch of any shape, and in any position."""
    raw = np.random.default_rng(0).standard_normal((7, 33, len(SPEC.names))) * 30
    scaler = fit_scaler(SPEC, raw[:3], 10.0)
    together = scale(raw, scaler)
    alone = np.stack([np.stack([scale(row, scaler) for row in rows]) for rows in raw])
    assert together.dtype == np.float32
    assert together.tobytes() == alone.tobytes()
    assert Scaler.from_json(json.loads(json.dumps(scaler.to_json()))).scale.tobytes() == scaler.scale.tobytes()


def test_scaler_sees_what_it_is_given_only() -> None:
    """Mean and standard deviation are those of numpy; a constant feature gets its least scale."""
    raw = np.random.default_rng(1).standard_normal((4, 50, len(SPEC.names))) * 5 + 2
    raw[:, :, 3] = 7.0
    scaler = fit_scaler(SPEC, raw, 10.0)
    flat = raw.reshape(-1, len(SPEC.names))
    assert scaler.center == pytest.approx(flat.mean(axis=0), abs=1e-12)
    assert scaler.scale == pytest.approx(np.maximum(flat.std(axis=0), SPEC.least_scales()), abs=1e-12)
    assert scaler.scale[3] == SPEC.features[3].least_scale


def test_clip_report_counts_by_split() -> None:
    """One value in two hundred beyond the bound is a share of 0.005 of its split and feature."""
    raw = np.zeros((2, 200, len(SPEC.names)))
    raw[1, 5, 0] = 1e9
    scaler = Scaler(SPEC.names, np.zeros(len(SPEC.names)), np.ones(len(SPEC.names)), 10.0)
    report = clip_report(raw, scaler, np.array(["train", "test"])).set_index(["split", "feature"])["clipped"]
    assert report["test", "spread_z"] == 0.005
    assert report.sum() == 0.005
    assert (np.abs(scale(raw, scaler)) <= 10.0).all()


def test_another_number_of_features_is_refused() -> None:
    """A scaler of 43 features does not scale 42."""
    scaler = Scaler(SPEC.names, np.zeros(43), np.ones(43), 10.0)
    with pytest.raises(PolicyError, match="42 features"):
        scale(np.zeros((1, 42)), scaler)


def test_every_transform_is_the_named_function() -> None:
    """Transforms are log, asinh, square root and Fisher's z, with arguments kept in their domains."""
    from perpfut_lib.features.spec import TRANSFORMS, transformed

    expected = {"none": -2.0, "log": math.log(1e-8), "asinh": math.asinh(-2.0), "sqrt": 0.0}
    expected |= {"fisher": math.atanh(-1.0 + 1e-8), "soft": -2.0 / math.sqrt(3.0)}
    for position, name in enumerate(TRANSFORMS):
        assert transformed(-2.0, position) == expected[name]
        assert math.isfinite(transformed(0.9, position))


def test_columns_find_their_quantities() -> None:
    """Each feature takes the quantity that it names, of the leg that it names."""
    from perpfut_lib.features.pair import PairQuantities

    spec = FeatureSpec("t", 1, SPEC.indicators, SPEC.features)
    pair = PairQuantities(*[0.01 + k / 100 for k in range(len(PairQuantities._fields))])
    legs = {leg: AssetQuantities(*[base + k for k in range(len(AssetQuantities._fields))]) for leg, base in
            (("y", 100.0), ("x", 500.0))}  # fmt: skip
    rows, picks = np.empty((1, len(spec.features))), spec.picks.copy()
    picks[:, 1] = 0
    assemble(np.array([pair]), np.array([legs["y"]]).T, np.array([legs["x"]]).T, picks, rows)
    row = rows[0]
    for feature, value in zip(spec.features, row, strict=True):
        if feature.block == "pair":
            assert value == getattr(pair, feature.quantity)
        elif feature.block != "both":
            assert value == getattr(legs[feature.block], feature.quantity)
