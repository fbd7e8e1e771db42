"""Properties of the ledger that hold for every market and every sequence of decisions."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from perpfut_lib.accounting import Costs, Market, Sizing, make_market, settle, size_legs, trade_cost

SEEDS = st.integers(0, 2**32 - 1)
FEES = st.floats(0.0, 0.01)
IMPACTS = st.floats(0.0, 0.01)


def random_market(seed, length=30, episodes=2, impact=0.0):
    rng = np.random.default_rng(seed)
    steps = rng.normal(0.0, 0.01, (episodes, length + 1, 2))
    fills = np.array([100.0, 3.0]) * np.exp(np.cumsum(steps, axis=1))
    marks = fills[:, :-1] * np.exp(rng.normal(0.0, 0.001, (episodes, length, 2)))
    funding = marks * rng.normal(0.0, 1e-4, marks.shape) * (rng.random(marks.shape) < 0.1)
    exposure = rng.uniform(-1.0, 1.0, (episodes, length, 1))
    market = make_market(fills, marks, funding, impact * rng.uniform(0.5, 1.5, fills.shape))
    return market, np.concatenate([exposure / 2, -exposure / 2], axis=2)


@given(SEEDS, FEES, FEES, IMPACTS)
def test_the_accounts_sum_to_the_change_in_equity(seed, fee, slippage, impact):
    """Proves price + funding - fees - slippage = Δequity within 1e-12 at every step."""
    market, weights = random_market(seed, impact=impact)
    assert settle(weights, market, Costs(fee, slippage)).residual() < 1e-12


@given(SEEDS, st.floats(1e-5, 0.01))
def test_fees_never_help(seed, fee):
    """Proves that the same decisions end with less equity when trading costs more."""
    market, weights = random_market(seed)
    free, charged = settle(weights, market, Costs(0.0, 0.0)), settle(weights, market, Costs(fee, 0.0))
    assert np.all(charged.equity[:, -1] < free.equity[:, -1])


@given(SEEDS, st.floats(1e-5, 0.01), st.floats(1e-5, 0.01))
def test_slippage_never_helps(seed, slippage, impact):
    """Proves that the same decisions end with less equity under fixed slippage, and with less again under impact."""
    (market, weights), (deep, _) = random_market(seed), random_market(seed, impact=impact)
    free, fixed = settle(weights, market, Costs(0.0, 0.0)), settle(weights, market, Costs(0.0, slippage))
    both = settle(weights, deep, Costs(0.0, slippage))
    assert np.all(fixed.equity[:, -1] < free.equity[:, -1])
    assert np.all(both.equity[:, -1] < fixed.equity[:, -1])
    assert np.all(both.slippage >= 0.0)


@given(st.floats(1e-6, 10.0), st.just(0.0) | st.floats(1e-9, 0.1), FEES, FEES)
def test_impact_is_proportional_to_its_coefficient(notional, impact, fee, slippage):
    """Proves that doubling the coefficient doubles the cost of impact, and that trading nothing costs nothing."""
    costs, free = Costs(fee, slippage), Costs(0.0, 0.0)
    once, twice = trade_cost(notional, impact, free)[1], trade_cost(notional, 2.0 * impact, free)[1]
    assert twice == 2.0 * once
    assert trade_cost(0.0, impact, costs) == (0.0, 0.0)
    assert trade_cost(notional, impact, costs)[1] >= trade_cost(notional, 0.0, costs)[1]


@given(SEEDS, FEES, IMPACTS)
def test_no_exposure_earns_and_costs_nothing(seed, fee, impact):
    """Proves that zero action keeps equity at its start exactly."""
    market, weights = random_market(seed, impact=impact)
    assert np.all(settle(np.zeros_like(weights), market, Costs(fee, fee)).equity == 1.0)


@given(SEEDS, FEES)
def test_swapping_the_legs_mirrors_the_result(seed, fee):
    """Proves that which leg is called y does not matter: swapped markets and weights give the same equity."""
    market, weights = random_market(seed)
    swapped = Market(*(np.ascontiguousarray(array[..., ::-1]) for array in market))
    costs = Costs(fee, 0.0)
    ours, mirrored = settle(weights, market, costs), settle(weights[..., ::-1].copy(), swapped, costs)
    np.testing.assert_allclose(ours.equity, mirrored.equity, rtol=0, atol=1e-13)


@given(st.floats(-1.0, 1.0), st.floats(0.01, 100.0), st.sampled_from([-1.0, 1.0]), st.floats(0.0, 0.5))
def test_swapping_the_legs_with_beta_inverted_mirrors_the_weights(action, size, sign, band):
    """Proves that naming the other leg y, with 1/β for β, asks for the same legs: a turns to -a for positive β.

    Together with the mirrored ledger the result of the pair is the same.
    """
    beta, sizing = sign * size, Sizing(True, band, 1.0)
    held_y, held_x = size_legs(0.3, 0.0, 0.0, beta, Sizing())
    ours = size_legs(action, held_y, held_x, beta, sizing)
    swapped = size_legs(-sign * action, held_x, held_y, 1.0 / beta, sizing)
    np.testing.assert_allclose(ours, swapped[::-1], rtol=1e-12, atol=1e-15)


@given(SEEDS, FEES, st.floats(0.01, 1e6))
def test_scaling_equity_scales_everything(seed, fee, scale):
    """Proves that every account is proportional to the initial equity while there is no market impact."""
    market, weights = random_market(seed)
    one, many = settle(weights, market, Costs(fee, 0.0)), settle(weights, market, Costs(fee, 0.0), initial_equity=scale)
    for name in ("price", "funding", "fees", "equity"):
        np.testing.assert_allclose(getattr(many, name), scale * getattr(one, name), rtol=1e-9, atol=scale * 1e-13)
    np.testing.assert_allclose(many.turnover, one.turnover, rtol=0, atol=1e-11)


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
