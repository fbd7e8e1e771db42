"""What fitted baselines may look at: training episodes to fit, validation episodes to choose by; never the test."""

from dataclasses import dataclass
from typing import NamedTuple

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


class Walk(NamedTuple):
    """What a policy did on the validation episodes, means per copy, each (copies,)."""

    utility: Float1D
    """Sum of rewards per episode."""
    exposure: Float1D
    """Gross exposure held before a decision."""


def walk(policy: Policy, fitting: Fitting, copies: int = 1) -> Walk:
    """Lead a policy through the validation episodes.

    It sees ``copies`` blocks of all of them, one below the other, so that rules with one parameter per row are all
    tried at once.
    """
    episodes = fitting.validate
    count = copies * len(episodes)
    world, rules = episodes.world(), fitting.rules._replace(sizing=policy.sizing, max_bars=0)
    state, outcome = make_state(count), make_outcome(count, episodes.observation_size)
    numbers, exposure = np.tile(np.arange(len(episodes)), copies), np.zeros(count)
    reset_all(world, state, numbers, np.zeros(count, np.int64), outcome.observation)
    for _ in range(episodes.length):
        exposure += 1.0 - outcome.observation[:, -1]
        step_all(world, rules, fitting.costs, state, policy.act(outcome.observation), outcome)
    blocks = outcome.score.reshape(copies, -1), exposure.reshape(copies, -1) / episodes.length
    return Walk(*(block.mean(axis=1) for block in blocks))


def spread_returns(episodes: Episodes, *, beta_legs: bool) -> Float2D:
    """Return what an exposure of one earns from each fill to the next, funding included, as a fraction, (E, L)."""
    hedge = episodes.hedge_ratio if beta_legs else np.ones(len(episodes))
    weights = np.stack(target_weights(np.ones(len(hedge)), hedge), axis=1)[:, None]
    fills = episodes.fills
    moves = np.diff(np.log(fills), axis=1) - episodes.funding / fills[:, :-1]
    returns: Float2D = (weights * moves).sum(axis=2)
    return returns
