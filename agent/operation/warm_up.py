"""Compile ahead: a made-up pair goes through one bar and one decision before the first real one."""

import logging
from dataclasses import replace
from typing import Final

import numpy as np

from agent.decision.context import TickContext, TradingPolicy
from agent.decision.pair_decisions import decisions
from agent.decision.pair_update import UpdateRules, update_pair
from agent.feed.market import NO_SETTLEMENTS, Slice
from agent.state.memory import FollowedPair
from agent.state.pair_ledger import PairLedger, Pending, flatten
from perpfut_lib.errors import PerpfutError
from perpfut_lib.features import Pair, init_state, open_pair
from perpfut_lib.types import DAY_MS

log = logging.getLogger(__name__)

LEGS: Final = ("Y", "X")
PRICES: Final = (1.0, 1.0)


def compile_ahead(context: TickContext) -> None:
    """Run all compiled code of a fast tick while the agent waits for the first bar.

    The first process after an update compiles for half a minute; later ones load what that one left on disk. Without a
    policy nothing is decided, and there is nothing to compile. A policy that cannot decide on the made-up pair is
    reported, and left to the ticks.
    """
    if context.policy is None:
        return
    try:
        _decide_once(context.policy, context.rules)
    except PerpfutError as error:
        log.warning("not everything could be compiled ahead", extra={"cause": str(error)})


def _decide_once(policy: TradingPolicy, rules: UpdateRules) -> None:
    """Take a made-up pair through a bar and a decision, with the types of a real one."""
    bar = rules.timeframe
    pair = Pair(0.0, 1.0, 0.5, 0.0, 1.0, 0.0, 1.0, 0.0, float(bar), float(DAY_MS), float(bar))
    start = replace(init_state(rules.spec, LEGS), time=0)
    opened = open_pair(rules.spec, start, "Y/X", LEGS, pair, np.array([PRICES]))
    ledger = PairLedger(time=bar)
    followed = FollowedPair(
        pair="Y/X",
        legs=LEGS,
        valid_from=0,
        state=opened,
        settlements=dict.fromkeys(LEGS, ((0, 0.0),)),
        checked=0,
        closes=PRICES,
        marks=PRICES,
        ledger=ledger,
        queue=(Pending(time=bar, weights=(0.5, -0.5), marks=PRICES),),
    )
    bars = Slice(np.array([[bar, *[1.0] * 5]], np.float64), NO_SETTLEMENTS)
    moved = update_pair(followed, dict.fromkeys(LEGS, bars), 2 * bar, rules)
    assert moved is not None  # the one bar that it needs is there
    decisions({"Y/X": moved}, 2 * bar, policy)
    flatten(ledger, PRICES, rules.costs, bar).equity(PRICES)
