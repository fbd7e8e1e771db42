"""The cost frontier: sums against a direct computation, the rule by hand, the ledger's holding, a planted edge."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from perpfut_lib.accounting import Costs, make_market
from perpfut_lib.config import load_profile
from perpfut_lib.frontier import CHOSEN, TEXTBOOK, Sums, frontier_rows, study
from perpfut_lib.frontier.rules import settle_sides, sides, spread_z
from perpfut_lib.frontier.study import half_tick_bps, paces, study_period
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import DAY_MS, MINUTE_MS

START = pd.Timestamp("2025-01-01", tz="UTC").value // 1_000_000


def windows_of(seed, count=60):
    rng = np.random.default_rng(seed)
    traded = rng.exponential(3.0, count)
    return traded * 2e-4 + rng.normal(0.0, 1e-3, count), traded


def test_sums_of_periods_give_the_interval_of_all_windows_together():
    """Earned over traded and its t interval equal those computed from the windows themselves, however they are cut."""
    earned, traded = windows_of(1)
    found = Sums.total([Sums.of(earned[:13], traded[:13]), Sums.of(earned[13:], traded[13:])]).interval_bps()
    ratio = earned.sum() / traded.sum()
    residual = earned - ratio * traded
    error = np.sqrt(len(earned) * residual.var(ddof=1)) / traded.sum()
    reach = student.ppf(0.975, len(earned) - 1) * error
    assert found.estimate == pytest.approx(1e4 * ratio, rel=1e-12)
    assert (found.lower, found.upper) == pytest.approx((1e4 * (ratio - reach), 1e4 * (ratio + reach)), rel=1e-9)


def test_the_interval_covers_what_it_says():
    """Null hypothesis: of 400 samples of 60 windows around a true 2 bps, 95 % intervals hold it in 90 % or fewer."""
    inside = [(one := Sums.of(*windows_of(seed)).interval_bps()).lower <= 2.0 <= one.upper for seed in range(400)]
    assert 0.92 <= np.mean(inside) <= 0.98


def test_nothing_traded_has_no_break_even():
    """Without a trade, or with one window, there is no interval, and nothing raises."""
    assert np.isnan(Sums.of(np.zeros(5), np.zeros(5)).interval_bps().estimate)
    assert np.isnan(Sums.of(np.ones(1), np.ones(1)).interval_bps().lower)


def by_hand(z, entry, out, interval):
    side, held = 0.0, []
    for step, value in enumerate(z):
        if step % interval == 0:
            if abs(value) > entry:
                side = -np.sign(value)
            elif side and side * value >= -out:
                side = 0.0
        held.append(side)
    return held


@pytest.mark.parametrize("interval", [1, 5])
@pytest.mark.parametrize("thresholds", [(2.0, 0.5), (1.0, 0.0)])
def test_the_rule_is_the_textbook_s(thresholds, interval):
    """Sides equal a loop written from the rule's description."""
    z = np.cumsum(np.random.default_rng(3).normal(0.0, 0.6, (4, 200)), axis=1)
    assert sides(z, thresholds, interval).tolist() == [by_hand(row, *thresholds, interval) for row in z]


def small_market(seed=4, length=300):
    rng = np.random.default_rng(seed)
    opens = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 1e-3, (3, length + 1, 2)), axis=1))
    return make_market(opens, opens[:, :-1] * 1.0001, np.zeros((3, length, 2)))


def test_units_stay_while_the_side_does():
    """Nothing is traded but when the side changes and at the flattening, and the ledger sums."""
    market, held = small_market(), np.repeat([[1.0, -1.0, 0.0, 1.0, 0.0]], 60, axis=1).repeat(3, axis=0)
    book = settle_sides(held, market, np.array([0.8, 1.0, 1.3]))
    changed = np.array([side != before for before, side in pairwise([0.0, *held[0]])])
    assert (book.turnover[:, ~changed] < 1e-12).all()
    assert (book.turnover[:, changed] > 0.9).all()
    assert book.residual() < 1e-12


def test_the_break_even_cost_leaves_nothing():
    """At the cost per side that the sums call break-even, the ledger ends about where it began."""
    market, beta = small_market(5), np.ones(3)
    held = sides(np.random.default_rng(6).normal(0.0, 2.0, (3, 300)), (2.0, 0.5), 10)
    free = settle_sides(held, market, beta)
    traded = (free.turnover * free.equity[:, :-1]).sum(axis=1)
    cost = Sums.of(free.equity[:, -1] - 1.0, traded).ratio_bps
    paid = settle_sides(held, market, beta, Costs(cost * 1e-4, 0.0))
    gain = abs(free.equity[:, -1].sum() - 3.0)
    assert gain > 1e-3
    assert abs(paid.equity[:, -1].sum() - 3.0) < 0.1 * gain


def panel_of(close):
    """Return the panel of two symbols' closes, which open where the bar before closed."""
    opens = np.vstack([close[:1], close[:-1]])
    times = START + MINUTE_MS * np.arange(len(close))
    prices = {"open": opens, "high": np.maximum(opens, close), "low": np.minimum(opens, close), "close": close.copy()}
    rest = {"volume": np.ones(close.shape), "filled": np.zeros(close.shape, bool), "funding": {}}
    return Panel(symbols=("AAA", "BBB"), open_time=times, timeframe=MINUTE_MS, **prices, **rest)


