"""The decision function: what a policy sees, what its action means, and what it refuses."""

import numpy as np
import pytest

from perpfut_lib.accounting import Sizing
from perpfut_lib.decide import Holdings, View, decide, observe
from perpfut_lib.errors import PolicyError


class Always:
    sizing = Sizing()

    def __init__(self, action):
        self.action = action

    def act(self, observation):
        return np.full(len(observation), self.action)


def view(pairs=2, lookback=2, features=3):
    window = np.arange(pairs * lookback * features, dtype=np.float32).reshape(pairs, lookback, features)
    return View(np.zeros(pairs, np.int64), window, np.array([[100.0, 50.0]] * pairs), np.array([1.0, 0.5])[:pairs])


FLAT = Holdings(np.ones(2), np.zeros((2, 2)))


def test_the_observation_is_the_window_oldest_first_then_weights_and_cash():
    held = Holdings(np.array([1.0, 0.5]), np.array([[0.0, 0.0], [0.01, -0.01]]))
    seen = observe(view(), held)
    assert seen.dtype == np.float32
    assert seen[0].tolist() == [0, 1, 2, 3, 4, 5, 0, 0, 1]
    assert seen[1, -3:] == pytest.approx([1.0, -0.5, -0.5])


def test_an_action_becomes_weights_by_the_hedge_ratio_and_units_at_the_marks():
    """β = 1: half in each leg; β = 0.5: two thirds and one third; units are weight × equity / mark."""
    decision = decide(view(), FLAT, Always(0.6))
    assert decision.weights == pytest.approx(np.array([[0.3, -0.3], [0.4, -0.2]]))
    assert decision.quantity == pytest.approx(np.array([[0.003, -0.006], [0.004, -0.004]]))
    assert np.abs(decision.weights).sum(axis=1) == pytest.approx(0.6)


def test_actions_are_clipped_and_nan_is_refused():
    assert decide(view(), FLAT, Always(7.0)).action.tolist() == [1.0, 1.0]
    with pytest.raises(PolicyError, match="not finite"):
        decide(view(), FLAT, Always(np.nan))
