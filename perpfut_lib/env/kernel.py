"""The batched environment: every environment advances by one decision in one compiled call.

State (:class:`State`) lies apart from parameters (:class:`World`, :class:`Rules`); the Gymnasium and
Stable-Baselines3 classes are shells over :func:`reset_all` and :func:`step_all`.
"""

from typing import Final, NamedTuple

import numpy as np
from numba import njit

from perpfut_lib.accounting import (
    Costs,
    Holding,
    Market,
    Sizing,
    equity_at,
    flatten_step,
    flattening_at,
    held_weights,
    prices_at,
    settle_step,
    size_legs,
    target_weights,
)
from perpfut_lib.types import Bool1D, Float1D, Float2D, Float32, Int1D

BLOCK: Final = 32  # environments whose cache lines are fetched together


class Rules(NamedTuple):
    """The rules of the decision process that are not prices or costs."""

    sizing: Sizing
    """Leg rule and no-trade band."""
    risk_aversion: float
    """λ of the quadratic utility, per unit of x."""
    reward_scale: float
    """Unit of x per unit of return."""
    reward_clip: float
    """Bound on |reward|; infinity for none."""
    turnover_penalty: float
    """Reward taken per unit of turnover (share of equity), beside its cost."""
    max_bars: int
    """Decisions after which an episode is cut short (truncated, not flattened); 0 for never."""
    choices: int = 0
    """Number of equally spaced exposures from -1 to 1 to choose from; 0 for a continuous action."""


class World(NamedTuple):
    """What the market did: read only."""

    market: Market
    """Prices, funding and impact of E episodes of L decisions."""
    features: Float32
    """Scaled feature rows, float32, (E, K+L, F), K = lookback - 1."""
    hedge_ratio: Float1D
    """β of each episode, (E,)."""
    lookback: int
    """Feature rows stacked into one observation."""


class State(NamedTuple):
    """What changes: one row per environment."""

    episode: Int1D
    """Episode being traded, (N,)."""
    step: Int1D
    """Decision that comes next, (N,)."""
    age: Int1D
    """Decisions taken since the reset, (N,)."""
    holding: Float2D
    """Quantity of y, quantity of x, cash, (N, 3)."""
    next_episode: Int1D
    """Episode that follows after the current one ends, (N,)."""
    next_step: Int1D
    """Decision that it starts with, (N,)."""
    next_exposure: Float1D
    """Exposure that it starts with, free of cost, (N,)."""
    score: Float1D
    """Sum of rewards since the reset, (N,)."""


class Outcome(NamedTuple):
    """What a step returns: one row per environment."""

    observation: Float32
    """Observation of the coming decision, after a reset where the episode ended, (N, D)."""
    reward: Float32
    """Reward, (N,)."""
    terminated: Bool1D
    """The trading window ended: flattened and charged, nothing follows, (N,)."""
    truncated: Bool1D
    """The episode was cut short; its value goes on, (N,)."""
    last_observation: Float32
    """Observation before the reset, written where an episode ended, (N, D)."""
    score: Float1D
    """Sum of rewards of the episode, written where it ended, (N,)."""
    length: Int1D
    """Decisions of the episode, written where it ended, (N,)."""


@njit(cache=True)
def observe(world: World, episode: int, step: int, holding: Holding, out: Float32) -> None:
    """Write the observation of one decision: ``lookback`` feature rows, oldest first, then the portfolio block.

    After the last decision there is no newer feature row: the last window is shown again, beside a flat portfolio.
    """
    features, lookback = world.features, world.lookback
    length, width = world.market.marks.shape[1], features.shape[2]
    row = min(step, length - 1)
    for back in range(lookback):
        for feature in range(width):
            out[back * width + feature] = features[episode, row + back, feature]
    weight_y, weight_x = 0.0, 0.0
    if step < length and (holding.quantity_y != 0.0 or holding.quantity_x != 0.0):
        weight_y, weight_x, _ = held_weights(holding, prices_at(world.market, episode, step))
    last = lookback * width
    out[last] = weight_y
    out[last + 1] = weight_x
    out[last + 2] = 1.0 - abs(weight_y) - abs(weight_x)


@njit(cache=True)
def utility(gain: float, turnover: float, rules: Rules) -> float:
    """Return the reward of one step: r = x - (λ/2) x² - penalty·turnover, clipped, with x = reward_scale · return."""
    x = rules.reward_scale * gain
    reward = x - 0.5 * rules.risk_aversion * x * x - rules.turnover_penalty * turnover
    return min(rules.reward_clip, max(-rules.reward_clip, reward))


@njit(cache=True)
def hold_to_next(
    world: World, rules: Rules, costs: Costs, place: tuple[int, int], traded: tuple[Holding, float, float]
) -> tuple[Holding, float]:
    """Trade to target weights, hold to the next decision, and return what is held then and the reward.

    ``place`` is (episode, step), ``traded`` is (holding, weight_y, weight_x). The last step includes the flattening.
    """
    episode, step = place
    holding, weight_y, weight_x = traded
    prices = prices_at(world.market, episode, step)
    before = equity_at(holding, prices.fill_y, prices.fill_x)
    holding, flow = settle_step(holding, weight_y, weight_x, prices, costs)
    turnover = flow.turnover
    if step + 1 == world.market.marks.shape[1]:
        holding, flow = flatten_step(holding, flattening_at(world.market, episode), costs)
        turnover += flow.turnover
    gain = equity_at(holding, prices.next_y, prices.next_x) / before - 1.0 if before > 0.0 else 0.0
    return holding, utility(gain, turnover, rules)


