"""Fills, marks and funding of an episode, cut from a small hand-made panel."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from perpfut_lib.accounting import Accountant, Costs
from perpfut_lib.config import EnvConfig, Profile, SlippageConfig
from perpfut_lib.env.impact import impact_coefficients
from perpfut_lib.env.stage import cut_market, decision_rows, fill_prices, funding_per_unit, leg_prices
from perpfut_lib.errors import GapError
from perpfut_lib.store.panel import FundingEvents, Panel
from perpfut_lib.types import HOUR_MS, MINUTE_MS


def panel(timeframe=MINUTE_MS, bars=20, funding=None):
    time = np.arange(bars) * timeframe
    opens = np.stack([100.0 + np.arange(bars), 50.0 + np.arange(bars)], axis=1)
    closes = opens + 0.5
    flags = np.zeros(opens.shape, bool)
    return Panel(time, ("A", "B"), timeframe, opens, closes, opens, closes, opens, flags, funding or {})


def windows(start, end):
    return pd.DataFrame({"start": [start], "end": [end], "y": ["B"], "x": ["A"], "beta": [1.0]})


def test_fills_are_the_next_open_and_marks_the_last_close():
    """Proves the timing contract: decision j sees the close of the bar before it and trades at the open of its own."""
    market, pairs = panel(), windows(5 * MINUTE_MS, 9 * MINUTE_MS)
    rows = decision_rows(market, pairs)
    fills, times = fill_prices(market, pairs, rows, EnvConfig())
    assert fills[0, :, 0].tolist() == [55.0, 56.0, 57.0, 58.0, 59.0]  # y is B; the last one is the open at the end
    assert times[0].tolist() == [minute * MINUTE_MS for minute in range(5, 10)]
    assert leg_prices(market.close, market, pairs["x"], rows[:, :-1] - 1).tolist() == [[104.5, 105.5, 106.5, 107.5]]


def test_latency_delays_fills_up_to_the_flattening():
    """Proves that two bars of latency move each fill two opens on, and never past the window's end."""
    market, pairs = panel(), windows(5 * MINUTE_MS, 9 * MINUTE_MS)
    fills, _ = fill_prices(market, pairs, decision_rows(market, pairs), EnvConfig(latency=2))
    assert fills[0, :, 0].tolist() == [57.0, 58.0, 59.0, 59.0, 59.0]


def test_same_close_fills_at_the_close_just_seen():
    """Proves the seed rules' fill: the close that the decision has just observed."""
    market, pairs = panel(), windows(5 * MINUTE_MS, 9 * MINUTE_MS)
    rows = decision_rows(market, pairs)
    fills, _ = fill_prices(market, pairs, rows, EnvConfig(fill="same_close"))
    marks = leg_prices(market.close, market, pairs["y"], rows[:, :-1] - 1)
    assert fills[0, :-1, 0].tolist() == marks[0].tolist()


@pytest.mark.parametrize("jitter", [0, 17, -12])
def test_a_settlement_is_paid_once_by_the_position_held_before_it(jitter):
    """Proves that a settlement at a fill time belongs to the step before it, whatever the stamp's jitter."""
    time = np.array([5, 7, 9, 12]) * MINUTE_MS + jitter
    events = {"B": FundingEvents(time, np.array([1.0, 1e-3, 1e-4, 1.0]))}
    market, pairs = panel(funding=events), windows(5 * MINUTE_MS, 9 * MINUTE_MS)
    _, times = fill_prices(market, pairs, decision_rows(market, pairs), EnvConfig())
    paid = funding_per_unit(market, pairs["y"], times)
    # Settlements at the start are paid by no one; at the end by the last position, before it is flattened.
    np.testing.assert_allclose(paid, [[0.0, 1e-3 * 56.5, 0.0, 1e-4 * 58.5]], rtol=1e-12)
    assert funding_per_unit(market, pairs["x"], times).tolist() == [[0.0] * 4]


