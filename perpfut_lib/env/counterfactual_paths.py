"""What another decision would have brought: the market does not react, so both ways can be followed bar by bar."""

from typing import NamedTuple

import numpy as np
from numba import njit

from perpfut_lib.accounting import Costs, Holding, held_weights, prices_at
from perpfut_lib.env.kernel import Rules, World
from perpfut_lib.env.region import Region, advance_corrected
from perpfut_lib.types import Bool2D, Float2D, Float3D, Float32, Int2D

COUPLED = 1e-4  # weights closer than this are taken as one; fees paid on the way leave equities a little apart


class Path(NamedTuple):
    """What N environments did over T decisions."""

    episode: Int2D
    """Episode, (T, N)."""
    step: Int2D
    """Decision within it, (T, N)."""
    holding: Float3D
    """Quantity of y, quantity of x and cash before the decision, (T, N, 3)."""
    action: Float2D
    """Action taken; it must not depend on what is held (the region of a base rule does that), (T, N)."""
    terminated: Bool2D
    """The trading window ended with the decision, (T, N)."""
    truncated: Bool2D
    """The episode was cut short after it, (T, N)."""


class CounterfactualPaths(NamedTuple):
    """How the way with one other decision compares with the way taken after it; see :func:`follow_counterfactuals`."""

    difference: Float32
    """Discounted sum of rewards less that of the way taken, until both hold the same or the path ends, (T, N)."""
    last: Int2D
    """Decision after which they still hold different things because the path ends; -1 where they do not, (T, N)."""
    weights: Float32
    """Weights then held before the following decision had the other one been made, (T, N, 2)."""


def make_path(steps: int, count: int) -> Path:
    """Return room for the path of ``count`` environments over ``steps`` decisions."""
    shape = (steps, count)
    places = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    return Path(*places, np.zeros((*shape, 3)), np.zeros(shape), np.zeros(shape, np.bool_), np.zeros(shape, np.bool_))


def make_counterfactual_paths(steps: int, count: int) -> CounterfactualPaths:
    """Return room for the comparison of as many decisions.

    Parameters
    ----------
    steps : int
        Decisions of a rollout.
    count : int
        Environments.
    """
    shape = (steps, count)
    return CounterfactualPaths(
        np.zeros(shape, np.float32), np.zeros(shape, np.int64), np.zeros((*shape, 2), np.float32)
    )


@njit(cache=True)
def follow_counterfactuals(
    setting: tuple[World, Rules, Costs, Region], path: Path, chosen: tuple[Float2D, float], out: CounterfactualPaths
) -> None:
    """Compare every decision of a path with another one, each followed by the actions that the path took.

    ``chosen`` is (the other actions, (T, N); discount per bar).
    """
    other, discount = chosen
    steps, count = path.action.shape
    for row in range(count):
        for start in range(steps):
            out.difference[start, row], out.last[start, row], out.weights[start, row] = follow_counterfactual(
                setting, path, (start, row, other[start, row], discount)
            )


@njit(cache=True)
def follow_counterfactual(
    setting: tuple[World, Rules, Costs, Region], path: Path, chosen: tuple[int, int, float, float]
) -> tuple[float, int, tuple[float, float]]:
    """Return one row of :class:`CounterfactualPaths`.

    ``chosen`` is (first decision, environment, its other action, discount).
    """
    start, row, action, discount = chosen
    episode, step = path.episode[start, row], path.step[start, row]
    holding = path.holding[start, row]
    taken = Holding(holding[0], holding[1], holding[2])
    taken, own = advance_corrected(setting, (episode, step), (taken, path.action[start, row]))
    counterfactual = Holding(holding[0], holding[1], holding[2])
    counterfactual, reward = advance_corrected(setting, (episode, step), (counterfactual, action))
    difference, weight, now = reward - own, discount, start
    while not path.terminated[now, row]:
        step += 1
        prices = prices_at(setting[0].market, episode, step)
        other_y, other_x, _ = held_weights(counterfactual, prices)
        taken_y, taken_x, _ = held_weights(taken, prices)
        if abs(other_y - taken_y) < COUPLED and abs(other_x - taken_x) < COUPLED:
            break
        if path.truncated[now, row] or now + 1 == path.action.shape[0]:
            return difference, now, (other_y, other_x)
        now += 1
        taken, own = advance_corrected(setting, (episode, step), (taken, path.action[now, row]))
        counterfactual, reward = advance_corrected(setting, (episode, step), (counterfactual, path.action[now, row]))
        difference += weight * (reward - own)
        weight *= discount
    return difference, -1, (0.0, 0.0)
