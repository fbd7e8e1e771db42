"""The one decision function: what was evaluated is what is deployed.

Backtest, replay and live agent differ only in where a :class:`View` comes from and who books the fills.
"""

from dataclasses import dataclass

import numpy as np

from perpfut_lib.accounting import held_by, size_exposure
from perpfut_lib.errors import PolicyError
from perpfut_lib.policies import Policy, RecurrentPolicy
from perpfut_lib.types import Float1D, Float2D, Float32, Int1D


@dataclass(frozen=True)
class View:
    """What may be known of P pairs when a decision is made; nothing later than ``as_of`` is in it."""

    as_of: Int1D
    """Close time of the last bar seen, (P,), ms UTC."""
    window: Float32
    """Scaled features of the last ``lookback`` bars, oldest first, (P, lookback, F)."""
    marks: Float2D
    """Last close of both legs, (P, 2), quote currency."""
    hedge_ratio: Float1D
    """Units of log price of the second leg per unit of the first, β, (P,); 1 sizes both legs equally."""


@dataclass(frozen=True)
class Holdings:
    """What P pairs hold before a decision; each pair has its own equity."""

    cash: Float1D
    """Cash, (P,), quote currency."""
    quantity: Float2D
    """Signed base units of both legs, (P, 2)."""

    def equity(self, prices: Float2D) -> Float1D:
        """Return cash plus positions at ``prices`` (P, 2)."""
        return held_by(self.cash, self.quantity, prices)[1]

    def weights(self, prices: Float2D) -> Float2D:
        """Return the value of both legs at ``prices`` (P, 2) as shares of equity; zeros for a ruined pair."""
        return held_by(self.cash, self.quantity, prices)[0]


@dataclass(frozen=True)
class Decision:
    """What P pairs should hold next."""

    as_of: Int1D
    """Close time of the last bar seen, (P,), ms UTC."""
    action: Float1D
    """Signed exposure to the spread, in [-1, 1], (P,)."""
    weights: Float2D
    """Target weights of both legs as signed fractions of the pair's equity, (P, 2)."""
    quantity: Float2D
    """Target base units of both legs, sized at the marks, (P, 2)."""
    memory: Float2D | None = None
    """What a recurrent policy carries to its next decision, (P, M); none for others."""


def observe(view: View, holdings: Holdings) -> Float32:
    """Return what the policy sees, (P, lookback F + 3): the feature window, then both weights and the cash share.

    Weights are those of the position held before the decision, at the last close.
    """
    weights = holdings.weights(view.marks)
    cash = 1.0 - np.abs(weights[:, 0]) - np.abs(weights[:, 1])
    window = view.window.reshape(len(weights), -1)
    return np.concatenate([window, weights, cash[:, None]], axis=1, dtype=np.float32)


def decide(view: View, holdings: Holdings, policy: Policy | RecurrentPolicy, memory: Float2D | None = None) -> Decision:
    """Return the decision of ``policy``: view → observation → action → target weights → target units.

    Parameters
    ----------
    view : View
        The read-only past of P pairs.
    holdings : Holdings
        Their positions before the decision.
    policy : Policy or RecurrentPolicy
        Its row p depends on row p of the observation, and of the memory, only.
    memory : ndarray of float64, shape (P, M), optional
        ``Decision.memory`` of the decision before, for a recurrent policy; none at the first one.

    Returns
    -------
    Decision
        Actions are clipped to [-1, 1].

    Raises
    ------
    PolicyError
        The policy returned an action that is not finite.
    """
    observation = observe(view, holdings)
    if isinstance(policy, RecurrentPolicy):
        before = np.zeros((len(observation), policy.memory_size)) if memory is None else memory
        answer, memory = policy.recall(observation, before)
    else:
        answer = policy.act(observation)
    action = np.clip(answer, -1.0, 1.0)
    if not np.all(np.isfinite(action)):
        bad = np.flatnonzero(~np.isfinite(action)).tolist()
        raise PolicyError(
            f"an action that is not finite for pairs {bad}", "finite actions", "check features and policy"
        )
    weights = size_exposure(action, holdings.weights(view.marks), view.hedge_ratio, policy.sizing)
    quantity = weights * holdings.equity(view.marks)[:, None] / view.marks
    return Decision(view.as_of, action, weights, quantity, memory)