def test_a_settlement_is_paid_once_at_any_bar_size():
    """Proves that the window's total funding is that of its settlements at 1-minute and at 1-hour bars alike."""
    stamps = np.array([8, 16, 24]) * HOUR_MS
    rates = np.array([1e-4, 2e-4, 3e-4])
    for timeframe, bars in ((MINUTE_MS, 1600), (HOUR_MS, 27)):
        market = panel(timeframe, bars, {"B": FundingEvents(stamps, rates)})
        market = Panel(*[getattr(market, name) for name in ("open_time", "symbols", "timeframe")],
                       *[np.full((bars, 2), 10.0)] * 5, np.zeros((bars, 2), bool), market.funding)  # fmt: skip
        pairs = windows(2 * HOUR_MS, 26 * HOUR_MS)
        _, times = fill_prices(market, pairs, decision_rows(market, pairs), EnvConfig())
        assert funding_per_unit(market, pairs["y"], times).sum() == pytest.approx(10.0 * rates.sum(), rel=1e-12)


def thick_panel(bars=40, seed=0):
    """Return a panel with random closes and volumes."""
    rng = np.random.default_rng(seed)
    close = np.array([100.0, 3.0]) * np.exp(np.cumsum(rng.normal(0, 0.002, (bars, 2)), axis=0))
    flags, time = np.zeros(close.shape, bool), np.arange(bars) * MINUTE_MS
    volume = rng.exponential([50.0, 2000.0], close.shape)
    return Panel(time, ("A", "B"), MINUTE_MS, close, close, close, close, volume, flags, {})


IMPACT = SlippageConfig(model="impact", coefficient=0.8, capital=20_000.0, window="10m")


def test_impact_is_the_square_root_law_over_the_trailing_window():
    """Proves κ = Yσ√(K/V) against plain means of the ten bars before each decision, the flattening included."""
    market, pairs = thick_panel(), windows(15 * MINUTE_MS, 25 * MINUTE_MS)
    rows = decision_rows(market, pairs)
    kappa = impact_coefficients(market, pairs, rows, IMPACT)
    assert kappa.shape == (1, 11, 2)
    for leg, symbol in enumerate("BA"):
        column = market.column(symbol)
        close, volume = market.close[:, column], market.volume[:, column]
        for decision, row in enumerate(rows[0]):
            before = slice(row - 10, row)
            moves = np.diff(np.log(close[row - 11 : row]))
            expected = 0.8 * np.sqrt(np.mean(moves**2)) * np.sqrt(20_000 / np.mean(close[before] * volume[before]))
            assert kappa[0, decision, leg] == pytest.approx(expected, rel=1e-9)
    assert not impact_coefficients(market, pairs, rows, SlippageConfig(model="fixed")).any()


def test_impact_knows_nothing_later_than_its_decision():
    """Proves that bars from the decision on change no bit of its impact, and that the bar before does."""
    market, pairs = thick_panel(), windows(15 * MINUTE_MS, 25 * MINUTE_MS)
    rows = decision_rows(market, pairs)
    before = impact_coefficients(market, pairs, rows, IMPACT)
    for row, same in ((20, 6), (19, 5)):
        close, volume = market.close.copy(), market.volume.copy()
        close[row:] *= 1.7
        volume[row:] *= 3.0
        changed = replace(market, close=close, volume=volume)
        after = impact_coefficients(changed, pairs, rows, IMPACT)
        assert np.array_equal(before[:, :same], after[:, :same])
        assert np.all(before[:, same] != after[:, same])


def test_a_symbol_that_never_trades_has_no_impact_to_speak_of():
    """Proves that a trailing window without any volume is a named error, not an infinite or a zero cost."""
    market, pairs = thick_panel(), windows(15 * MINUTE_MS, 25 * MINUTE_MS)
    dead = replace(market, volume=np.zeros_like(market.volume))
    with pytest.raises(GapError, match=r"no volume of B .* costs\.slippage\.window"):
        impact_coefficients(dead, pairs, decision_rows(dead, pairs), IMPACT)


def test_a_window_without_its_flattening_bar_is_an_error():
    """Proves that the bar after the window must be on the panel."""
    with pytest.raises(GapError, match="one bar before the first and one after the last"):
        decision_rows(panel(), windows(5 * MINUTE_MS, 20 * MINUTE_MS))


