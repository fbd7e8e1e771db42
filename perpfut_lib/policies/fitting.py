"""What fitted baselines may look at: training episodes to fit, validation episodes to choose by; never the test."""

from dataclasses import dataclass

import numpy as np

from perpfut_lib.accounting import Costs, target_weights
from perpfut_lib.env import Episodes, Rules, make_outcome, make_state, reset_all, step_all
from perpfut_lib.policies.protocol import Policy
from perpfut_lib.types import Float1D, Float2D


@dataclass(frozen=True)
class Fitting:
    """Data and rules of one fee regime."""

    train: Episodes
    validate: Episodes
    rules: Rules
    """Utility that a rule is chosen by; each policy brings its own sizing."""
    costs: Costs
    turnover: float | None = None
    """Traded notional per episode, in equities, that the random baseline is to match; none: about 24."""


def utilities(policy: Policy, fitting: Fitting, copies: int = 1) -> Float1D:
    """Return the mean sum of rewards per validation episode of each copy, (copies,).

    The policy sees ``copies`` blocks of all validation episodes, one below the other, so that rules with one
    parameter a row are all tried at once.
    """
    episodes = fitting.validate
    count = copies * len(episodes)
    world = episodes.world()
    rules = fitting.rules._replace(sizing=policy.sizing, max_bars=0)
    state, outcome = make_state(count), make_outcome(count, episodes.observation_size)
    numbers = np.tile(np.arange(len(episodes)), copies)
    reset_all(world, state, numbers, np.zeros(count, np.int64), outcome.observation)
    for _ in range(episodes.length):
        step_all(world, rules, fitting.costs, state, policy.act(outcome.observation), outcome)
    mean: Float1D = outcome.score.reshape(copies, -1).mean(axis=1)
    return mean


def spread_returns(episodes: Episodes, *, beta_legs: bool) -> Float2D:
    """Return what an exposure of one earns from each fill to the next, funding included, as a fraction, (E, L)."""
    hedge = episodes.hedge_ratio if beta_legs else np.ones(len(episodes))
    weights = np.stack(target_weights(np.ones(len(hedge)), hedge), axis=1)[:, None]
    fills = episodes.fills
    moves = np.diff(np.log(fills), axis=1) - episodes.funding / fills[:, :-1]
    returns: Float2D = (weights * moves).sum(axis=2)
    return returns
