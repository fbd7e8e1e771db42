"""What one agent is trained on, how its fee, band and exploration move, and how it is validated."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perpfut_lib.accounting import STILL
from perpfut_lib.config import CostsConfig, EnvConfig, TrainConfig
from perpfut_lib.env import Episodes, Rules, make_costs, make_outcome, make_rules, make_state, reset_all, step_all
from perpfut_lib.env.region import NO_REGION, Region, correct_all
from perpfut_lib.policies.network import flatten_layers, forward_regions
from perpfut_lib.types import Float1D, Float32

Layers = list[tuple[Float32, Float32]]
Act = Callable[[Float32], npt.ArrayLike]
"""From observations (N, D) to actions (N,)."""


@dataclass(frozen=True)
class TrainingTask:
    """What one agent is trained on."""

    train: Episodes
    validate: Episodes
    env: EnvConfig
    costs: CostsConfig
    settings: TrainConfig
    fee_bps: float
    seed: int
    placebo: Episodes | None = None
    """Windows of placebo markets made of the training span, see :mod:`perpfut_lib.train.placebo`; none for none."""
    base: Layers | None = None
    """Base rule that the agent corrects, see :func:`perpfut_lib.train.base_rule.fit_base_rule`; none for none."""
    unseen: Float1D | None = None
    """Utility of training episodes under rules that were not fitted to them, (E,), see
    :func:`perpfut_lib.train.cross_fit.unseen_utilities`; none where only validation judges."""

    def fee_share(self, done: float) -> float:
        """Return the share of the fee that is charged once a share ``done`` of training is over."""
        if self.settings.corrects:
            return 1.0  # the base rule knows the fee already
        begin, end = self.settings.fee_ramp
        return min(1.0, max(0.0, (done - begin) / (end - begin))) if end > begin else 1.0

    def rules(self, share: float = 1.0) -> Rules:
        """Return the rules with the band that belongs to a share of the fee."""
        if self.settings.algorithm != "counterfactual-ppo":
            return make_rules(self.env)
        if self.settings.corrects:
            return make_rules(self.env, band=STILL)
        band = self.settings.band(share * self.fee_bps)
        return make_rules(self.env, band=band, reach=1.0 + band)  # so that the band can lie beyond full exposure

    def exploration(self, done: float) -> float:
        """Return the standard deviation of the action: down to the second value before the fee rises, then on.

        Sampled actions are only evaluated, so noise costs no fees; too little of it leaves the policy tiny steps.
        """
        turns = (0.0, self.settings.fee_ramp[0], 1.0)
        return float(np.exp(np.interp(done, turns, np.log(self.settings.exploration))))

    def region(self, episodes: Episodes) -> Region:
        """Return the base rule's no-trade regions over episodes."""
        if self.base is None:
            return NO_REGION
        parameters, sizes = flatten_layers(self.base)
        observation = np.zeros((episodes.length, episodes.observation_size), np.float32)
        edges = np.empty((len(episodes), episodes.length, 2))
        for episode in range(len(episodes)):
            for back in range(episodes.lookback):
                width = len(episodes.names)
                rows = episodes.features[episode, back : back + episodes.length]
                observation[:, back * width : (back + 1) * width] = rows
            forward_regions(parameters, sizes, observation, edges[episode])
        return Region(edges[:, :, 0].copy(), edges[:, :, 1].copy(), self.settings.overlay)


@dataclass(frozen=True)
class Score:
    """What a policy did on the validation episodes."""

    utility: float
    """Mean sum of rewards per episode."""
    exposure: float
    """Mean gross exposure."""
    turnover: float
    """Mean change of gross exposure per episode."""


def validate(training_task: TrainingTask, act: Act) -> Score:
    """Score a policy (N, D) → (N,) on the validation episodes, at the full fee, without exploration."""
    return walk_validation(training_task, act, NO_REGION)[0]


def walk_validation(training_task: TrainingTask, act: Act, region: Region) -> tuple[Score, Float1D]:
    """Return the score of actions that correct a base rule's regions, and the utility of each episode, (E,)."""
    episodes, count = training_task.validate, len(training_task.validate)
    world, rules = episodes.world(), training_task.rules()
    costs = make_costs(training_task.fee_bps, training_task.costs)
    state, outcome = make_state(count), make_outcome(count, episodes.observation_size)
    reset_all(world, state, np.arange(count), np.zeros(count, np.int64), outcome.observation)
    held, exposure, turnover, utility = np.zeros((count, 2)), 0.0, 0.0, np.zeros(count)
    for _ in range(episodes.length):
        action = np.clip(np.asarray(act(outcome.observation), np.float64).reshape(count), -1.0, 1.0)
        correct_all(world, region, state, action)
        step_all(world, rules, costs, state, action, outcome)
        weights = outcome.observation[:, -3:-1].astype(np.float64)
        utility += outcome.reward
        exposure += float(np.abs(weights).sum(axis=1).mean()) / episodes.length
        turnover += float(np.abs(weights - held).sum(axis=1).mean())
        held = weights
    return Score(float(utility.mean()), exposure, turnover), utility


def surpasses(utility: Float1D, other: Float1D, errors: float) -> bool:
    """Return whether utilities of the same episodes are higher by some standard errors of their mean difference."""
    gain = utility - other
    error = float(gain.std(ddof=1)) / len(gain) ** 0.5 if len(gain) > 1 else 0.0
    return bool(gain.mean() > errors * error)
