"""A base rule's no-trade regions over episodes, and actions that correct it: they shift the region."""

from typing import Final, NamedTuple

import numpy as np
from numba import njit

from perpfut_lib.accounting import Costs, Holding, exposure_of, held_weights, prices_at, within
from perpfut_lib.env.kernel import Rules, State, World, advance
from perpfut_lib.types import Float1D, Float2D


class Region(NamedTuple):
    """What the base rule says at every decision: hold what you have inside the region, else move to its nearer edge."""

    lower: Float2D
    """Lower edge, (E, L)."""
    upper: Float2D
    """Upper edge, (E, L)."""
    bound: float
    """Shift of the region at an action of one, in exposure."""


NO_REGION: Final = Region(np.zeros((0, 0)), np.zeros((0, 0)), 0.0)
"""No base rule: an action is the wanted exposure itself."""


@njit(cache=True)
def corrected(world: World, region: Region, place: tuple[int, int], chosen: tuple[Holding, float]) -> float:
    """Return the exposure that an action stands for; ``place`` is (episode, step), ``chosen`` (holding, action)."""
    holding, action = chosen
    if region.lower.shape[0] == 0:
        return action
    episode, step = place
    weight_y, weight_x, _ = held_weights(holding, prices_at(world.market, episode, step))
    shift = region.bound * min(1.0, max(-1.0, action))
    return within(exposure_of(weight_y, weight_x), region.lower[episode, step], region.upper[episode, step], shift)


@njit(cache=True)
def advance_corrected(
    setting: tuple[World, Rules, Costs, Region], place: tuple[int, int], chosen: tuple[Holding, float]
) -> tuple[Holding, float]:
    """Take one decision as :func:`perpfut_lib.env.kernel.advance` does, after the base rule."""
    world, rules, costs, region = setting
    return advance(world, rules, costs, place, (chosen[0], corrected(world, region, place, chosen)))


@njit(cache=True)
def correct_all(world: World, region: Region, state: State, action: Float1D) -> None:
    """Replace the actions (N,) of all environments by the exposures that they stand for."""
    for row in range(action.shape[0]):
        holding = Holding(state.holding[row, 0], state.holding[row, 1], state.holding[row, 2])
        place = state.episode[row], state.step[row]
        action[row] = corrected(world, region, place, (holding, action[row]))
