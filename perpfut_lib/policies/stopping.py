"""Optimal stopping of an Ornstein-Uhlenbeck spread: where to turn the position round when trading costs."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import erfi

from perpfut_lib.accounting import Sizing
from perpfut_lib.policies.fitting import Fitting, spread_returns
from perpfut_lib.policies.rules import PLAIN, Layout
from perpfut_lib.types import Float1D, Float2D, Float32

WIDEST = 8.0  # standard deviations; where the optimum lies beyond, the cost exceeds all that the spread ever offers


@dataclass(frozen=True)
class OrnsteinUhlenbeck:
    """A mean-reverting spread in units of its z-score."""

    mean: float
    """Level that it reverts to."""
    std: float
    """Stationary standard deviation; infinity where it does not revert."""
    half_life: float
    """Bars in which a deviation halves."""

    @classmethod
    def fit(cls, z: Float2D) -> Self:
        r"""Fit :math:`z_{t+1} = m + \varphi (z_t - m) + \epsilon` to paths (E, L) by least squares."""
        before, after = z[:, :-1].ravel(), z[:, 1:].ravel()
        variance = before.var()
        slope = float(np.mean((before - before.mean()) * (after - after.mean())) / variance) if variance > 0.0 else 1.0
        if not 0.0 < slope < 1.0:
            return cls(float(before.mean()), np.inf, np.inf)
        residual = after - after.mean() - slope * (before - before.mean())
        mean = float((after.mean() - slope * before.mean()) / (1.0 - slope))
        return cls(mean, float(np.sqrt(residual.var() / (1.0 - slope**2))), float(np.log(0.5) / np.log(slope)))


def turning_point(cost: float) -> float:
    r"""Return the deviation, in stationary standard deviations, at which to turn from long to short and back.

    A cycle between :math:`-d` and :math:`d` takes :math:`E[T] = \frac{2\pi}{\theta} \mathrm{erfi}(d/\sqrt2)` bars with
    speed :math:`\theta` and earns :math:`4 (d - c)` at an exposure of one, so that

    .. math:: d^* = \arg\max_d \frac{d - c}{\mathrm{erfi}(d / \sqrt 2)}

    whatever the speed; for small costs :math:`d^* \approx (3c)^{1/3}`.

    Parameters
    ----------
    cost : float
        Cost of trading one unit of exposure, in stationary standard deviations of the spread, not negative.

    Returns
    -------
    float
        d*; infinity where even the widest cycle would not pay.

    Notes
    -----
    The symmetric case of Bertram (2010), "Analytic solutions for optimal statistical arbitrage trading".
    """
    if cost <= 0.0:
        return 0.0
    if not cost < WIDEST - 1.0:
        return float("inf")

    from scipy.optimize import brentq  # half a second to import

    def slope(d: float) -> float:
        return float(erfi(d / np.sqrt(2.0)) - (d - cost) * np.sqrt(2.0 / np.pi) * np.exp(0.5 * d * d))

    return float(brentq(slope, cost, WIDEST, xtol=1e-12))


@dataclass(frozen=True)
class StoppingRule:
    """Short the spread above a level, long below another, and whatever is held in between."""

    layout: Layout
    mean: float
    """Middle of the two levels, in z-scores."""
    reach: float
    """Half the distance between them, in z-scores; infinity never trades."""
    sizing: Sizing = PLAIN

    def act(self, observation: Float32) -> Float1D:
        """Return +1, -1, or 0 before the first level is met."""
        deviation = self.layout.raw(observation, "spread_z") - self.mean
        side = np.sign(observation[:, -3]).astype(np.float64)
        return np.where(np.abs(deviation) >= self.reach, -np.sign(deviation), side)


def fit_stopping(layout: Layout, sizing: Sizing, fitting: Fitting) -> StoppingRule:
    """Return the rule with levels from the training episodes' spreads, all of one law, and the regime's cost.

    What a z-score is worth follows from regressing the return of a unit exposure on the change of z.
    """
    episodes = fitting.train
    rows = episodes.features[:, episodes.lookback - 1 :].reshape(-1, len(episodes.names))
    z = layout.unscaled(rows, "spread_z").reshape(len(episodes), -1)
    process = OrnsteinUhlenbeck.fit(z)
    change, earned = np.diff(z, axis=1), spread_returns(episodes, beta_legs=sizing.beta_legs)[:, :-1]
    moved = float((change * change).sum())
    worth = float((change * earned).sum()) / moved if moved > 0.0 else 0.0
    if not worth > 0.0 or not np.isfinite(process.std):
        return StoppingRule(layout, process.mean, float("inf"), sizing)
    unit_cost = fitting.costs.fee + fitting.costs.slippage
    return StoppingRule(layout, process.mean, process.std * turning_point(unit_cost / (worth * process.std)), sizing)
