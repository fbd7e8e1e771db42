"""The slow tick: which pairs to trade, by the screen of the study, and whether they are still cointegrated.

At the start of a trading window (or when the governor asks) pairs are selected on the formation window before it; in
between the active pairs are tested again. Candles and recursions travel by the history on disk, not by the state.
"""

import logging
from collections.abc import Iterable
from typing import Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agent.decision.context import TickContext
from agent.selection.history import History, SymbolHistory
from agent.selection.pair_selection import Span, opened, retested, screen, trading_span
from perpfut_lib.artifacts import ActivePair, ActivePairs, Control, GovernorOrder
from perpfut_lib.artifacts.contract import SCHEMA_VERSION
from perpfut_lib.errors import MissingInputError, PerpfutError
from perpfut_lib.types import JsonObject

log = logging.getLogger(__name__)

SPARE_BARS = 3


class SlowState(TypedDict, total=False):
    """What travels between the nodes, all of it plain JSON."""

    bar_close: int
    """Bar to select on, ms UTC."""
    created_at: int
    """Wall clock when the tick began."""
    reselect_seq: int
    """The governor's requests so far."""
    mode: Literal["select", "retest"]
    """Select pairs, or test the active ones again."""
    symbols: list[str]
    """Symbols to choose from."""
    screened: JsonObject
    """What the screen found."""


def load_control(state: SlowState, runtime: Runtime[TickContext]) -> SlowState:
    """Read what the governor asks for."""
    context = runtime.context
    return {"created_at": context.clock.wall(), "reselect_seq": _requests(context)}


def plan(state: SlowState, runtime: Runtime[TickContext]) -> SlowState:
    """Choose between selecting and testing again, and the symbols for it."""
    context = runtime.context
    symbols = _allowed(context, _universe(context))
    return {"mode": _mode(context, state["bar_close"], state["reselect_seq"]), "symbols": symbols}


def refresh_history(state: SlowState, runtime: Runtime[TickContext]) -> SlowState:
    """Fetch every symbol's new bars; a symbol that gives no answer keeps its history."""
    context, until = runtime.context, state["bar_close"]
    spec = context.rules.spec
    store = History(context.folder.history, spec)
    held = store.read()
    since = _first_bar(context, until)
    before = {symbol: held.get(symbol) or SymbolHistory.start(symbol, since, spec) for symbol in state["symbols"]}
    fresh = context.market.fetch({symbol: history.wanted(until) for symbol, history in before.items()}, until)
    keep = context.profile.cointegration.formation // context.timeframe + SPARE_BARS
    moved = {name: before[name].refreshed(name, part, until, keep, context.rules) for name, part in fresh.items()}
    store.write(held | moved)
    log.info("history", extra={"symbols": len(moved), "missing": sorted(set(before) - set(fresh))})
    return {}


def screen_pairs(state: SlowState, runtime: Runtime[TickContext]) -> SlowState:
    """Run the screen on the formation window."""
    context, span = runtime.context, _span(state, runtime.context)
    found = screen(_histories(state, context), span, context.profile, context.timeframe)
    return {"screened": {"rows": list(found.rows), "tested": found.tested, "eligible": list(found.eligible)}}


def open_pairs(state: SlowState, runtime: Runtime[TickContext]) -> SlowState:
    """Warm the features of the selected pairs and publish them."""
    context, span, histories = runtime.context, _span(state, runtime.context), _histories(state, runtime.context)
    pairs = [opened(row, histories, span, context.rules) for row in state["screened"]["rows"]]
    tested = int(state["screened"]["tested"])
    window = {"valid_from": span.start, "valid_until": span.end, "tested": tested}
    _publish(context, state, tuple(pairs), window)
    return {}


def retest_pairs(state: SlowState, runtime: Runtime[TickContext]) -> SlowState:
    """Test the active pairs on the latest formation length and publish the results."""
    context, histories = runtime.context, _histories(state, runtime.context)
    active, _ = context.active_pairs()
    settings, now = context.profile.cointegration, state["bar_close"]
    pairs = [retested(pair, histories, now, settings, context.timeframe) for pair in active.pairs]
    window = {"valid_from": active.valid_from, "valid_until": active.valid_until, "tested": active.tested}
    _publish(context, state, tuple(pairs), window)
    return {}


def what_to_do(state: SlowState) -> Literal["screen_pairs", "retest_pairs"]:
    """Select or test again."""
    return "screen_pairs" if state["mode"] == "select" else "retest_pairs"


