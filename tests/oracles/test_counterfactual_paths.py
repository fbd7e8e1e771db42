"""Counterfactual ways through the market, against two runs of the slow reference loop."""

import numpy as np
import pytest

from perpfut_lib.accounting import Costs, Sizing
from perpfut_lib.env import PairTradingVecEnv, Rules
from perpfut_lib.env.counterfactual_paths import make_counterfactual_paths, make_path
from perpfut_lib.env.planted import Planted, planted_episodes
from perpfut_lib.env.reference import ReferenceEpisode
from perpfut_lib.env.region import NO_REGION, Region

COSTS = Costs(4.5e-4, 1e-4)
DISCOUNT, STEPS, COUNT = 0.97, 30, 6


@pytest.fixture(scope="module", params=[(0.0, 0.0), (0.4, 0.0), (1e-6, 0.5)], ids=["no-band", "band", "base-rule"])
def followed(request):
    """Return episodes, rules, a path that ends and restarts on the way, other actions and their comparison."""
    episodes = planted_episodes(Planted(length=25, features=2), 8, seed=1)
    band, bound = request.param
    rules = Rules(Sizing(True, band, 1.0 if bound else 1.4), 0.01, 1e4, np.inf, 0.0, 12)
    env = PairTradingVecEnv(episodes, rules, COSTS, n_envs=COUNT, seed=2, exploring=True)
    region = some_region(bound) if bound else NO_REGION
    env.set_region(region)
    env.reset()
    rng, path, counterfactuals = (
        np.random.default_rng(3),
        make_path(STEPS, COUNT),
        make_counterfactual_paths(STEPS, COUNT),
    )
    for step in range(STEPS):
        path.episode[step], path.step[step] = env.state.episode, env.state.step
        path.holding[step], path.action[step] = env.state.holding, rng.uniform(-0.8, 0.8, COUNT)
        env.step(path.action[step])
        path.terminated[step], path.truncated[step] = env.outcome.terminated, env.outcome.truncated
    other = path.action + rng.normal(0, 0.2, path.action.shape)
    env.follow_counterfactuals(path, other, DISCOUNT, counterfactuals)
    return (episodes, rules, region), rules, path, other, counterfactuals


def some_region(bound):
    """Return no-trade regions that leave full exposure alone at most bars."""
    rng = np.random.default_rng(5)
    center, half = rng.uniform(-0.5, 0.5, (8, 25)), rng.uniform(0.2, 0.5, (8, 25))
    return Region(center - half, center + half, bound)


def slow_action(slow, region, action):
    """Return the exposure that an action stands for, from the text of the base rule."""
    if not region.bound:
        return action
    weight_y, weight_x = slow.weights()
    held = np.sign(weight_y) * (abs(weight_y) + abs(weight_x))
    shift = region.bound * float(np.clip(action, -1.0, 1.0))
    edges = (edge[slow.episode, slow.step] + shift for edge in (region.lower, region.upper))
    low, high = (float(np.clip(edge, -1.0, 1.0)) for edge in edges)
    return min(max(held, low), high)


def slow_gains(market, path, span, row, action):
    """Return the discounted rewards from first to last of ``span`` and the weights after (none at the window's end)."""
    (episodes, rules, region), (first, last) = market, span
    slow = ReferenceEpisode(episodes, int(path.episode[first, row]), rules, COSTS, int(path.step[first, row]))
    *slow.units, slow.cash = path.holding[first, row]
    gains = [
        DISCOUNT ** (step - first)
        * slow.advance(slow_action(slow, region, action if step == first else path.action[step, row]))[0]
        for step in range(first, last + 1)
    ]
    return sum(gains), None if path.terminated[last, row] else slow.weights()


def test_both_ways_are_followed_to_the_end_of_the_path(followed):
    """Proves reward differences and last weights against the reference loop, over ends, cuts and equal holdings."""
    market, _, path, other, counterfactuals = followed
    ended, met = path.terminated | path.truncated, 0
    for row in range(COUNT):
        for first in range(STEPS):
            last = next((step for step in range(first, STEPS - 1) if ended[step, row]), STEPS - 1)
            ways = [slow_gains(market, path, (first, last), row, a[first, row]) for a in (other, path.action)]
            (gain, weights), (own, own_weights) = ways
            # Once both hold the same (within 1e-4 of equity) the rest is skipped: at most that on some bars.
            assert counterfactuals.difference[first, row] == pytest.approx(gain - own, abs=0.02)
            if counterfactuals.last[first, row] >= 0:
                assert counterfactuals.last[first, row] == last
                assert counterfactuals.weights[first, row] == pytest.approx(weights, abs=1e-6)
            elif weights is not None:
                met += 1
                assert weights == pytest.approx(own_weights, abs=3e-4)
    assert met > 20  # the ways do meet, or the test has shown little


def test_the_same_action_changes_nothing(followed):
    """Proves that a counterfactual path inside the no-trade band, or with the action taken, differs by exactly zero."""
    (episodes, _, region), rules, path, _, counterfactuals = followed
    env = PairTradingVecEnv(episodes, rules, COSTS, n_envs=COUNT)
    env.set_region(region)
    env.follow_counterfactuals(path, path.action.copy(), DISCOUNT, counterfactuals)
    assert np.all(counterfactuals.difference == 0.0)
    assert np.all(counterfactuals.last == -1)
