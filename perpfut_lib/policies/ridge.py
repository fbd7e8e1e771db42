"""A linear forecast of the spread's return, traded only as far as it pays for the trade."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np

from perpfut_lib.accounting import Sizing
from perpfut_lib.env import Episodes
from perpfut_lib.errors import PolicyError
from perpfut_lib.policies.fitting import Fitting, spread_returns, walk
from perpfut_lib.policies.network import Network, forward
from perpfut_lib.types import Float1D, Float2D, Float32, JsonObject

HORIZONS: Final = (15, 60, 240)
PENALTIES: Final = (1e-4, 1e-2, 1.0)
LEAST_RISK: Final = 1e-6  # of the cost; without risk aversion the band would be infinite


@dataclass(frozen=True)
class RidgePolicy:
    """Exposure in proportion to a forecast, moved only outside a no-trade band; see :func:`fit_ridge`."""

    names: tuple[str, ...]
    """Features of one row, in order."""
    lookback: int
    coefficients: Float1D
    """Action per unit of each scaled feature of the newest row, (F,)."""
    intercept: float
    horizon: int
    """Bars that are forecast."""
    penalty: float
    """Ridge penalty, as a share of the number of samples."""
    sizing: Sizing

    def act(self, observation: Float32) -> Float1D:
        """Return actions (P,) for observations (P, D)."""
        width = len(self.names)
        first = (self.lookback - 1) * width
        if observation.shape[1] != first + width + 3:
            expected = f"(P, {first + width + 3})"
            raise PolicyError(f"an observation of shape {observation.shape}", expected, "use its own features")
        action = np.empty(len(observation))
        forward(self._network(), np.ascontiguousarray(observation[:, first : first + width]), action)
        return action

    def _network(self) -> Network:
        """Return the forecast as a network without hidden layers: its fixed order of sums gives rows their own bits."""
        parameters = np.append(self.coefficients, self.intercept)
        return Network(parameters, np.array([len(self.coefficients), 1]), False, False)

    def to_json(self) -> JsonObject:
        """Return a JSON object that reads back to the same bits."""
        plain = {"lookback": self.lookback, "intercept": self.intercept, "horizon": self.horizon}
        fitted = {"coefficients": self.coefficients.tolist(), "penalty": self.penalty}
        return {"names": list(self.names), **plain, **fitted, "sizing": self.sizing._asdict()}

    @classmethod
    def from_json(cls, data: JsonObject) -> Self:
        """Read what :meth:`to_json` wrote."""
        changed = {
            "names": tuple(data["names"]),
            "coefficients": np.array(data["coefficients"], np.float64),
            "sizing": Sizing(**data["sizing"]),
        }
        return cls(**(data | changed))


def fit_ridge(sizing: Sizing, fitting: Fitting) -> RidgePolicy:
    r"""Fit forecasts at several horizons, and keep the one that earns most on validation; none that earns is flat.

    With a forecast f of what an exposure of one earns over H bars, its residual variance v and a cost c per unit of
    exposure, :math:`q f - \frac{\lambda}{2} q^2 v - c |q - p|` is best at the position p where

    .. math:: \left| p - \frac{f}{\lambda v} \right| \le \frac{c}{\lambda v}

    and at the nearer edge of that band elsewhere. The penalty of each horizon has the least error on validation.

    Parameters
    ----------
    sizing : Sizing
        Leg rule; the band is the policy's own.
    fitting : Fitting
        Training and validation episodes, λ, costs.

    Returns
    -------
    RidgePolicy
        Coefficients zero where nothing earns on validation.
    """
    candidates = [policy for policy in _candidates(sizing, fitting) if policy is not None]
    earned = [float(walk(policy, fitting).utility[0]) for policy in candidates]
    best = candidates[int(np.argmax(earned))]
    return best if max(earned) > 0.0 else replace(best, coefficients=0.0 * best.coefficients, intercept=0.0)


def _candidates(sizing: Sizing, fitting: Fitting) -> Iterator[RidgePolicy]:
    episodes = fitting.train
    horizons = [horizon for horizon in HORIZONS if horizon < episodes.length] or [1]
    for horizon in horizons:
        rows, earned = _samples(episodes, horizon, sizing)
        checked = _samples(fitting.validate, horizon, sizing)
        fits = [_solve(rows, earned, penalty) for penalty in PENALTIES]
        errors = [float(np.mean((checked[1] - checked[0] @ slope - level) ** 2)) for slope, level in fits]
        chosen = int(np.argmin(errors))
        slope, level = fits[chosen]
        risk, cost = _risk_and_cost(fitting, float(np.mean((earned - rows @ slope - level) ** 2)))
        band = cost / risk
        scale = fitting.rules.reward_scale / (risk * (1.0 + band))
        banded = sizing._replace(band=band, reach=1.0 + band)
        shape = (episodes.names, episodes.lookback)
        yield RidgePolicy(*shape, scale * slope, scale * level, horizon, PENALTIES[chosen], banded)


def _risk_and_cost(fitting: Fitting, variance: float) -> tuple[float, float]:
    """Return λ times variance, and the cost of a unit of exposure, both in units of the reward."""
    rules, costs = fitting.rules, fitting.costs
    cost = (costs.fee + costs.slippage) * rules.reward_scale + rules.turnover_penalty
    risk = rules.risk_aversion * rules.reward_scale**2 * variance
    return max(risk, LEAST_RISK * max(cost, 1.0)), cost


def _samples(episodes: Episodes, horizon: int, sizing: Sizing) -> tuple[Float2D, Float1D]:
    """Return newest feature rows (N, F) and what a unit exposure earns over the next ``horizon`` bars (N,)."""
    totals = np.cumsum(spread_returns(episodes, beta_legs=sizing.beta_legs), axis=1)
    totals = np.concatenate([np.zeros((len(totals), 1)), totals], axis=1)
    earned = totals[:, horizon:] - totals[:, :-horizon]
    first = episodes.lookback - 1
    rows = episodes.features[:, first : first + earned.shape[1]].reshape(-1, len(episodes.names))
    return rows.astype(np.float64), earned.ravel()


def _solve(rows: Float2D, earned: Float1D, penalty: float) -> tuple[Float1D, float]:
    """Return slopes and intercept of the ridge regression; the intercept is not penalised."""
    center, level = rows.mean(axis=0), float(earned.mean())
    moved = rows - center
    gram = moved.T @ moved + penalty * len(rows) * np.eye(rows.shape[1])
    slope: Float1D = np.linalg.solve(gram, moved.T @ (earned - level))
    return slope, level - float(center @ slope)
