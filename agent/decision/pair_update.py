"""From closed bars to what a decision may know: the features' recursion and the ledger, one pair at a time. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from agent.feed.market import PUBLISHED_WITHIN, Slice, Wanted, missing_bars, settlement_due
from agent.state.memory import FollowedPair, Settlements
from agent.state.pair_ledger import Fill, PairLedger, Pending, fill, flatten, funding_paid, hold
from perpfut_lib.accounting import Costs
from perpfut_lib.features import AssetBar, FeatureSpec, FeatureState, known_funding, step
from perpfut_lib.store.panel import FundingEvents
from perpfut_lib.types import Float2D

KEPT_SETTLEMENTS = 4  # the features look at two; the others are for those that appear late


@dataclass(frozen=True)
class UpdateRules:
    """What is the same for all pairs and ticks."""

    spec: FeatureSpec
    """Features that the policy sees."""
    costs: Costs
    """What the ledger charges."""
    timeframe: int
    """Length of a bar, ms."""


@dataclass(frozen=True)
class UpdatedPair:
    """One pair at a decision."""

    followed: FollowedPair
    """Up to the last settled bar; everything decided so far is booked."""
    window: Float2D
    """Raw features of the last bars, oldest first, (lookback, F)."""
    marks: tuple[float, float]
    """Last closes of legs y and x."""
    funding_rates: tuple[float, float]
    """Latest funding rates of legs y and x."""


def wanted(followed: FollowedPair, until: int, timeframe: int) -> dict[str, Wanted]:
    """Return what to ask of both symbols for a decision at ``until``: bars after the last settled one."""
    overlap = min(followed.checked, until - PUBLISHED_WITHIN)
    since = overlap + 1 if settlement_due(followed.checked, until) else None
    return {symbol: Wanted(followed.state.time + timeframe, since) for symbol in followed.legs}


def merged(asked: Sequence[Mapping[str, Wanted]]) -> dict[str, Wanted]:
    """Return one request per symbol that covers all of ``asked``."""
    union: dict[str, Wanted] = {}
    for symbol, ask in (item for requests in asked for item in requests.items()):
        held = union.setdefault(symbol, ask)
        since = [time for time in (held.settlements_since, ask.settlements_since) if time is not None]
        union[symbol] = Wanted(min(held.bars_since, ask.bars_since), min(since, default=None))
    return union


def update_pair(
    followed: FollowedPair, slices: Mapping[str, Slice], until: int, rules: UpdateRules
) -> UpdatedPair | None:
    """Step over the bars that closed by ``until`` and book the decisions that they filled.

    Parameters
    ----------
    followed : FollowedPair
        As the last tick left it.
    slices : mapping
        Data by symbol.
    until : int
        Time of the decision: close of the last bar, ms UTC.
    rules : UpdateRules
        Features, costs, timeframe.

    Returns
    -------
    UpdatedPair or None
        None if a bar is missing: nothing is stepped over and nothing filled in.
    """
    opens = range(followed.state.time + rules.timeframe, until, rules.timeframe)
    if not opens or not _complete(followed, slices, opens):
        return None
    bars = {symbol: _rows(slices[symbol].bars, opens) for symbol in followed.legs}
    known = {symbol: known_settlements(followed.settlements[symbol], slices[symbol]) for symbol in followed.legs}
    settled, newest = _walk(followed, bars, known, rules)
    legs = [bars[symbol] for symbol in followed.legs]
    moved = replace(
        followed,
        state=settled,
        settlements={symbol: events[-KEPT_SETTLEMENTS:] for symbol, events in known.items()},
        checked=until if settlement_due(followed.checked, until) else followed.checked,
        closes=followed.closes if len(opens) == 1 else (float(legs[0][-2, 4]), float(legs[1][-2, 4])),
        marks=(float(legs[0][-1, 4]), float(legs[1][-1, 4])),
        ledger=_ledger_after(followed, (legs[0], legs[1]), known, until, rules),
        queue=(),
    )
    rates = [events[-1][1] if events else 0.0 for events in (known[symbol] for symbol in followed.legs)]
    return UpdatedPair(moved, newest.pairs[followed.pair].window, moved.marks, (rates[0], rates[1]))


def _complete(followed: FollowedPair, slices: Mapping[str, Slice], opens: range) -> bool:
    """Return whether both legs have every bar that opened at ``opens``."""
    return all(symbol in slices and not missing_bars(slices[symbol].bars, opens) for symbol in followed.legs)


def _rows(bars: Float2D, opens: range) -> Float2D:
    return bars[np.isin(bars[:, 0], np.array(opens, np.float64))]


def known_settlements(held: Settlements, fresh: Slice) -> Settlements:
    """Return settlements held and fetched, in order, each time once."""
    times = {time: rate for time, rate in held}
    times |= {int(time): float(rate) for time, rate in fresh.settlements}
    return tuple(sorted(times.items()))


def _walk(
    followed: FollowedPair, bars: Mapping[str, Float2D], known: Mapping[str, Settlements], rules: UpdateRules
) -> tuple[FeatureState, FeatureState]:
    """Return the recursion after the last bar but one, and after the last one."""
    rows = {symbol: asset_rows(bars[symbol], known[symbol], rules.timeframe) for symbol in followed.legs}
    settled = newest = followed.state
    for number, open_time in enumerate(bars[followed.legs[0]][:, 0]):
        settled = newest
        at_once = {symbol: AssetBar(*rows[symbol][number].tolist()) for symbol in followed.legs}
        newest, _ = step(rules.spec, newest, int(open_time), at_once)
    return settled, newest


def asset_rows(bars: Float2D, known: Settlements, timeframe: int) -> Float2D:
    """Return bars (n, 6) as rows of :class:`AssetBar`, (n, 8), with the funding known at each close."""
    events = FundingEvents(
        np.array([time for time, _ in known], np.int64), np.array([rate for _, rate in known], np.float64)
    )
    funding = known_funding(events, bars[:, 0].astype(np.int64) + timeframe)
    return np.ascontiguousarray(np.column_stack([bars[:, 1:], *funding]))


def _ledger_after(
    followed: FollowedPair,
    legs: tuple[Float2D, Float2D],
    known: Mapping[str, Settlements],
    until: int,
    rules: UpdateRules,
) -> PairLedger:
    """Return the ledger with every decision before ``until`` booked.

    A bar without a decision (the agent was not there) holds while its last signal was valid, then the executor is flat.
    """
    timeframe, ledger = rules.timeframe, followed.ledger
    decisions = {pending.time: pending for pending in followed.queue}
    row = {int(open_time): number for number, open_time in enumerate(legs[0][:, 0])}
    closes = [_closes(followed, leg, side) for side, leg in enumerate(legs)]
    while ledger.time < until:
        number, end = row[ledger.time], ledger.time + timeframe
        tables = [np.array(known[symbol], np.float64).reshape(-1, 2) for symbol in followed.legs]
        paid = [funding_paid(tables[side], closes[side], ledger.time, end, timeframe) for side in (0, 1)]
        met = Fill((float(legs[0][number, 1]), float(legs[1][number, 1])), (paid[0], paid[1]))
        ledger = _book_decision(ledger, decisions.get(ledger.time), met, followed.expires_at, rules)
    return ledger


def _book_decision(
    ledger: PairLedger, pending: Pending | None, met: Fill, expires_at: int, rules: UpdateRules
) -> PairLedger:
    if pending is not None:
        return fill(ledger, pending, met, rules.costs, rules.timeframe)
    if ledger.time >= expires_at:
        return flatten(ledger, met.prices, rules.costs, rules.timeframe)
    return hold(ledger, met, rules.timeframe)


def _closes(followed: FollowedPair, leg: Float2D, side: int) -> dict[int, float]:
    """Return closes by open time, that of the last settled bar included."""
    return {followed.state.time: followed.closes[side]} | {int(row[0]): float(row[4]) for row in leg}


def spread_z(followed: FollowedPair, marks: tuple[float, float]) -> float:
    """Return the spread at ``marks`` in standard deviations of the formation window; NaN for impossible prices."""
    pair = followed.state.pairs[followed.pair].pair
    if not (marks[0] > 0.0 and marks[1] > 0.0):
        return math.nan
    spread = math.log(marks[0]) - pair.alpha - pair.beta * math.log(marks[1])
    return (spread - pair.spread_mean) / pair.spread_std
