"""Risk checks: pure functions from proposed targets to allowed ones; whatever fails a check goes flat, with a code.

Comparisons are written so that NaN fails them. Removing a pair only lowers exposures, so a limit that was met by all
pairs together still holds for those that remain.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from perpfut_lib.accounting import liquidation_distance
from perpfut_lib.artifacts import Control, Reason
from perpfut_lib.config import RiskConfig
from perpfut_lib.types import Json, JsonObject


@dataclass(frozen=True)
class PairTarget:
    """What is proposed for one pair, and what is known about it."""

    pair: str
    """Name."""
    symbols: tuple[str, str]
    """Symbols of legs y and x."""
    weights: tuple[float, float]
    """Signed notional of both legs as shares of the account's equity at the window's start."""
    slot: float
    """The pair's capital as a share of the same equity."""
    hedge_ratio: float
    """β that sizes the legs."""
    z: float
    """Spread in formation standard deviations at the last close."""
    z_limit: float
    """Largest \\|z\\| of the training data; infinity where it is not known."""
    pvalue: float
    """Latest p-value of the residual test."""
    funding_rates: tuple[float, float] = (0.0, 0.0)
    """Latest funding rate of both legs per settlement, fraction."""
    held: bool = False
    """The target is the previous one, because this bar's data are missing."""
    faults: tuple[Reason, ...] = ()
    """What earlier steps found wrong; any but ``HELD`` closes the pair."""


@dataclass(frozen=True)
class AccountView:
    """What the execution side reported of the account."""

    equity: float
    """Equity now, quote currency."""
    start_equity: float
    """Equity at the window's start, quote currency."""
    drawdown: float
    """Fall from the peak, fraction."""
    imbalance: float
    """Largest gap between a position and its target, as a share of equity."""


@dataclass(frozen=True)
class Situation:
    """Limits, account and orders that apply to all pairs."""

    control: Control | None
    """The operator's orders; none where they cannot be read."""
    governor_mode: str | None = "run"
    """The governor's mode; none where it cannot be read."""
    account: AccountView | None = None
    """The account; none where nothing current is known of it."""
    capital: float = 10_000.0
    """Account equity to use while there is no account view, quote currency."""
    book_drawdown: float = 0.0
    """Fall of the agent's own book from its peak, fraction."""
    faults: tuple[Reason, ...] = ()
    """What earlier steps found wrong with the whole tick; any closes everything."""


@dataclass(frozen=True)
class RiskResult:
    """What may be held."""

    weights: Mapping[str, tuple[float, float]]
    """Allowed weights of legs y and x by pair; zeros where a check closed the pair."""
    reasons: Mapping[str, tuple[Reason, ...]]
    """Codes by pair."""
    overall: tuple[Reason, ...] = ()
    """Codes that concern everything."""
    kill: bool = False
    """Flatten and stop."""
    scale: float = 1.0
    """Factor by which the operator's exposure cap reduced all targets."""
    closed: frozenset[str] = field(default_factory=frozenset)
    """Pairs that a check closed."""

    def to_json(self) -> JsonObject:
        """Return plain JSON that :meth:`from_json` reads back."""
        return {
            "weights": {name: list(legs) for name, legs in self.weights.items()},
            "reasons": {name: [code.value for code in codes] for name, codes in self.reasons.items()},
            "overall": [code.value for code in self.overall],
            "kill": self.kill,
            "scale": self.scale,
            "closed": sorted(self.closed),
        }

    @classmethod
    def from_json(cls, tree: Mapping[str, Json]) -> Self:
        """Read what :meth:`to_json` wrote."""
        return cls(
            weights={name: (legs[0], legs[1]) for name, legs in tree["weights"].items()},
            reasons={name: tuple(map(Reason, codes)) for name, codes in tree["reasons"].items()},
            overall=tuple(map(Reason, tree["overall"])),
            kill=tree["kill"],
            scale=tree["scale"],
            closed=frozenset(tree["closed"]),
        )


def check(pairs: Iterable[PairTarget], situation: Situation, limits: RiskConfig) -> RiskResult:
    """Return what may be held of the proposed targets.

    Parameters
    ----------
    pairs : iterable of PairTarget
        Proposed targets.
    situation : Situation
        Control, governor, account, capital.
    limits : RiskConfig
        Limits.

    Returns
    -------
    RiskResult
        Every limit holds for its weights; with any overall code all of them are zero, except that
        ``EXPOSURE_CAPPED`` alone scales them.
    """
    proposed = {pair.pair: pair for pair in pairs}
    reasons = {name: list(pair_faults(pair, situation.control, limits)) for name, pair in proposed.items()}
    overall = list(overall_faults(situation, limits))
    alive = {name: pair for name, pair in proposed.items() if not overall and _open(reasons[name])}
    for name, reason in crowded(alive.values(), limits):
        reasons[name].append(reason)
        alive.pop(name, None)
    overall += list(total_faults(alive.values(), situation, limits))
    alive = {} if overall else alive
    scale = cap_scale(alive.values(), situation.control)
    if scale < 1.0:
        overall.append(Reason.EXPOSURE_CAPPED)
    alive = {name: _scaled(pair, scale) for name, pair in alive.items()}
    for name in [name for name, pair in alive.items() if too_small(pair, situation, limits)]:
        reasons[name].append(Reason.MIN_NOTIONAL)
        del alive[name]
    weights = {name: alive[name].weights if name in alive else (0.0, 0.0) for name in proposed}
    kill = situation.control is not None and situation.control.kill
    closed = frozenset(proposed) - frozenset(alive)
    return RiskResult(
        weights, {name: tuple(codes) for name, codes in reasons.items()}, tuple(overall), kill, scale, closed
    )


