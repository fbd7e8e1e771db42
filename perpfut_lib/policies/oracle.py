"""What the best policy earns on the reference task, by dynamic programming over the spread and the position."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from perpfut_lib.accounting import Sizing
from perpfut_lib.env.planted import Planted
from perpfut_lib.policies.rules import PLAIN
from perpfut_lib.types import Float1D, Float2D, Float32

REACH = 5.0  # the z-grid ends there; |z| beyond has a chance of 6e-7


@dataclass(frozen=True)
class OraclePolicy:
    """The oracle's no-trade region behind the policy protocol; it reads z from the first feature.

    The region hardly depends on the time left, so the first decision's serves for the whole episode.
    """

    z: Float1D
    """Grid of z, (Z,)."""
    lower: Float1D
    """Least position held at each z, (Z,)."""
    upper: Float1D
    """Largest position held at each z, (Z,)."""
    sizing: Sizing = PLAIN

    def act(self, observation: Float32) -> Float1D:
        """Return the held exposure, moved to the nearer edge of the region where it lies outside."""
        z = observation[:, 0].astype(np.float64)
        held = observation[:, -3].astype(np.float64) - observation[:, -2].astype(np.float64)
        lower, upper = np.interp(z, self.z, self.lower), np.interp(z, self.z, self.upper)
        action: Float1D = np.clip(held, lower, upper)
        return action


@dataclass(frozen=True)
class Oracle:
    """The solution of the dynamic program."""

    utility: float
    """Expected sum of rewards of one episode that starts flat at a random z, basis points."""
    policy: OraclePolicy


def solve_oracle(
    task: Planted, fee_bps: float, risk_aversion: float = 0.01, *, z_count: int = 161, position_count: int = 81
) -> Oracle:
    r"""Solve the reference task at one fee.

    .. math:: V_t(z, p) = \max_q \; -c|q - p| + q \mu(z) - \tfrac{\lambda}{2} q^2 (\sigma^2 + \mu(z)^2)
              + E[V_{t+1}(z', q) | z], \quad V_T(z, p) = -c|p|

    Parameters
    ----------
    task : Planted
        The planted process; its features play no part.
    fee_bps : float
        Cost per unit of exposure traded, basis points.
    risk_aversion : float
        λ per basis point.
    z_count, position_count : int
        Grid points; the optimum over positions is a distance transform, linear in their number.

    Returns
    -------
    Oracle
        Its utility, and its no-trade region at the start of an episode.
    """
    z, position = np.linspace(-REACH, REACH, z_count), np.linspace(-1.0, 1.0, position_count)
    moves = _transitions(z, task.persistence())
    drift = (task.persistence() - 1.0) * task.std_bps * z[:, None]
    variance = (1.0 - task.persistence() ** 2) * task.std_bps**2 + task.noise_bps**2
    reward = position * drift - 0.5 * risk_aversion * position**2 * (variance + drift**2)
    value = np.repeat(-fee_bps * np.abs(position)[None], z_count, axis=0)
    held = value
    for _ in range(task.length):
        held = reward + moves @ value
        value = _best_trade(held, fee_bps * (position[1] - position[0]))
    cost = fee_bps * np.abs(position[:, None] - position[None])
    edges = [position[np.argmax(held - cost[start], axis=1)] for start in (0, -1)]
    chance = np.exp(-(z**2) / 2.0) / np.sqrt(2.0 * np.pi)
    flat = int(np.argmin(np.abs(position)))
    return Oracle(float(chance @ value[:, flat] / chance.sum()), OraclePolicy(z, edges[0], edges[1]))


def _transitions(z: Float1D, persistence: float) -> Float2D:
    """Return P(z' | z) on the grid, (Z, Z): the normal law cut at the midpoints."""
    cuts = np.concatenate([[-np.inf], 0.5 * (z[1:] + z[:-1]), [np.inf]])
    deviation = np.sqrt(1.0 - persistence**2)
    moves: Float2D = np.diff(ndtr((cuts - persistence * z[:, None]) / deviation), axis=1)
    return moves


def _best_trade(held: Float2D, step_cost: float) -> Float2D:
    """Return max over q of held(z, q) - c|q - p|: one sweep up and one down the positions."""
    best = held.copy()
    for index in range(1, best.shape[1]):
        np.maximum(best[:, index], best[:, index - 1] - step_cost, out=best[:, index])
    for index in range(best.shape[1] - 2, -1, -1):
        np.maximum(best[:, index], best[:, index + 1] - step_cost, out=best[:, index])
    return best
