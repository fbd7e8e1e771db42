"""Parity: the batch scan, one bar at a time, and restarts from JSON give the same bits; the future changes nothing."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perpfut_lib.cointegration import engle_granger
from perpfut_lib.config import FeaturesConfig
from perpfut_lib.features import (
    AssetBar,
    FeatureSpec,
    FeatureState,
    Pair,
    compute,
    feature_spec,
    init_state,
    open_pair,
    step,
)
from perpfut_lib.features.noise_fit import fitted
from perpfut_lib.features.scan import symbol_bars
from perpfut_lib.store.panel import FundingEvents, Panel
from perpfut_lib.types import HOUR_MS, MINUTE_MS, Float1D, Float2D, Float3D

START = pd.Timestamp("2025-01-05", tz="UTC").value // 1_000_000
EARLIER, FORMATION, TRADING = 300, 1440, 10_000
BARS = EARLIER + FORMATION + TRADING
SYMBOLS = ("AAA", "BBB", "CCC", "DDD")
FIELDS = ("open", "high", "low", "close", "volume")


def simulated_panel(bars: int = BARS) -> Panel:
    """Return four symbols with a common trend, funding of two intervals with jitter, a halt, and one late listing."""
    rng = np.random.default_rng(0)
    trend = 0.001 * rng.standard_normal((bars, 1)).cumsum(axis=0)
    close = 50.0 * np.exp(trend * [1.0, 0.8, 1.2, 1.0] + 0.0005 * rng.standard_normal((bars, 4)).cumsum(axis=0))
    close[2500:2574, 1] = close[min(2500, bars - 1), 1]
    opens = np.vstack([close[:1], close[:-1]])
    high = np.maximum(opens, close) * np.exp(0.0003 * rng.exponential(size=close.shape))
    low = np.minimum(opens, close) * np.exp(-0.0003 * rng.exponential(size=close.shape))
    volume = rng.exponential(10.0, close.shape)
    volume[2500:2574, 1] = 0.0
    for values in (opens, high, low, close, volume):
        values[:200, 3] = np.nan
    time = START + MINUTE_MS * np.arange(bars)
    funding = {}
    for symbol, hours in zip(SYMBOLS, (8, 4, 8), strict=False):
        stamps = np.arange(time[0], time[-1], hours * HOUR_MS)
        funding[symbol] = FundingEvents(
            stamps + rng.integers(0, 20, len(stamps)), 1e-4 * rng.standard_normal(len(stamps))
        )
    return Panel(time, SYMBOLS, MINUTE_MS, opens, high, low, close, volume, np.zeros(close.shape, bool), funding)


def real_panel(folder: Path) -> Panel:
    """Return four recorded symbols over as many minutes."""
    names = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"]
    market, chosen = folder / "market", [("symbol", "in", names)]
    candles = pd.read_parquet(market / "binance_usdm_1m_2025-05-04_2025-06-24.parquet", filters=chosen)
    candles = candles.astype({"symbol": str})
    first = candles.groupby("symbol")["open_time"].min().max()
    candles = candles[candles["open_time"].between(first, first + (BARS - 1) * MINUTE_MS)]
    tables = [candles.pivot(index="open_time", columns="symbol", values=field) for field in FIELDS]
    events = pd.read_parquet(market / "binance_usdm_funding_2024-05_2025-06.parquet", filters=chosen)
    funding = {
        name: FundingEvents(rows["funding_time"].to_numpy(), rows["funding_rate"].to_numpy())
        for name, rows in events.astype({"symbol": str}).groupby("symbol")
    }
    arrays = [table.to_numpy().copy() for table in tables]
    filled = np.zeros(arrays[0].shape, bool)
    return Panel(tables[0].index.to_numpy().copy(), tuple(names), MINUTE_MS, *arrays, filled, funding)


def pair_days_of(panel: Panel, earlier: int, formation: int, trading: int) -> pd.DataFrame:
    """Return one trading window of five pairs, tested on the formation window before it."""
    start = int(panel.open_time[earlier + formation])
    logs = np.log(panel.close[earlier : earlier + formation])
    rows = []
    for y, x in list(combinations(panel.symbols, 2))[:5]:
        legs = logs[:, panel.column(y)], logs[:, panel.column(x)]
        test = engle_granger(*legs)
        spread = legs[0] - test.alpha - test.beta * legs[1]
        moments = {"spread_mean": spread.mean(), "spread_std": spread.std(ddof=1)}
        names = {"y": y, "x": x, "start": start, "end": start + trading * MINUTE_MS}
        rows.append({**names, **test._asdict(), **moments, "correlation": np.corrcoef(*legs)[0, 1]})
    return pd.DataFrame(rows)


def batch(spec: FeatureSpec, panel: Panel, pair_days: pd.DataFrame, formation: int = FORMATION) -> Float3D:
    """Return the features that research computes."""
    return compute(spec, panel, pair_days, formation=formation * MINUTE_MS)


def live(spec: FeatureSpec, panel: Panel, pair_days: pd.DataFrame, restarts: set[int]) -> Float3D:
    """Return the same features from one step per bar, with the state sent through JSON before some bars.

    The pairs are opened when their formation window has ended, as the agent does.
    """
    state = init_state(spec, panel.symbols)
    bars = {name: symbol_bars(panel, name, 0, len(panel.open_time)) for name in panel.symbols}
    rows: dict[str, list[Float1D]] = {}
    opening = panel.row(int(pair_days["start"].iloc[0])) - 1
    for t, time in enumerate(panel.open_time[: opening + TRADING].tolist()):
        if t in restarts:
            state = FeatureState.from_json(spec, json.loads(json.dumps(state.to_json(), allow_nan=False)))
        state, said = step(spec, state, time, {name: AssetBar(*bars[name][t]) for name in panel.symbols})
        for key, row in said.items():
            rows[key].append(row)
        if t == opening:
            for episode, row in pair_days.iterrows():
                state = _opened(spec, state, panel, str(episode), row)
            rows = {key: list(track.window) for key, track in state.pairs.items()}
    return np.stack([np.stack(rows[str(episode)]) for episode in pair_days.index])


def _opened(spec: FeatureSpec, state: FeatureState, panel: Panel, key: str, row: pd.Series) -> FeatureState:
    pair = Pair.of(row, FORMATION * MINUTE_MS, MINUTE_MS)
    stop = panel.row(int(row["start"]))
    closes: Float2D = panel.close[stop - FORMATION : stop, [panel.column(row["y"]), panel.column(row["x"])]]
    return open_pair(spec, state, key, (row["y"], row["x"]), pair, closes)


def assert_same_bits(research: Float3D, agent: Float3D) -> None:
    """Fail unless both hold the same bits."""
    assert research.shape == agent.shape
    different = research.view(np.int64) != agent.view(np.int64)
    assert not different.any(), (
        f"{different.sum()} values differ, features {np.flatnonzero(different.any(axis=(0, 1)))}"
    )


@pytest.mark.parametrize(("name", "lookback"), [("default", 1), ("seed-rules", 20)])
@pytest.mark.parametrize("source", ["simulated", "real"])
def test_scan_steps_and_restarts_are_bit_equal(
    source: str, name: str, lookback: int, request: pytest.FixtureRequest
) -> None:
    """H0: research and live give equal bits on 10,000 bars of five pairs, across 40 restarts from JSON."""
    panel = simulated_panel() if source == "simulated" else real_panel(request.getfixturevalue("shared_data"))
    spec = feature_spec(FeaturesConfig(spec=name, lookback=lookback))
    pair_days = pair_days_of(panel, EARLIER, FORMATION, TRADING)
    restarts = set(np.random.default_rng(1).integers(1, BARS, 40).tolist())
    research = batch(spec, panel, pair_days)
    assert np.isfinite(research).all()
    assert_same_bits(research, live(spec, panel, pair_days, restarts))


SHORT_EARLIER, SHORT_FORMATION, SHORT_TRADING = 50, 300, 400
SHORT_SPEC = feature_spec(FeaturesConfig(lookback=3))
SHORT_PANEL = simulated_panel(1000).rows(200, 1000)
SHORT_DAYS = pair_days_of(SHORT_PANEL, SHORT_EARLIER, SHORT_FORMATION, SHORT_TRADING)


def _honest(panel: Panel) -> Float3D:
    return batch(SHORT_SPEC, panel, SHORT_DAYS, SHORT_FORMATION)


def _peeking(panel: Panel) -> Float3D:
    """Return features with a look-ahead planted: a bar's high is that of the next bar too."""
    high = np.vstack([np.maximum(panel.high[:-1], panel.high[1:]), panel.high[-1:]])
    return _honest(replace(panel, high=high))


