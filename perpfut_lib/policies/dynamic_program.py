"""The best no-trade region for a mean-reverting spread over a trading window, by dynamic programming, compiled."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from scipy.special import ndtr

from perpfut_lib.types import Float1D, Float2D, Int1D

REACH: Final = 5.0  # stationary deviations; the grid of the spread ends there
WIDTH: Final = 5.0  # deviations of one step's innovation that a transition reaches
FINENESS: Final = 1.0  # of the innovation's deviation: the grid's step; half of it changes the value by 4e-5
MOST_POINTS: Final = 801
POSITIONS: Final = 81


@dataclass(frozen=True)
class SpreadProcess:
    """What is known of one pair-day before it begins, per unit of exposure, in units of x (basis points by default)."""

    persistence: float
    """φ of one decision's step."""
    std: float
    """Stationary standard deviation of the estimated level u of the spread."""
    variance: float
    """Variance of one step's return around its expectation."""
    funding: Float1D
    """Funding that a unit of exposure pays in each step, (L,)."""
    delay: float = 1.0
    """Share of the expected move that is left when an order fills: φ to the power of the latency."""


class Grid(NamedTuple):
    """The level on a grid, and how it moves."""

    level: Float1D
    """Levels, (Z,)."""
    chances: Float2D
    """Chance of each of the reachable levels, (Z, W)."""
    first: Int1D
    """Number of the first reachable level, (Z,)."""


class Problem(NamedTuple):
    """One pair-day as numbers."""

    pull: float
    """Expected move per step and unit of the level: (φ - 1) φ^latency."""
    variance: float
    risk_aversion: float
    cost: float
    """Cost per unit of exposure traded."""


def make_grid(process: SpreadProcess) -> Grid:
    """Return the grid of a process; its transitions are the normal law cut at the midpoints.

    The cut adds a twelfth of the squared step to the variance, which is taken off beforehand.
    """
    innovation = np.sqrt(1.0 - process.persistence**2)
    count = min(MOST_POINTS, 2 * int(np.ceil(REACH / (FINENESS * innovation))) + 1)
    z = np.linspace(-REACH, REACH, count)
    step = z[1] - z[0]
    deviation = np.sqrt(max(innovation**2 - step**2 / 12.0, 0.25 * innovation**2))
    side = int(np.ceil(WIDTH * deviation / step)) + 1
    width = min(2 * side + 1, count)
    nearest = np.rint((process.persistence * z - z[0]) / step).astype(np.int64)
    first: Int1D = np.clip(nearest - side, 0, count - width)
    cuts = z[0] + step * (first[:, None] + np.arange(1, width) - 0.5)
    below = ndtr((cuts - process.persistence * z[:, None]) / deviation)
    ends = np.zeros((count, 1)), np.ones((count, 1))
    return Grid(process.std * z, np.diff(np.concatenate([ends[0], below, ends[1]], axis=1), axis=1), first)


def solve(
    process: SpreadProcess, level: Float1D, risk_aversion: float, cost: float
) -> tuple[Float1D, Float1D, Float1D]:
    r"""Return the no-trade region at the levels that a pair-day shows, and what the program expects of the day.

    .. math:: V_t(u, p) = \max_q \; -c|q - p| + q (\mu(u) - g_t) - \tfrac{\lambda}{2} q^2 (v + \mu(u)^2)
              + E[V_{t+1}(u', q) | u], \quad V_L(u, p) = -c|p|

    with :math:`\mu(u) = (\varphi - 1)\varphi^{\ell} u` and :math:`u' = \varphi u + \epsilon`.

    Parameters
    ----------
    process : SpreadProcess
        φ, the deviation of u, the variance v of a step's return, funding g, latency ℓ.
    level : ndarray, (L,)
        Level seen at each decision; only the region at these levels is kept.
    risk_aversion : float
        λ per unit of x.
    cost : float
        c, in units of x per unit of exposure traded.

    Returns
    -------
    lower, upper : ndarray, (L,)
        Least and largest exposure that is held after each decision.
    value : ndarray, (Z,)
        Expected sum of rewards of a day that begins flat, over the grid of levels.
    """
    grid = make_grid(process)
    problem = Problem((process.persistence - 1.0) * process.delay, process.variance, risk_aversion, cost)
    place = np.clip((level - grid.level[0]) / (grid.level[1] - grid.level[0]), 0.0, len(grid.level) - 1.000001)
    return _backward(problem, grid, np.linspace(-1.0, 1.0, POSITIONS), process.funding, place)


@njit(cache=True, nogil=True)
def _backward(
    problem: Problem, grid: Grid, position: Float1D, funding: Float1D, place: Float1D
) -> tuple[Float1D, Float1D, Float1D]:
    """Walk from the end of the day to its begin; ``place`` (L,) is where on the grid each decision's level lies."""
    steps, points, count = len(funding), len(grid.level), len(position)
    lower, upper, held = np.zeros(steps), np.zeros(steps), np.zeros((points, count))
    step_cost = problem.cost * (position[1] - position[0])
    value = np.empty((points, count))
    value[:] = -problem.cost * np.abs(position)
    for step in range(steps - 1, -1, -1):
        _hold(problem, grid, position, funding[step], value, held)
        row, share = int(place[step]), place[step] - int(place[step])
        seen = (1.0 - share) * held[row] + share * held[row + 1]
        lower[step] = position[np.argmax(seen - problem.cost * (position + 1.0))]
        upper[step] = position[np.argmax(seen - problem.cost * (1.0 - position))]
        _trade(held, step_cost, value)
    return lower, upper, value[:, count // 2].copy()


@njit(cache=True, nogil=True)
def _hold(problem: Problem, grid: Grid, position: Float1D, funding: float, value: Float2D, held: Float2D) -> None:
    """Write what each position earns until the next decision and is worth there, (Z, P), into ``held``."""
    for row in range(held.shape[0]):
        drift = problem.pull * grid.level[row]
        risk = 0.5 * problem.risk_aversion * (problem.variance + drift * drift)
        for place in range(held.shape[1]):
            held[row, place] = position[place] * (drift - funding - risk * position[place])
        for column in range(grid.chances.shape[1]):
            chance, reached = grid.chances[row, column], grid.first[row] + column
            for place in range(held.shape[1]):  # innermost, so that the compiler takes several at once
                held[row, place] += chance * value[reached, place]


@njit(cache=True, nogil=True)
def _trade(held: Float2D, step_cost: float, best: Float2D) -> None:
    """Write max over q of held(u, q) - c|q - p| into ``best``: one sweep up and one down the positions."""
    best[:] = held
    for row in range(best.shape[0]):
        for column in range(1, best.shape[1]):
            best[row, column] = max(best[row, column], best[row, column - 1] - step_cost)
        for column in range(best.shape[1] - 2, -1, -1):
            best[row, column] = max(best[row, column], best[row, column + 1] - step_cost)