def overall_faults(situation: Situation, limits: RiskConfig) -> Iterable[Reason]:
    """Yield codes that close everything before any target is looked at."""
    yield from situation.faults
    if situation.control is None:
        yield Reason.CONTROL_UNREADABLE
    else:
        if situation.control.kill:
            yield Reason.KILLED
        if situation.control.pause:
            yield Reason.PAUSED
    if situation.governor_mode is None:
        yield Reason.GOVERNOR_UNREADABLE
    elif situation.governor_mode != "run":
        yield Reason.GOVERNOR_PAUSED
    if not situation.book_drawdown < limits.max_drawdown:
        yield Reason.DRAWDOWN
    account = situation.account
    if account is None:
        if limits.require_performance:
            yield Reason.PERFORMANCE_STALE
        return
    if not account.drawdown < limits.max_drawdown or not account.equity > 0.0:
        yield Reason.DRAWDOWN
    if not account.imbalance <= limits.max_leg_imbalance:
        yield Reason.LEG_IMBALANCE


def pair_faults(pair: PairTarget, control: Control | None, limits: RiskConfig) -> Iterable[Reason]:
    """Yield codes of one pair by itself."""
    yield from pair.faults
    if control is not None:
        if any(symbol in control.deny for symbol in pair.symbols):
            yield Reason.DENIED
        if control.allow is not None and not all(symbol in control.allow for symbol in pair.symbols):
            yield Reason.NOT_ALLOWED
    if not np.all(np.isfinite([*pair.weights, pair.hedge_ratio, pair.slot])):
        yield Reason.NOT_FINITE
        return
    gross = _gross(pair)
    if not gross <= limits.max_pair_exposure * pair.slot:
        yield Reason.PAIR_EXPOSURE
    if not max(map(abs, pair.weights)) <= limits.max_leg_exposure * pair.slot:
        yield Reason.LEG_EXPOSURE
    if not pair.held and not _imbalance(pair) <= limits.max_leg_imbalance * gross:
        yield Reason.LEG_IMBALANCE
    if limits.max_pvalue is not None and not pair.pvalue <= limits.max_pvalue:
        yield Reason.LOST_COINTEGRATION
    if limits.z_margin is not None and not abs(pair.z) <= pair.z_limit + limits.z_margin:
        yield Reason.BEYOND_TRAINING
    if not all(abs(rate) <= limits.max_funding_rate for rate in pair.funding_rates):
        yield Reason.FUNDING_SPIKE


def crowded(pairs: Iterable[PairTarget], limits: RiskConfig) -> list[tuple[str, Reason]]:
    """Return the pairs that touch a symbol whose gross exposure over all pairs is too large."""
    pairs = list(pairs)
    exposure = symbol_exposure(pairs)
    full = {symbol for symbol, gross in exposure.items() if not gross <= limits.max_symbol_exposure}
    return [(pair.pair, Reason.SYMBOL_EXPOSURE) for pair in pairs if full.intersection(pair.symbols)]


def total_faults(pairs: Iterable[PairTarget], situation: Situation, limits: RiskConfig) -> Iterable[Reason]:
    """Yield codes of all targets together: exposure, leverage, distance to liquidation."""
    pairs = list(pairs)
    gross = sum(map(_gross, pairs))
    if not gross <= limits.max_total_exposure:
        yield Reason.TOTAL_EXPOSURE
    longs = _leverage(sum(max(weight, 0.0) for pair in pairs for weight in pair.weights), situation.account)
    shorts = _leverage(sum(max(-weight, 0.0) for pair in pairs for weight in pair.weights), situation.account)
    if not longs + shorts <= limits.max_leverage:
        yield Reason.LEVERAGE
    elif not liquidation_distance(longs, shorts, limits.maintenance_margin) >= limits.min_liquidation_distance:
        yield Reason.LIQUIDATION


def cap_scale(pairs: Iterable[PairTarget], control: Control | None) -> float:
    """Return the factor that brings gross exposure down to the operator's cap: 1 where it is met already."""
    cap = control.max_exposure if control is not None else None
    gross = sum(map(_gross, pairs))
    return 1.0 if cap is None or gross <= cap else cap / gross


def too_small(pair: PairTarget, situation: Situation, limits: RiskConfig) -> bool:
    """Return whether a leg that is to be held is below the venue's smallest notional: then neither leg is held."""
    capital = situation.account.start_equity if situation.account is not None else situation.capital
    return any(weight != 0.0 and not abs(weight) * capital >= limits.min_notional for weight in pair.weights)


def symbol_exposure(pairs: Iterable[PairTarget]) -> dict[str, float]:
    """Return the gross exposure of every symbol over all pairs."""
    exposure: dict[str, float] = {}
    for pair in pairs:
        for symbol, weight in zip(pair.symbols, pair.weights, strict=True):
            exposure[symbol] = exposure.get(symbol, 0.0) + abs(weight)
    return exposure


def _open(codes: Iterable[Reason]) -> bool:
    return all(code == Reason.HELD for code in codes)


def _gross(pair: PairTarget) -> float:
    return abs(pair.weights[0]) + abs(pair.weights[1])


def _leverage(gross: float, account: AccountView | None) -> float:
    """Return gross notional over equity now; infinite where equity is gone."""
    if account is None or gross == 0.0:
        return gross
    return gross * account.start_equity / account.equity if account.equity > 0.0 else float("inf")


def _imbalance(pair: PairTarget) -> float:
    """Return how far the second leg is from hedging the first."""
    return abs(pair.weights[1] + pair.hedge_ratio * pair.weights[0])


def _scaled(pair: PairTarget, scale: float) -> PairTarget:
    weight_y, weight_x = pair.weights
    return pair if scale == 1.0 else replace(pair, weights=(weight_y * scale, weight_x * scale))
