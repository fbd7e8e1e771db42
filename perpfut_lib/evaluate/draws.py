"""The random trader as what it is: a distribution, of which one draw may look like skill."""

from dataclasses import replace

import numpy as np

from perpfut_lib.accounting import Costs, Ledger
from perpfut_lib.env import Episodes
from perpfut_lib.evaluate.rollout import rollout
from perpfut_lib.policies import RandomSwitch

AT_ONCE = 20  # draws that walk through the episodes side by side


def random_ledger(policy: RandomSwitch, episodes: Episodes, costs: Costs, draws: int) -> Ledger:
    """Return the accounts of ``draws`` random traders, one block of all episodes below the other.

    Each sees noise of its own in the place of the features, which are nothing to it but a source of randomness.

    Parameters
    ----------
    policy : RandomSwitch
        How often it switches.
    episodes : Episodes
        E trading windows.
    costs : Costs
        Fee and slippage.
    draws : int
        Number of traders.

    Returns
    -------
    Ledger
        Of ``draws`` times E rows.
    """
    parts = []
    for first in range(0, draws, AT_ONCE):
        count = min(AT_ONCE, draws - first)
        noise = np.random.default_rng([policy.seed, first]).random((count * len(episodes), episodes.length, 1))
        blind = replace(
            episodes, features=np.zeros((len(episodes), episodes.length, 1), np.float32), names=("noise",), lookback=1
        )
        tiled = blind.rows(np.tile(np.arange(len(episodes)), count))
        parts.append(rollout(replace(tiled, features=noise.astype(np.float32)), policy, costs).ledger)
    names = Ledger.__dataclass_fields__
    return Ledger(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
