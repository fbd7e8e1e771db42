"""From an action to target weights: leg sizes and the no-trade band, the same for environment, backtest and agent."""

from typing import Final, NamedTuple

import numpy as np
from numba import njit

from perpfut_lib.accounting.step import target_weights
from perpfut_lib.types import Float1D, Float2D


class Sizing(NamedTuple):
    """How an action becomes target weights."""

    beta_legs: bool = True
    """True: weights a/(1+|β|) and -aβ/(1+|β|); False (seed rules): a/2 and -a/2."""
    band: float = 0.0
    """Half-width h of the no-trade band around the wanted exposure; 0 trades at every decision."""
    reach: float = 1.0
    """Wanted exposure at an action of one: at 1 + h the whole band can lie beyond full exposure."""


STILL: Final = 1e-6  # band of a policy that reads what is held and answers with it: rounding is no reason to trade


@njit(cache=True)
def edges_of(center: float, width: float) -> tuple[float, float]:
    """Return the edges of a no-trade region, center ± log(1 + exp(width)): any two numbers make a region."""
    half = max(width, 0.0) + np.log1p(np.exp(-abs(width)))
    return center - half, center + half


@njit(cache=True)
def within(held: float, lower: float, upper: float, shift: float) -> float:
    """Return the held exposure, moved as little as it takes into a no-trade region that is shifted by ``shift``.

    The edges are bent to [-1, 1]: of a region beyond full exposure, full exposure is left.
    """
    low, high = min(1.0, max(-1.0, lower + shift)), min(1.0, max(-1.0, upper + shift))
    return min(max(held, low), high)


@njit(cache=True)
def exposure_of(weight_y: float, weight_x: float) -> float:
    """Return the signed gross exposure behind the weights of both legs: the sign is that of leg y, whatever β is."""
    gross = abs(np.float64(weight_y)) + abs(np.float64(weight_x))
    return np.sign(np.float64(weight_y)) * gross


@njit(cache=True)
def size_legs(action: float, held_y: float, held_x: float, hedge_ratio: float, sizing: Sizing) -> tuple[float, float]:
    """Return target weights of legs y and x of one pair; see :func:`size_exposure`."""
    hedge = hedge_ratio if sizing.beta_legs else 1.0
    center = sizing.reach * min(1.0, max(-1.0, action))
    if sizing.band <= 0.0:
        return target_weights(min(1.0, max(-1.0, center)), hedge)
    held = held_y - held_x if hedge >= 0.0 else held_y + held_x
    if abs(center - held) <= sizing.band:
        return held_y, held_x
    wanted = min(max(held, center - sizing.band), center + sizing.band)
    return target_weights(min(1.0, max(-1.0, wanted)), hedge)


@njit(cache=True)
def _size_rows(action: Float1D, held: Float2D, hedge_ratio: Float1D, sizing: Sizing, out: Float2D) -> None:
    for row in range(action.shape[0]):
        out[row, 0], out[row, 1] = size_legs(action[row], held[row, 0], held[row, 1], hedge_ratio[row], sizing)


def size_exposure(action: Float1D, held: Float2D, hedge_ratio: Float1D, sizing: Sizing) -> Float2D:
    """Return target weights of P pairs.

    Parameters
    ----------
    action : ndarray, (P,)
        Signed exposure asked for, clipped to [-1, 1]; positive is long the spread.
    held : ndarray, (P, 2)
        Weights held before the decision, at the decision's marks.
    hedge_ratio : ndarray, (P,)
        β of each pair.
    sizing : Sizing
        Leg rule and no-trade band.

    Returns
    -------
    ndarray, (P, 2)
        Weights of legs y and x; gross exposure at most one where something is traded.

    Notes
    -----
    With a band of half-width h the wanted exposure is c = reach·a. While the held (signed gross) exposure lies within
    c ± h nothing is traded, legs that drifted apart included; outside, the pair trades to the nearer edge. Under
    proportional costs the best policy has this form (Davis and Norman, 1990).
    """
    out = np.empty((len(action), 2))
    _size_rows(action, held, hedge_ratio, sizing, out)
    return out
