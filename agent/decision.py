"""From advanced pairs to targets: views, the one decision function, the risk checks. Pure, apart from the policy."""

from collections.abc import Mapping

import numpy as np

from agent.advance import Advanced, spread_z
from agent.desk import Brain
from agent.risk import PairTarget
from agent.tracks import Window
from perpfut_lib.artifacts import Reason, Signal
from perpfut_lib.artifacts.contract import Part
from perpfut_lib.decide import Holdings, View, decide
from perpfut_lib.features import scale


class PairView(Part):
    """What is known of one pair at a decision; plain numbers, for checkpoints."""

    legs: tuple[str, str]
    """Symbols y and x."""
    window: tuple[tuple[float, ...], ...]
    """Raw features of the last bars, oldest first."""
    marks: tuple[float, float]
    """Last closes."""
    cash: float
    """Cash beside the legs, in units of the pair's first equity."""
    quantity: tuple[float, float]
    """Units held of legs y and x."""
    hedge_ratio: float
    """β."""
    z: float
    """Spread in formation standard deviations."""
    funding_rates: tuple[float, float]
    """Latest rates."""


class PairDecision(Part):
    """What the policy asked for."""

    action: float
    """Signed exposure to the spread."""
    weights: tuple[float, float]
    """Target weights as shares of the pair's equity."""
    equity: float
    """The pair's equity at the marks, in units of its first one."""


def view_of(moved: Advanced) -> PairView | None:
    """Return the view of a pair, or none where a number in it is not finite: then nothing can be decided."""
    track = moved.track
    numbers = [*moved.window.ravel(), *moved.marks, *moved.funding_rates, track.book.cash]
    z = spread_z(track, moved.marks)
    if not np.all(np.isfinite([*numbers, z])):
        return None
    return PairView(
        legs=track.legs,
        window=tuple(tuple(row) for row in moved.window.tolist()),
        marks=moved.marks,
        cash=track.book.cash,
        quantity=(track.book.quantity_y, track.book.quantity_x),
        hedge_ratio=track.state.pairs[track.pair].pair.beta,
        z=z,
        funding_rates=moved.funding_rates,
    )


def decisions(views: Mapping[str, PairView], as_of: int, brain: Brain) -> dict[str, PairDecision]:
    """Ask the policy for all pairs at once; errors as for :func:`perpfut_lib.decide.decide`."""
    if not views:
        return {}
    pairs = list(views.values())
    window = scale(np.array([pair.window for pair in pairs], np.float64), brain.scaler)
    marks = np.array([pair.marks for pair in pairs])
    hedge = np.array([pair.hedge_ratio for pair in pairs])
    holdings = Holdings(np.array([pair.cash for pair in pairs]), np.array([pair.quantity for pair in pairs]))
    answer = decide(View(np.full(len(pairs), as_of), window, marks, hedge), holdings, brain.policy)
    equity = holdings.equity(marks)
    return {
        name: PairDecision(
            action=float(answer.action[row]),
            weights=(float(answer.weights[row, 0]), float(answer.weights[row, 1])),
            equity=float(equity[row]),
        )
        for row, name in enumerate(views)
    }


def target_of(name: str, view: PairView, decision: PairDecision, window: Window, brain: Brain) -> PairTarget:
    """Return what risk is to look at: the decision in shares of the account."""
    slot = 1.0 / window.slots
    weights = (decision.weights[0] * decision.equity * slot, decision.weights[1] * decision.equity * slot)
    return PairTarget(
        pair=name,
        symbols=view.legs,
        weights=weights,
        slot=slot,
        hedge_ratio=view.hedge_ratio if brain.policy.sizing.beta_legs else 1.0,
        z=view.z,
        z_limit=brain.z_limit,
        pvalue=window.pvalues.get(name, float("nan")),
        funding_rates=view.funding_rates,
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
