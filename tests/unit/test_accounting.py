"""Hand-worked ledgers: every figure below was worked out on paper."""

import numpy as np
import pytest

from perpfut_lib.accounting import Costs, Holding, StepPrices, held_weights, make_market, settle, settle_step
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


def test_shapes_are_checked():
    """Proves that marks of another length than the weights are a named error."""
    with pytest.raises(SchemaError, match="fills of shape"):
        settle(np.zeros((1, 3, 2)), market([[1.0, 1.0], [1.0, 1.0]]), FREE)
