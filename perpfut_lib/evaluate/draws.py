"""The random trader as what it is: a distribution, of which one draw may look like skill."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from perpfut_lib.accounting import Costs, Ledger
from perpfut_lib.env import Episodes
from perpfut_lib.evaluate.rollout import Rollout, rollout
from perpfut_lib.policies import RandomSwitch

DRAWS: Final = 100
ROWS_AT_ONCE: Final = 1000  # trading windows that are walked through side by side


def random_rollouts(policy: RandomSwitch, episodes: Episodes, costs: Costs, draws: int = DRAWS) -> Iterator[Rollout]:
    """Yield what ``draws`` random traders did in the same windows, one after the other.

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
    """
    count, generator = len(episodes), np.random.default_rng(policy.seed)
    blind = replace(episodes, features=np.zeros((count, episodes.length, 1), np.float32), names=("noise",), lookback=1)
    at_once = max(1, min(draws, ROWS_AT_ONCE // count))
    for first in range(0, draws, at_once):
        some = min(at_once, draws - first)
        noise = generator.random((some * count, episodes.length, 1), np.float32)
        tiled = replace(blind.rows(np.tile(np.arange(count), some)), features=noise)
        together = rollout(tiled, policy, costs)
        yield from (_rows(together, slice(k * count, (k + 1) * count)) for k in range(some))


def _rows(result: Rollout, rows: slice) -> Rollout:
    parts = {name: getattr(result.ledger, name)[rows] for name in Ledger._fields}
    return Rollout(result.action[rows], result.target[rows], Ledger(**parts))
