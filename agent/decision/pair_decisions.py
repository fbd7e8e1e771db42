"""From advanced pairs to targets: the one decision function, then what the risk checks look at. Pure."""

import math
from collections.abc import Mapping

import numpy as np

from agent.decision.context import TradingPolicy
from agent.decision.followed_pairs import Window
from agent.decision.pair_update import UpdatedPair, spread_z
from agent.decision.risk import PairTarget
from perpfut_lib.artifacts import Reason, Signal
from perpfut_lib.artifacts.contract import Part
from perpfut_lib.decide import Holdings, View, decide
from perpfut_lib.features import scale


class PairDecision(Part):
    """The policy's decision on one pair."""

    action: float
    """Signed exposure to the spread."""
    weights: tuple[float, float]
    """Target weights as shares of the pair's equity."""
    equity: float
    """The pair's equity at the marks, in units of its first one."""


def decidable(moved: UpdatedPair) -> bool:
    """Return whether every number that a decision on a pair rests on is finite: otherwise nothing can be decided."""
    numbers = [*moved.marks, *moved.funding_rates, moved.followed.ledger.cash, spread_z(moved.followed, moved.marks)]
    return all(map(math.isfinite, numbers)) and bool(np.isfinite(moved.window).all())


def decisions(moved: Mapping[str, UpdatedPair], as_of: int, policy: TradingPolicy) -> dict[str, PairDecision]:
    """Ask the policy for all pairs at once; errors as for :func:`perpfut_lib.decide.decide`."""
    if not moved:
        return {}
    pairs = list(moved.values())
    window = scale(np.array([pair.window for pair in pairs], np.float64), policy.scaler)
    marks = np.array([pair.marks for pair in pairs])
    hedge = np.array([_beta(pair) for pair in pairs])
    books = [pair.followed.ledger for pair in pairs]
    quantity = np.array([(ledger.quantity_y, ledger.quantity_x) for ledger in books])
    holdings = Holdings(np.array([ledger.cash for ledger in books]), quantity)
    answer = decide(View(np.full(len(pairs), as_of), window, marks, hedge), holdings, policy.exported)
    equity = holdings.equity(marks)
    return {
        name: PairDecision(
            action=float(answer.action[row]),
            weights=(float(answer.weights[row, 0]), float(answer.weights[row, 1])),
            equity=float(equity[row]),
        )
        for row, name in enumerate(moved)
    }


def target_of(
    name: str, moved: UpdatedPair, decision: PairDecision, window: Window, policy: TradingPolicy
) -> PairTarget:
    """Return the target that risk checks: the decision in shares of the account."""
    slot = 1.0 / window.slots
    weights = (decision.weights[0] * decision.equity * slot, decision.weights[1] * decision.equity * slot)
    return PairTarget(
        pair=name,
        symbols=moved.followed.legs,
        weights=weights,
        slot=slot,
        hedge_ratio=_beta(moved) if policy.exported.sizing.beta_legs else 1.0,
        z=spread_z(moved.followed, moved.marks),
        z_limit=policy.z_limit,
        pvalue=window.pvalues.get(name, float("nan")),
        funding_rates=moved.funding_rates,
        faults=() if decision.equity > 0.0 else (Reason.DRAWDOWN,),
    )


def held_target(name: str, legs: tuple[str, str], window: Window, last: Signal | None, fault: Reason) -> PairTarget:
    """Return the target of a pair that cannot be decided on: the last signal's, with the reason."""
    weights = {leg.symbol: leg.weight for leg in (last.legs if last else ()) if leg.pair == name}
    return PairTarget(
        pair=name,
        symbols=legs,
        weights=(weights.get(legs[0], 0.0), weights.get(legs[1], 0.0)),
        slot=1.0 / window.slots,
        hedge_ratio=1.0,
        z=0.0,
        z_limit=float("inf"),
        pvalue=window.pvalues.get(name, float("nan")),
        held=True,
        faults=(fault,),
    )


def _beta(moved: UpdatedPair) -> float:
    return moved.followed.state.pairs[moved.followed.pair].pair.beta
