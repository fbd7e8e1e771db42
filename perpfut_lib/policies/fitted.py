"""The baselines by name, fitted where there is something to fit them on."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final

import numpy as np

from perpfut_lib.accounting import Sizing
from perpfut_lib.policies.fitting import Fitting, walk
from perpfut_lib.policies.protocol import Policy
from perpfut_lib.policies.ridge import fit_ridge
from perpfut_lib.policies.rules import Constant, Layout, RandomSwitch, ZScoreRule
from perpfut_lib.policies.stopping import fit_stopping

ENTRIES: Final = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
EXITS: Final = (-0.5, 0.0, 0.5, 1.0)
NEVER: Final = (np.inf, 0.0)


BASELINES: Final = ("flat", "long", "short", "random", "z-score", "ou-stopping", "ridge")


def baselines(
    layout: Layout, sizing: Sizing, fitting: Fitting | None = None, *, only: Collection[str] | None = None
) -> dict[str, Policy]:
    """Return the baselines by name.

    Parameters
    ----------
    layout : Layout
        Where features lie in an observation, and how they were scaled.
    sizing : Sizing
        Leg rule and no-trade band.
    fitting : Fitting, optional
        Training and validation episodes of one fee regime.
    only : collection of str, optional
        Names of those wanted; by default all, of :data:`BASELINES`.

    Returns
    -------
    dict
        ``flat``, ``long``, ``short``, ``random``, and ``z-score`` where the spread's z is observed. With ``fitting``
        the z-score rule is tuned on validation, the random one trades as much as asked, and there are ``ou-stopping``
        (z again) and ``ridge``. Same input, same policies.
    """
    makers: dict[str, Callable[[], Policy]] = {
        "flat": lambda: Constant(0.0, sizing),
        "long": lambda: Constant(1.0, sizing),
        "short": lambda: Constant(-1.0, sizing),
        "random": lambda: _random(sizing, fitting),
    }
    if "spread_z" in layout.names:
        makers["z-score"] = lambda: tune_z_score(ZScoreRule(layout, sizing=sizing), fitting)
        if fitting is not None:
            makers["ou-stopping"] = lambda: fit_stopping(layout, sizing, fitting)
    if fitting is not None:
        makers["ridge"] = lambda: fit_ridge(sizing, fitting)
    return {name: make() for name, make in makers.items() if only is None or name in only}


def _random(sizing: Sizing, fitting: Fitting | None) -> RandomSwitch:
    if fitting is None or fitting.turnover is None:
        return RandomSwitch(24 / 1440, sizing=sizing)
    return RandomSwitch.trading(fitting.turnover, fitting.train.length, sizing)


def tune_z_score(rule: ZScoreRule, fitting: Fitting | None) -> ZScoreRule:
    """Return the rule with the thresholds that earn most on validation, never trading among them."""
    if fitting is None:
        return rule
    grid = np.array([(entry, exit_) for entry in ENTRIES for exit_ in EXITS if exit_ < entry] + [NEVER])
    repeated = np.repeat(grid, len(fitting.validate), axis=0)
    earned = walk(replace(rule, entry=repeated[:, 0], exit=repeated[:, 1]), fitting, len(grid)).utility
    entry, exit_ = grid[int(np.argmax(earned))].tolist()
    return replace(rule, entry=entry, exit=exit_)
