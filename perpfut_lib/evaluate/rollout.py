"""Walk through episodes with the one decision function and one ledger."""

from dataclasses import dataclass

import numpy as np

from perpfut_lib.accounting import Accountant, Costs, Ledger
from perpfut_lib.decide import Holdings, View, decide
from perpfut_lib.env import Episodes
from perpfut_lib.policies import Policy, RecurrentPolicy
from perpfut_lib.types import Float2D, Float3D


@dataclass(frozen=True)
class Rollout:
    """What a policy did in E episodes of L decisions, and what it came to."""

    action: Float2D
    """Signed exposure to the spread, in [-1, 1], (E, L)."""
    target: Float3D
    """Target weights of both legs, (E, L, 2)."""
    ledger: Ledger
    """Accounts of every step, flattened and charged at the end."""


def view_at(episodes: Episodes, step: int) -> View:
    """Return what is known at decision ``step`` of every episode: rows up to the last closed bar."""
    window = episodes.features[:, step : step + episodes.lookback]
    return View(episodes.fill_times[:, step], window, episodes.marks[:, step], episodes.hedge_ratio)


def rollout(episodes: Episodes, policy: Policy | RecurrentPolicy, costs: Costs) -> Rollout:
    """Run ``policy`` through all episodes side by side.

    Parameters
    ----------
    episodes : Episodes
        Trading windows; they do not interact, since every pair has its own equity.
    policy : Policy or RecurrentPolicy
        Blind to other rows, so episodes side by side decide the same bits as one by one; a memory begins with zeros.
    costs : Costs
        Fee and slippage.

    Returns
    -------
    Rollout
        Actions, targets and the ledger.
    """
    accountant = Accountant(episodes.market, costs)
    shape = episodes.marks.shape
    action, target, memory = np.empty(shape[:2]), np.empty(shape), None
    for step in range(shape[1]):
        holdings = Holdings(accountant.cash, accountant.quantity)
        decision = decide(view_at(episodes, step), holdings, policy, memory)
        memory = decision.memory
        accountant.book(step, decision.weights)
        action[:, step], target[:, step] = decision.action, decision.weights
    return Rollout(action, target, accountant.close())
