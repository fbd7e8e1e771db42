"""Which pairs a tick follows, what it needs of the market for them, and where that brings them."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from agent.decision.context import Desk
from agent.decision.pair_update import Advanced, advance, merged, wanted
from agent.feed.market import Slice, missing_bars
from agent.state.memory import Track, start_track
from perpfut_lib.artifacts import ActivePairs, Clocks, Reason, Seen, Tolerance, Verdict, assess
from perpfut_lib.artifacts.contract import Part
from perpfut_lib.errors import ArtifactError, ExchangeError, PerpfutError

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


def resolve(desk: Desk, bar_close: int, now: int) -> tuple[Window | None, list[Reason]]:
    """Return the pairs that may be traded at ``bar_close``, and what is wrong if there are none."""
    if desk.brain is None:
        return None, [Reason.POLICY_MISMATCH]
    try:
        document, digest = desk.active_pairs()
        verdict, seen = _judged(document, digest, desk, now)
        if verdict not in (Verdict.FRESH, Verdict.EXPIRED) or document.timeframe != desk.timeframe:
            raise ArtifactError(f"active pairs that are {verdict}", "fresh ones of this timeframe", "run the slow tick")
        window = _window(document, seen)
        current_tracks(desk, window)
    except PerpfutError as error:
        log.warning("no active pairs", extra={"cause": str(error)})
        return None, [Reason.PAIRS_UNREADABLE]
    if not document.valid_from <= bar_close < document.valid_until:
        return None, [Reason.PAIRS_EXPIRED]
    return window, []


def current_tracks(desk: Desk, window: Window | None) -> dict[str, Track]:
    """Return the tracks that a tick follows: those remembered, and new ones for pairs selected since.

    Raises
    ------
    ArtifactError
        The active pairs are not those of ``window`` any more, or a pair's filter state cannot be read.
    """
    memory = desk.memory
    if window is None or desk.brain is None:
        return dict(memory.tracks)
    document = desk.pairs_by_digest(window.digest)
    tracks = {}
    for pair in document.pairs:
        held = memory.tracks.get(pair.pair)
        same = held is not None and held.valid_from == document.valid_from
        tracks[pair.pair] = (
            held if held is not None and same else start_track(pair, document.valid_from, desk.brain.spec)
        )
    return tracks


def fetch(desk: Desk, tracks: Mapping[str, Track], bar_close: int) -> dict[str, Slice]:
    """Return the market data of all tracks; while a bar is missing ask again, as long as patience lasts."""
    ask = merged([wanted(track, bar_close, desk.timeframe) for track in tracks.values()])
    if not ask:
        return {}
    settings = desk.profile.agent
    deadline = settings.deadline_ms / 1000
    slices = desk.market.fetch(ask, bar_close, deadline)
    for _ in range(settings.patience_ms // settings.poll_ms):
        lacking = {symbol: want for symbol, want in ask.items() if not _complete(slices, symbol, bar_close, desk)}
        if not lacking or desk.clock.wait(settings.poll_ms):
            break
        slices |= desk.market.fetch(lacking, bar_close, deadline)
    return slices


def clock_fault(desk: Desk, now: int) -> list[Reason]:
    """Return a fault where this machine's clock and the exchange's are too far apart."""
    try:
        apart = abs(desk.market.now() - now)
    except ExchangeError as error:
        log.warning("no exchange time", extra={"cause": str(error)})
        return []
    return [Reason.CLOCK] if apart > desk.profile.agent.max_clock_skew_ms else []


def advanced(desk: Desk, window: Window | None, slices: Mapping[str, Any], bar_close: int) -> dict[str, Advanced]:
    """Return every track whose bars are complete, at the decision, from ``slices`` as JSON; worked out once a tick."""
    if desk.brain is None:
        return {}
    if bar_close not in desk.scratch:
        held, ground = slices_from_json(slices), desk.ground
        moved = {name: advance(track, held, bar_close, ground) for name, track in current_tracks(desk, window).items()}
        desk.scratch[bar_close] = {name: pair for name, pair in moved.items() if pair is not None}
    return desk.scratch[bar_close]


def slices_to_json(slices: Mapping[str, Slice]) -> dict[str, Any]:
    """Return market data as plain lists, for checkpoints."""
    return {
        name: {"bars": part.bars.tolist(), "settlements": part.settlements.tolist()} for name, part in slices.items()
    }


def slices_from_json(tree: Mapping[str, Any]) -> dict[str, Slice]:
    """Read what :func:`slices_to_json` wrote, to the same bits."""
    return {
        name: Slice(
            np.array(part["bars"], np.float64).reshape(-1, 6), np.array(part["settlements"], np.float64).reshape(-1, 2)
        )
        for name, part in tree.items()
    }


def _complete(slices: Mapping[str, Slice], symbol: str, bar_close: int, desk: Desk) -> bool:
    newest = bar_close - desk.timeframe
    return symbol in slices and not missing_bars(slices[symbol].bars, [newest])


def _judged(document: ActivePairs, digest: str, desk: Desk, now: int) -> tuple[Verdict, Seen]:
    clocks = Clocks(now, desk.clock.monotonic())
    tolerance = Tolerance(skew=desk.profile.agent.skew_ms, max_age=UNBOUNDED)
    return assess(document, document.valid_until, desk.memory.pairs_seen, clocks, tolerance, digest)


def _window(document: ActivePairs, seen: Seen) -> Window:
    pvalues = {pair.pair: pair.pvalue_now for pair in document.pairs}
    return Window(
        seq=seen.seq, digest=seen.digest, valid_from=document.valid_from, slots=document.slots, pvalues=pvalues
    )