def slow_tick_graph() -> StateGraph[SlowState, TickContext, SlowState, SlowState]:
    """Return the graph; compile it with or without a checkpointer."""
    graph = StateGraph(SlowState, context_schema=TickContext)
    graph.add_node("load_control", load_control)
    graph.add_node("plan", plan)
    graph.add_node("refresh_history", refresh_history)
    graph.add_node("screen_pairs", screen_pairs)
    graph.add_node("open_pairs", open_pairs)
    graph.add_node("retest_pairs", retest_pairs)
    graph.add_edge(START, "load_control")
    graph.add_edge("load_control", "plan")
    graph.add_edge("plan", "refresh_history")
    graph.add_conditional_edges("refresh_history", what_to_do)
    graph.add_edge("screen_pairs", "open_pairs")
    graph.add_edge("open_pairs", END)
    graph.add_edge("retest_pairs", END)
    return graph


def selection_due(context: TickContext, bar_close: int) -> bool:
    """Return whether no pairs are selected for the window that ``bar_close`` lies in."""
    active = _active(context)
    return active is None or not active.valid_from <= bar_close < active.valid_until


def _mode(context: TickContext, bar_close: int, reselect_seq: int) -> Literal["select", "retest"]:
    asked = reselect_seq > _answered(context)
    return "select" if asked or selection_due(context, bar_close) else "retest"


def _active(context: TickContext) -> ActivePairs | None:
    """Return the active pairs on disk, or none where they cannot be read."""
    try:
        return context.active_pairs()[0]
    except PerpfutError as error:
        level = logging.INFO if isinstance(error, MissingInputError) else logging.WARNING  # before the first selection
        log.log(level, "no active pairs", extra={"cause": str(error)})
        return None


def _answered(context: TickContext) -> int:
    active = _active(context)
    return active.reselect_seq if active is not None else 0


def _requests(context: TickContext) -> int:
    try:
        return context.folder.read(GovernorOrder).reselect_seq
    except PerpfutError:
        return _answered(context)


def _allowed(context: TickContext, symbols: Iterable[str]) -> list[str]:
    """Return the symbols that the operator allows; an unreadable control file closes the fast tick, not this one."""
    try:
        control = context.folder.read(Control)
    except PerpfutError:
        return sorted(symbols)
    chosen = set(symbols) - set(control.deny)
    return sorted(chosen if control.allow is None else chosen & set(control.allow))


def _universe(context: TickContext) -> tuple[str, ...]:
    """Return the symbols to choose from that are listed now."""
    named, listed = context.profile.agent.symbols, context.market.symbols()
    return listed if named is None else tuple(symbol for symbol in named if symbol in listed)


def _first_bar(context: TickContext, until: int) -> int:
    """Return where a symbol's history begins."""
    if context.history_from is not None:
        return context.history_from
    length = context.profile.cointegration.formation + context.profile.agent.warmup
    return (until - length) // context.timeframe * context.timeframe


def _span(state: SlowState, context: TickContext) -> Span:
    return trading_span(state["bar_close"], context.profile.cointegration)


def _histories(state: SlowState, context: TickContext) -> dict[str, SymbolHistory]:
    held = History(context.folder.history, context.rules.spec).read()
    return {symbol: held[symbol] for symbol in state["symbols"] if symbol in held}


def _publish(context: TickContext, state: SlowState, pairs: tuple[ActivePair, ...], window: JsonObject) -> None:
    document = ActivePairs(
        schema_version=SCHEMA_VERSION,
        kind="active_pairs",
        seq=_next_seq(context),
        run_id=context.run_id,
        created_at=state["created_at"],
        bar_close=state["bar_close"],
        timeframe=context.timeframe,
        slots=context.profile.cointegration.top,
        reselect_seq=state["reselect_seq"],
        pairs=pairs,
        provenance=context.provenance(),
        **window,
    )
    context.folder.write(document)
    log.info("active pairs", extra={"seq": document.seq, "pairs": [pair.pair for pair in pairs], **window})


def _next_seq(context: TickContext) -> int:
    """Return a number above every one given before: of the document on disk, and of those that the fast tick saw."""
    active, seen = _active(context), context.memory.pairs_seen.seq
    if active is None and seen < 0:
        return context.clock.wall()
    return max(seen, active.seq if active is not None else 0) + 1
