"""Hand-worked ledgers: every figure below was worked out on paper."""

import numpy as np
import pytest

from perpfut_lib.accounting import (
    Costs,
    Holding,
    StepPrices,
    held_weights,
    liquidation_distance,
    make_market,
    settle,
    settle_step,
)
from perpfut_lib.errors import SchemaError

FREE = Costs(0.0, 0.0)


def market(fills, marks=None, funding=None):
    fills = np.array(fills, float)[None]
    marks = fills[:, :-1] if marks is None else np.array(marks, float)[None]
    funding = np.zeros_like(marks) if funding is None else np.array(funding, float)[None]
    return make_market(fills, marks, funding)


def test_long_spread_with_fees_slippage_and_funding():
    """Proves each account of a two-step long-spread trade, flattening included, against hand-worked figures."""
    fills = [[100.0, 50.0], [101.0, 50.0], [102.0, 51.0]]
    funding = [[0.01, 0.02], [0.0, 0.0]]
    ledger = settle(np.full((1, 2, 2), [0.5, -0.5]), market(fills, funding=funding), Costs(0.001, 0.0005))
    # First fill: buy 0.005 y, sell 0.01 x; traded 1.0 in all.
    assert ledger.fees[0, 0] == pytest.approx(0.001, abs=1e-15)
    assert ledger.slippage[0, 0] == pytest.approx(0.0005, abs=1e-15)
    assert ledger.price[0, 0] == pytest.approx(0.005 * 1.0, abs=1e-15)
    assert ledger.funding[0, 0] == pytest.approx(-0.005 * 0.01 + 0.01 * 0.02, abs=1e-15)
    equity = 1 + 0.005 + 0.00015 - 0.0015
    assert ledger.equity[0, 1] == pytest.approx(equity, abs=1e-15)
    # Second fill: rebalance to half of equity in each leg.
    quantity_y, quantity_x = 0.5 * equity / 101, -0.5 * equity / 50
    traded = abs(quantity_y - 0.005) * 101 + abs(quantity_x + 0.01) * 50
    flattened = quantity_y * 102 - quantity_x * 51
    assert ledger.fees[0, 1] == pytest.approx(0.001 * (traded + flattened), abs=1e-15)
    assert ledger.price[0, 1] == pytest.approx(quantity_y * 1.0 + quantity_x * 1.0, abs=1e-15)
    assert ledger.turnover[0, 0] == pytest.approx(1.0, abs=1e-15)
    assert ledger.residual() < 1e-15


def test_orders_are_sized_at_the_mark_and_filled_elsewhere():
    """Proves that the quantity follows the mark (known at the decision) while the cash flow follows the fill."""
    prices = StepPrices(100.0, 10.0, 110.0, 10.0, 121.0, 10.0, 0.0, 0.0, 0.0, 0.0)
    holding, flow = settle_step(Holding(0.0, 0.0, 2.0), 1.0, 0.0, prices, FREE)
    assert holding.quantity_y == 0.02
    assert flow.price == pytest.approx(0.02 * 11.0, abs=1e-15)
    assert flow.turnover == pytest.approx(0.02 * 110.0 / 2.0, abs=1e-15)


def test_held_weights_do_not_see_the_coming_fill():
    """Proves that weights and equity at the marks are the same bits whatever the coming fill price is."""
    answers = []
    for fill in (90.0, 130.0):
        prices = StepPrices(105.0, 10.0, fill, 10.0, fill, 10.0, 0.0, 0.0, 0.0, 0.0)
        answers.append(held_weights(Holding(0.01, 0.0, 0.0), prices))
    assert answers[0] == answers[1]
    assert answers[0] == pytest.approx((1.0, 0.0, 1.05), abs=1e-15)


def test_a_ruined_pair_stays_flat():
    """Proves that after equity is gone no order is sized with a negative equity."""
    fills = [[100.0, 50.0], [300.0, 50.0], [100.0, 50.0], [50.0, 50.0]]
    ledger = settle(np.full((1, 3, 2), [-1.0, 0.0]), market(fills), FREE)
    assert ledger.equity[0, 1] == pytest.approx(-1.0)
    assert np.all(ledger.price[0, 1:] == 0.0)


def test_market_impact_by_hand():
    """Proves Yσ√(Q/V) on paper: equity 10,000, σ 20 bps, V 1,000,000 a bar, 4,000 bought: 1.2649 bps of slippage."""
    impact = 1.0 * 0.002 * np.sqrt(10_000 / 1_000_000)
    fills = [[100.0, 50.0], [100.0, 50.0]]
    quiet = market(fills)
    priced = make_market(quiet.fills, quiet.marks, quiet.funding, np.full((1, 2, 2), [impact, 0.0]))
    ledger = settle(np.full((1, 1, 2), [0.4, 0.0]), priced, Costs(0.0, 5e-4))
    bought = 0.002 * np.sqrt(4_000 / 1_000_000) + 5e-4
    assert bought == pytest.approx((1.264911 + 5.0) * 1e-4, abs=1e-10)
    # Sold at the same price, so the same notional pays twice.
    assert ledger.slippage[0, 0] == pytest.approx(2 * 0.4 * bought, abs=1e-15)
    assert ledger.equity[0, 1] == pytest.approx(1 - 2 * 0.4 * bought, abs=1e-15)


@pytest.mark.parametrize(
    ("longs", "shorts", "distance"),
    [
        (10.0, 0.0, 0.05 / 0.95),  # isolated long at 10 x, 5 % maintenance: 100 falls to 94.74
        (0.0, 10.0, 0.05 / 1.05),  # isolated short at 10 x: 100 rises to 104.76
        (0.5, 0.5, 0.95),  # a hedged pair of gross 1: what the margin on one side gains the other asks for
        (2.0, 1.0, 0.85 / 2.95),
        (15.0, 5.0, 0.0),  # gross 20: the maintenance margin is all the equity
        (0.0, 0.0, np.inf),
    ],
)
def test_liquidation_distance_by_hand(longs, shorts, distance):
    """Proves hand-worked distances at a maintenance margin of 5 %, and that at them equity equals the margin."""
    found = float(liquidation_distance(longs, shorts, 0.05))
    assert found == pytest.approx(distance, abs=1e-15)
    if longs + shorts:
        margin = 0.05 * (longs * (1 - found) + shorts * (1 + found))
        assert 1 - found * (longs + shorts) == pytest.approx(margin, abs=1e-14)


def test_the_ledger_knows_its_distance_to_liquidation():
    """Proves the distance of held weights: a hedged pair of gross 1 at 3 x leverage, and infinity where flat."""
    ledger = settle(np.array([[[0.5, -0.5], [0.0, 0.0]]]), market([[100.0, 50.0]] * 3), FREE)
    np.testing.assert_allclose(ledger.liquidation_distance(0.05, 3.0), [[0.85 / 3, np.inf]], rtol=1e-14)


def test_shapes_are_checked():
    """Proves that marks of another length than the weights are a named error."""
    with pytest.raises(SchemaError, match="fills of shape"):
        settle(np.zeros((1, 3, 2)), market([[1.0, 1.0], [1.0, 1.0]]), FREE)