def _past_survives(features: Callable[[Panel], Float3D], cut: int, seed: int) -> bool:
    """Return whether features known at the close of bar ``cut`` keep their bits when all that is later changes."""
    rng = np.random.default_rng(seed)
    fields = {}
    for name in FIELDS:
        values = getattr(SHORT_PANEL, name).copy()
        values[cut + 1 :] *= rng.uniform(0.5, 2.0, values[cut + 1 :].shape)
        fields[name] = values
    known = int(SHORT_PANEL.open_time[cut]) + MINUTE_MS
    funding = {
        symbol: FundingEvents(events.time, np.where(events.time > known, 0.01, events.rate))
        for symbol, events in SHORT_PANEL.funding.items()
    }
    seen = cut - (SHORT_EARLIER + SHORT_FORMATION - SHORT_SPEC.lookback) + 1
    before, after = features(SHORT_PANEL), features(replace(SHORT_PANEL, funding=funding, **fields))
    return before[:, :seen].tobytes() == after[:, :seen].tobytes()


@settings(max_examples=40)
@given(cut=st.integers(350, 749), seed=st.integers(0, 2**32 - 1))
def test_the_future_never_changes_a_past_feature(cut: int, seed: int) -> None:
    """H0 (no look-ahead): whatever comes after a bar, the features known at its close keep their bits."""
    assert _past_survives(_honest, cut, seed)