@njit(cache=True)
def advance(
    world: World, rules: Rules, costs: Costs, place: tuple[int, int], chosen: tuple[Holding, float]
) -> tuple[Holding, float]:
    """Take one decision of one environment and return what it holds next and its reward.

    ``place`` is (episode, step), ``chosen`` is (holding, action).
    """
    holding, action = chosen
    weight_y, weight_x, _ = held_weights(holding, prices_at(world.market, place[0], place[1]))
    target_y, target_x = size_legs(action, weight_y, weight_x, world.hedge_ratio[place[0]], rules.sizing)
    return hold_to_next(world, rules, costs, place, (holding, target_y, target_x))


@njit(cache=True)
def opening(world: World, rules: Rules, episode: int, step: int, exposure: float) -> Holding:
    """Return an equity of one of which ``exposure`` is in the spread, bought at the decision's marks, free of cost."""
    prices = prices_at(world.market, episode, step)
    weight_y, weight_x = target_weights(exposure, world.hedge_ratio[episode] if rules.sizing.beta_legs else 1.0)
    return Holding(weight_y / prices.mark_y, weight_x / prices.mark_x, 1.0 - weight_y - weight_x)


@njit(cache=True)
def fetch(world: World, state: State, first: int, last: int) -> float:
    """Read one number of every cache line that the coming step of some environments needs; return their sum.

    Each environment is at a place of its own, so each line is a cache miss; asked for together, their waits overlap.
    """
    marks, features = world.market.marks, world.features
    width, total = features.shape[2], 0.0
    for row in range(first, last):
        episode, step = state.episode[row], min(state.step[row] + 1, marks.shape[1] - 1)
        total += marks[episode, step, 0]
        for feature in range(0, width, 16):
            total += features[episode, step + world.lookback - 1, feature]
    return total


@njit(cache=True, nogil=True)
def step_all(world: World, rules: Rules, costs: Costs, state: State, action: Float1D, out: Outcome) -> float:
    """Advance every environment by one decision; those whose episode ends go on with ``state.next_episode``.

    Rows do not touch each other, so slices of the same arrays may be stepped by several threads: same bits. What is
    returned means nothing; it keeps the compiler from dropping :func:`fetch`.
    """
    length, fetched = world.market.marks.shape[1], 0.0
    for row in range(action.shape[0]):
        if row % BLOCK == 0:
            fetched += fetch(world, state, row, min(row + BLOCK, action.shape[0]))
        episode, step = state.episode[row], state.step[row]
        holding = Holding(state.holding[row, 0], state.holding[row, 1], state.holding[row, 2])
        holding, reward = advance(world, rules, costs, (episode, step), (holding, action[row]))
        step += 1
        state.age[row] += 1
        state.score[row] += reward
        terminated = step == length
        truncated = not terminated and rules.max_bars > 0 and state.age[row] >= rules.max_bars
        out.reward[row], out.terminated[row], out.truncated[row] = reward, terminated, truncated
        if terminated or truncated:
            observe(world, episode, step, holding, out.last_observation[row])
            out.score[row], out.length[row] = state.score[row], state.age[row]
            episode, step = state.next_episode[row], state.next_step[row]
            holding = opening(world, rules, episode, step, state.next_exposure[row])
            state.age[row], state.score[row] = 0, 0.0
        state.episode[row], state.step[row] = episode, step
        state.holding[row, 0], state.holding[row, 1] = holding.quantity_y, holding.quantity_x
        state.holding[row, 2] = holding.cash
        observe(world, episode, step, holding, out.observation[row])
    return fetched


@njit(cache=True)
def reset_all(world: World, state: State, episode: Int1D, step: Int1D, observation: Float32) -> None:
    """Put every environment, flat and with an equity of one, before decision ``step`` of ``episode``."""
    for row in range(episode.shape[0]):
        state.episode[row], state.step[row] = episode[row], step[row]
        state.age[row], state.score[row] = 0, 0.0
        state.holding[row, 0], state.holding[row, 1], state.holding[row, 2] = 0.0, 0.0, 1.0
        observe(world, episode[row], step[row], Holding(0.0, 0.0, 1.0), observation[row])


def make_state(count: int) -> State:
    """Return the state of ``count`` environments, all zeros: reset before use."""
    episode, step, age, next_episode, next_step = (np.zeros(count, np.int64) for _ in range(5))
    holding, score, next_exposure = np.zeros((count, 3)), np.zeros(count), np.zeros(count)
    return State(episode, step, age, holding, next_episode, next_step, next_exposure, score)


def make_outcome(count: int, size: int) -> Outcome:
    """Return room for the outcome of ``count`` environments with observations of ``size`` numbers."""
    return Outcome(
        observation=np.empty((count, size), np.float32),
        reward=np.empty(count, np.float32),
        terminated=np.zeros(count, np.bool_),
        truncated=np.zeros(count, np.bool_),
        last_observation=np.zeros((count, size), np.float32),
        score=np.zeros(count),
        length=np.zeros(count, np.int64),
    )
