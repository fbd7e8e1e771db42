"""Properties of the ledger that hold for every market and every sequence of decisions."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from perpfut_lib.accounting import Costs, Market, make_market, settle

SEEDS = st.integers(0, 2**32 - 1)
FEES = st.floats(0.0, 0.01)


def random_market(seed, length=30, episodes=2):
    rng = np.random.default_rng(seed)
    steps = rng.normal(0.0, 0.01, (episodes, length + 1, 2))
    fills = np.array([100.0, 3.0]) * np.exp(np.cumsum(steps, axis=1))
    marks = fills[:, :-1] * np.exp(rng.normal(0.0, 0.001, (episodes, length, 2)))
    funding = marks * rng.normal(0.0, 1e-4, marks.shape) * (rng.random(marks.shape) < 0.1)
    exposure = rng.uniform(-1.0, 1.0, (episodes, length, 1))
    return make_market(fills, marks, funding), np.concatenate([exposure / 2, -exposure / 2], axis=2)


@settings(deadline=None)
@given(SEEDS, FEES, FEES)
def test_the_accounts_sum_to_the_change_in_equity(seed, fee, slippage):
    """Proves price + funding - fees - slippage = Δequity within 1e-12 at every step."""
    market, weights = random_market(seed)
    assert settle(weights, market, Costs(fee, slippage)).residual() < 1e-12


@settings(deadline=None)
@given(SEEDS, st.floats(1e-5, 0.01))
def test_fees_never_help(seed, fee):
    """Proves that the same decisions end with less equity when trading costs more."""
    market, weights = random_market(seed)
    free, charged = settle(weights, market, Costs(0.0, 0.0)), settle(weights, market, Costs(fee, 0.0))
    assert np.all(charged.equity[:, -1] < free.equity[:, -1])


@settings(deadline=None)
@given(SEEDS, FEES)
def test_no_exposure_earns_and_costs_nothing(seed, fee):
    """Proves that zero action keeps equity at its start exactly."""
    market, weights = random_market(seed)
    assert np.all(settle(np.zeros_like(weights), market, Costs(fee, fee)).equity == 1.0)


@settings(deadline=None)
@given(SEEDS, FEES)
def test_swapping_the_legs_mirrors_the_result(seed, fee):
    """Proves that which leg is called y does not matter: swapped markets and weights give the same equity."""
    market, weights = random_market(seed)
    swapped = Market(*(np.ascontiguousarray(array[..., ::-1]) for array in market))
    costs = Costs(fee, 0.0)
    ours, mirrored = settle(weights, market, costs), settle(weights[..., ::-1].copy(), swapped, costs)
    np.testing.assert_allclose(ours.equity, mirrored.equity, rtol=0, atol=1e-13)


@settings(deadline=None)
@given(SEEDS, FEES, st.floats(0.01, 1e6))
def test_scaling_equity_scales_everything(seed, fee, scale):
    """Proves that every account is proportional to the initial equity while there is no market impact."""
    market, weights = random_market(seed)
    one, many = settle(weights, market, Costs(fee, 0.0)), settle(weights, market, Costs(fee, 0.0), initial_equity=scale)
    for name in ("price", "funding", "fees", "equity"):
        np.testing.assert_allclose(getattr(many, name), scale * getattr(one, name), rtol=1e-9, atol=scale * 1e-13)
    np.testing.assert_allclose(many.turnover, one.turnover, rtol=0, atol=1e-11)


@settings(deadline=None)
@given(SEEDS)
def test_the_future_never_changes_past_accounts(seed):
    """Proves that accounts up to step k are unchanged when prices after fill k + 1 change."""
    market, weights = random_market(seed)
    costs = Costs(0.0005, 0.0)
    changed = Market(*(array.copy() for array in market))
    changed.fills[:, 12:, 0] *= 1.5
    changed.marks[:, 12:] *= 1.5
    before, after = settle(weights, market, costs), settle(weights, changed, costs)
    assert np.array_equal(before.equity[:, :12], after.equity[:, :12])
    assert before.equity[0, 12] != after.equity[0, 12]