def test_a_planted_look_ahead_is_caught() -> None:
    """The same check refuses features that peek one bar ahead."""
    assert not _past_survives(_peeking, 500, 0)


def test_a_planted_short_warm_up_is_caught() -> None:
    """The same comparison refuses features whose recursions start late, be it by one bar."""
    panel, spec = simulated_panel(), feature_spec(FeaturesConfig())
    pair_days = pair_days_of(panel, EARLIER, FORMATION, TRADING)
    research = batch(spec, panel, pair_days)
    late_assets = batch(spec, panel.rows(EARLIER, BARS), pair_days)
    late_pairs = batch(spec, panel, pair_days, formation=FORMATION - 1)
    for late in (late_assets, late_pairs):
        with pytest.raises(AssertionError, match="values differ"):
            assert_same_bits(research, late)


def test_a_fitted_filter_sees_training_only_and_is_bit_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    """H0: with its noise fitted, research and live agree to the bit, and no bar after formation moves the fit.

    The specification carries the noise through JSON, as the policy card does.
    """
    for name, value in (("FORMATION", SHORT_FORMATION), ("TRADING", SHORT_TRADING)):
        monkeypatch.setattr(sys.modules[__name__], name, value)
    formation = SHORT_FORMATION * MINUTE_MS
    spec, fit = fitted(SHORT_SPEC, SHORT_PANEL, SHORT_DAYS, formation, 4)
    assert fit.log_likelihood[-1] > fit.log_likelihood[0]
    assert spec.indicators != SHORT_SPEC.indicators
    carried = FeatureSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert carried == spec
    research = batch(spec, SHORT_PANEL, SHORT_DAYS, SHORT_FORMATION)
    assert_same_bits(research, live(carried, SHORT_PANEL, SHORT_DAYS, {60, 351, 500}))
    close = SHORT_PANEL.close.copy()
    close[SHORT_EARLIER + SHORT_FORMATION :] *= 1.5
    assert fitted(SHORT_SPEC, replace(SHORT_PANEL, close=close), SHORT_DAYS, formation, 4)[1] == fit


def test_blocks_and_threads_do_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """H0: cutting the panel into blocks of another size, or scanning in threads, changes nothing."""
    shift = 40 * MINUTE_MS
    later = SHORT_DAYS.assign(start=SHORT_DAYS["start"] + shift, end=SHORT_DAYS["end"] + shift)
    both = pd.concat([SHORT_DAYS, later[:2]], ignore_index=True)
    whole = batch(SHORT_SPEC, SHORT_PANEL, both, SHORT_FORMATION)
    monkeypatch.setattr("perpfut_lib.features.scan.BLOCK_BARS", 1)
    for threads in (1, 3):
        formation = SHORT_FORMATION * MINUTE_MS
        assert_same_bits(whole, compute(SHORT_SPEC, SHORT_PANEL, both, formation=formation, threads=threads))


def test_the_layout_of_a_panel_in_memory_changes_nothing():
    """A panel whose tables are laid out by rows, by columns or mixed, as a placebo's are, gives the same bits."""
    panel, spec = simulated_panel(), feature_spec(FeaturesConfig())
    pair_days = pair_days_of(panel, EARLIER, FORMATION, TRADING)
    mixed = replace(panel, volume=np.array(panel.volume, order="C"), open=np.asfortranarray(panel.open))
    assert_same_bits(batch(spec, mixed, pair_days), batch(spec, panel, pair_days))