def planted_panel(days, pull, seed=8):
    """Return two symbols whose spread is an AR(1) process with this pull to its mean, and two days before them."""
    rng, bars = np.random.default_rng(seed), days * 1440 + 2
    common = np.cumsum(rng.normal(0.0, 5e-4, bars))
    spread, level = np.empty(bars), 0.0
    for bar, noise in enumerate(rng.normal(0.0, 3e-4, bars)):
        level = spread[bar] = (1.0 - pull) * level + noise
    close = 100.0 * np.exp(np.stack([common + spread, common], axis=1))
    return panel_of(close)


def planted_run(monkeypatch, pull, days=24):
    panel, start = planted_panel(days, pull), START + DAY_MS * np.arange(1, days)
    pairs = pd.DataFrame({"start": start, "end": start + DAY_MS, "y": "AAA", "x": "BBB", "beta": 1.0, "alpha": 0.0})
    spread = np.log(panel.close[:, 0] / panel.close[:, 1])
    pairs = pairs.assign(spread_mean=0.0, spread_std=spread.std())
    monkeypatch.setattr(study, "load_panel", lambda run: panel)
    monkeypatch.setattr(study, "load_pair_days", lambda run: pairs)
    monkeypatch.setattr(study, "load_windows", lambda run: pd.DataFrame({"start": start}))
    monkeypatch.setattr(study, "THRESHOLDS", ((1.0, 0.0), (2.0, 0.5), (2.5, 1.0)))
    monkeypatch.setattr(study, "DELAYS", (0, 3))
    monkeypatch.setattr(study, "INTERVALS", (1, 15))
    monkeypatch.setattr(study, "MEMORIES", (120, None))
    return study_period(load_profile("smoke"), SimpleNamespace())


def cell(found, **wanted):
    rows = frontier_rows({"planted": found})
    return next(row for row in rows if all(getattr(row, name) == value for name, value in wanted.items()))


def test_a_planted_edge_shows_and_noise_does_not(monkeypatch):
    """A spread that reverts within half an hour earns more than its interval doubts; a spread that walks does not."""
    found = planted_run(monkeypatch, 0.03)
    at_once = cell(found, memory=None, interval=1, delay=0, rule=TEXTBOOK)
    assert at_once.break_even.lower > 2.0
    assert cell(found, memory=None, interval=15, delay=0, rule=TEXTBOOK).break_even.lower > 0.0
    late = cell(found, memory=None, interval=1, delay=3, rule=TEXTBOOK)
    assert 0.0 < late.break_even.estimate < at_once.break_even.estimate
    walk = planted_run(monkeypatch, 0.0)
    assert cell(walk, memory=120, interval=1, delay=0, rule=TEXTBOOK).break_even.lower < 0.0


def test_thresholds_are_chosen_on_other_blocks(monkeypatch):
    """Each block uses the thresholds with the best ratio over the others."""
    monkeypatch.setattr(study, "BLOCK_WINDOWS", 11)
    found = planted_run(monkeypatch, 0.03)
    row = cell(found, memory=None, interval=1, delay=0, rule=CHOSEN)
    rows = [dict(zip(found["columns"], one, strict=True)) for one in found["cells"]]
    for block, used in enumerate(row.thresholds):
        others = [
            (1e4 * one["earned"] / one["traded"], (one["entry"], one["exit"]))
            for one in rows
            if (one["memory"], one["interval"], one["delay"]) == (None, 1, 0) and one["block"] != block
        ]
        assert used == max(others)[1]


def test_a_rolling_mean_sees_the_past_only():
    """What comes after a decision changes nothing in its z-score."""
    panel = planted_panel(3, 0.03)
    pair = pd.DataFrame({"y": ["AAA"], "x": ["BBB"], "alpha": 0.0, "beta": 1.0, "spread_mean": 0.0, "spread_std": 1.0})
    rows = 1440 + np.arange(600)[None, :]
    before = spread_z(panel, pair, rows, 60)
    close = panel.close.copy()
    close[1440 + 300 + 1 :, 0] *= 1.1
    after = spread_z(panel_of(close), pair, rows, 60)
    assert np.array_equal(after[:, :301], before[:, :301])
    assert not np.array_equal(after, before)
    spread = np.log(panel.close[:, 0] / panel.close[:, 1])
    seen = spread[1440 + 100 - 59 : 1440 + 101]
    assert before[0, 100] == pytest.approx((seen[-1] - seen.mean()) / seen.std(), rel=1e-9)


def test_half_a_tick_and_paces():
    """Half a tick is in basis points of the price; an hour's bar has no decision every five minutes."""
    panel = panel_of(np.round(planted_panel(2, 0.03).close, 2))
    pair = pd.DataFrame({"y": ["AAA"], "x": ["BBB"]})
    expected = np.mean([1e4 * 0.005 / np.median(panel.close[:, column]) for column in (0, 1)])
    assert half_tick_bps(panel, pair) == pytest.approx(expected, rel=0.02)
    assert paces(60) == [(None, 60)]
    assert (30, 60) not in paces(1)
