"""The pairs that a tick follows, the market data that they need, and their update with it."""

import logging
from collections.abc import Mapping

import numpy as np

from agent.decision.context import TickContext
from agent.decision.pair_update import UpdatedPair, merged, update_pair, wanted
from agent.feed.market import Slice, missing_bars
from agent.state.memory import FollowedPair, start_following
from perpfut_lib.artifacts import ActivePairs, Clocks, Freshness, Reason, Seen, Tolerance, assess
from perpfut_lib.artifacts.contract import Part
from perpfut_lib.errors import ArtifactError, ExchangeError, PerpfutError
from perpfut_lib.types import Json, JsonObject

log = logging.getLogger(__name__)

UNBOUNDED = 2**53  # a window bounds its own document; no monotonic age is needed on top


class Window(Part):
    """The active pairs that a tick goes by."""

    seq: int
    """Sequence number of the document."""
    digest: str
    """SHA-256 of its content: a tick that is resumed under another document starts afresh."""
    valid_from: int
    """Start of the trading window, ms UTC."""
    slots: int
    """Number of pairs that the capital is divided by."""
    pvalues: dict[str, float]
    """Latest p-value by pair."""


def resolve(context: TickContext, bar_close: int, now: int) -> tuple[Window | None, list[Reason]]:
    """Return the pairs that may be traded at ``bar_close``, and what is wrong if there are none."""
    if context.policy is None:
        return None, [Reason.POLICY_MISMATCH]
    try:
        document, digest = context.active_pairs()
        freshness, seen = _judged(document, digest, context, now)
        if freshness not in (Freshness.FRESH, Freshness.EXPIRED) or document.timeframe != context.timeframe:
            raise ArtifactError(
                f"active pairs that are {freshness}", "fresh ones of this timeframe", "run the slow tick"
            )
        window = _window(document, seen)
        current_pairs(context, window)
    except PerpfutError as error:
        log.warning("no active pairs", extra={"cause": str(error)})
        return None, [Reason.PAIRS_UNREADABLE]
    if not document.valid_from <= bar_close < document.valid_until:
        return None, [Reason.PAIRS_EXPIRED]
    return window, []


def current_pairs(context: TickContext, window: Window | None) -> dict[str, FollowedPair]:
    """Return the pairs that a tick follows: those remembered, and those selected since.

    Raises
    ------
    ArtifactError
        The active pairs are not those of ``window`` any more, or a pair's filter state cannot be read.
    """
    memory = context.memory
    if window is None or context.policy is None:
        return dict(memory.followed_pairs)
    document = context.pairs_by_digest(window.digest)
    followed_pairs = {}
    for pair in document.pairs:
        held = memory.followed_pairs.get(pair.pair)
        same = held is not None and held.valid_from == document.valid_from
        followed_pairs[pair.pair] = (
            held if held is not None and same else start_following(pair, document.valid_from, context.policy.spec)
        )
    return followed_pairs


def fetch(context: TickContext, followed_pairs: Mapping[str, FollowedPair], bar_close: int) -> dict[str, Slice]:
    """Return the market data of all followed pairs; ask again for a missing bar until patience runs out."""
    ask = merged([wanted(followed, bar_close, context.timeframe) for followed in followed_pairs.values()])
    if not ask:
        return {}
    settings = context.profile.agent
    deadline = settings.deadline_ms / 1000
    begun = context.clock.monotonic()
    slices = context.market.fetch(ask, bar_close, deadline)
    for _ in range(settings.patience_ms // settings.poll_ms):
        lacking = {symbol: want for symbol, want in ask.items() if not _complete(slices, symbol, bar_close, context)}
        if not lacking or context.clock.wait(settings.poll_ms):
            break
        # Requests that time out use patience up, too: the tick of a silent exchange must not outlast its bar.
        if context.clock.monotonic() - begun > settings.patience_ms:
            break
        slices |= context.market.fetch(lacking, bar_close, deadline)
    return slices


def clock_fault(context: TickContext, now: int) -> list[Reason]:
    """Return a fault where this machine's clock and the exchange's are too far apart."""
    try:
        apart = abs(context.market.now() - now)
    except ExchangeError as error:
        log.warning("no exchange time", extra={"cause": str(error)})
        return []
    return [Reason.CLOCK] if apart > context.profile.agent.max_clock_skew_ms else []


def update_all(
    context: TickContext, window: Window | None, slices: Mapping[str, Json], bar_close: int
) -> dict[str, UpdatedPair]:
    """Return every pair whose bars are complete, at the decision, from ``slices`` as JSON; computed once per tick."""
    if context.policy is None:
        return {}
    if bar_close not in context.scratch:
        held, rules = slices_from_json(slices), context.rules
        moved = {
            name: update_pair(followed, held, bar_close, rules)
            for name, followed in current_pairs(context, window).items()
        }
        context.scratch[bar_close] = {name: pair for name, pair in moved.items() if pair is not None}
    return context.scratch[bar_close]


def slices_to_json(slices: Mapping[str, Slice]) -> JsonObject:
    """Return market data as plain lists, for checkpoints."""
    return {
        name: {"bars": part.bars.tolist(), "settlements": part.settlements.tolist()} for name, part in slices.items()
    }


def slices_from_json(tree: Mapping[str, Json]) -> dict[str, Slice]:
    """Read what :func:`slices_to_json` wrote, to the same bits."""
    return {
        name: Slice(
            np.array(part["bars"], np.float64).reshape(-1, 6), np.array(part["settlements"], np.float64).reshape(-1, 2)
        )
        for name, part in tree.items()
    }


def _complete(slices: Mapping[str, Slice], symbol: str, bar_close: int, context: TickContext) -> bool:
    newest = bar_close - context.timeframe
    return symbol in slices and not missing_bars(slices[symbol].bars, [newest])


def _judged(document: ActivePairs, digest: str, context: TickContext, now: int) -> tuple[Freshness, Seen]:
    clocks = Clocks(now, context.clock.monotonic())
    tolerance = Tolerance(skew=context.profile.agent.skew_ms, max_age=UNBOUNDED)
    return assess(document, document.valid_until, context.memory.pairs_seen, clocks, tolerance, digest)


def _window(document: ActivePairs, seen: Seen) -> Window:
    pvalues = {pair.pair: pair.pvalue_now for pair in document.pairs}
    return Window(
        seq=seen.seq, digest=seen.digest, valid_from=document.valid_from, slots=document.slots, pvalues=pvalues
    )
