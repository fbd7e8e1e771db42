"""Shapley values: what each correction is worth, whatever the order in which they are made."""

from collections.abc import Mapping
from itertools import combinations
from math import factorial

import numpy as np

from perpfut_lib.types import Float1D, Float2D


def shapley_values(worth: Mapping[frozenset[str], Float1D], players: tuple[str, ...]) -> Float2D:
    r"""Return the Shapley value of each player.

    .. math:: \phi_i = \sum_{S \subseteq N \setminus \{i\}} \frac{|S|!\,(n-|S|-1)!}{n!}\,(v(S \cup \{i\}) - v(S))

    Parameters
    ----------
    worth : mapping
        :math:`v(S)` of every coalition, (W,): one number per observation, such as a day's log growth. The value is
        linear in it, so that values per day add up to the value of the whole.
    players : tuple of str
        Their names.

    Returns
    -------
    ndarray, (n, W)
        Rows sum to ``worth`` of all players less that of none.

    References
    ----------
    Shapley (1953), A value for n-person games, Contributions to the Theory of Games II, 307-317.
    """
    count, values = len(players), []
    for player in players:
        others = [other for other in players if other != player]
        value = np.zeros_like(worth[frozenset()], np.float64)
        for size in range(count):
            weight = factorial(size) * factorial(count - size - 1) / factorial(count)
            for chosen in combinations(others, size):
                value += weight * (worth[frozenset((*chosen, player))] - worth[frozenset(chosen)])
        values.append(value)
    return np.array(values)