def traded(closed, bars=20, ended=None):
    """Return the panel with B (and its prices) standing still in the rows ``closed``, without bars from ``ended``."""
    market = panel(bars=bars)
    arrays = {name: getattr(market, name).copy() for name in ("open", "high", "low", "close", "volume")}
    arrays["volume"] += 1.0
    for name in ("open", "high", "low", "close"):
        arrays[name][closed, 1] = market.close[closed.start - 1, 1]
        arrays[name][closed.stop if ended is None else ended :, 1] += 7.0  # the price after the halt is another one
    arrays["volume"][closed, 1] = 0.0
    if ended is not None:
        for values in arrays.values():
            values[ended:, 1] = np.nan
    return Panel(market.open_time, market.symbols, MINUTE_MS, **arrays, filled=market.filled, funding={})


def test_orders_wait_for_both_legs_while_one_is_halted():
    """B stands still in rows 7 to 9: orders for these fill at row 10's opens of both legs, the others as ever."""
    market, pairs = traded(slice(7, 10)), windows(5 * MINUTE_MS, 13 * MINUTE_MS)
    rows = decision_rows(market, pairs)
    fills, times = fill_prices(market, pairs, rows, EnvConfig(), halt=2 * MINUTE_MS)
    assert (times[0] // MINUTE_MS).tolist() == [5, 6, 10, 10, 10, 10, 11, 12, 13]
    assert fills[0, :, 0].tolist() == market.open[[5, 6, 10, 10, 10, 10, 11, 12, 13], 1].tolist()
    assert fills[0, :, 1].tolist() == market.open[[5, 6, 10, 10, 10, 10, 11, 12, 13], 0].tolist()
    same, now = fill_prices(market, pairs, rows, EnvConfig(fill="same_close"), halt=2 * MINUTE_MS)
    assert (now[0] // MINUTE_MS).tolist() == [5, 6, 7, 11, 11, 11, 11, 12, 13]
    assert same[0, 3, 0] == market.close[10, 1]


def test_a_quiet_bar_is_no_halt_and_zero_looks_for_none():
    """One bar without a trade fills, whatever the limit says; so does everything with a limit of zero."""
    pairs = windows(5 * MINUTE_MS, 13 * MINUTE_MS)
    for market, halt in ((traded(slice(7, 8)), MINUTE_MS), (traded(slice(7, 10)), 0)):
        rows = decision_rows(market, pairs)
        assert (fill_prices(market, pairs, rows, EnvConfig(), halt)[1] == market.open_time[rows]).all()


def test_a_pair_is_flattened_at_the_last_traded_price_when_a_leg_ends():
    """B has no bar from row 9 on: the pair is out at B's last close and A's open of row 9, with its turnover."""
    market, pairs = traded(slice(2, 3), ended=9), windows(5 * MINUTE_MS, 13 * MINUTE_MS)
    profile = Profile(costs={"fees_bps": [4.5]})
    episode, times = cut_market(market, pairs, profile)
    assert episode.fills[0, 4:, 0].tolist() == [market.close[8, 1]] * 5
    assert episode.fills[0, 4:, 1].tolist() == [market.open[9, 0]] * 5
    assert (times[0] // MINUTE_MS).tolist() == list(range(5, 14))
    assert np.isfinite(episode.marks).all()
    accountant = Accountant(episode, Costs(4.5e-4, 0.0))
    for step in range(8):
        accountant.book(step, np.array([[0.5, -0.5]]))
    ledger = accountant.close()
    assert ledger.price[0, :4].any() and not ledger.price[0, 4:].any()
    held = np.abs(ledger.weights[0, -1]).sum() * ledger.equity[0, -2]
    assert ledger.fees[0, -1] >= 4.5e-4 * held  # the flattening, and what drift was traded back before it
    notional = ledger.turnover[0, -1] * ledger.equity[0, -2]
    assert ledger.fees[0, -1] == pytest.approx(4.5e-4 * notional, rel=4.5e-4)  # equity falls by a fee in between
