"""The fast tick: one signal for one closed bar.

Nodes are thin; what they call is pure. State is plain JSON, so that a checkpoint after every node is small and safe to
read back. Nothing outside the checkpoints changes until the last node commits the memory, which holds the signal.
"""

from typing import Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agent.decision import followed_pairs as tracks
from agent.decision.context import Desk
from agent.decision.followed_pairs import Window
from agent.decision.pair_decisions import PairDecision, decidable, decisions, held_target, target_of
from agent.decision.pair_update import Advanced, spread_z
from agent.decision.publication import commit
from agent.decision.risk import PairTarget, Situation, Verdict, check
from agent.decision.signal_assembly import Proposal, capital_at, conclude
from agent.decision.standing_orders import Orders, account_view, read_orders
from agent.state.memory import Track
from perpfut_lib.artifacts import Reason


class FastState(TypedDict, total=False):
    """What travels between the nodes, all of it plain JSON."""

    bar_close: int
    """Bar to decide on, ms UTC."""
    created_at: int
    """Wall clock when the tick began; a tick that is resumed keeps it, and so its signal."""
    orders: dict[str, Any]
    """What the operator, the governor and the execution side said."""
    window: dict[str, Any] | None
    """The active pairs, by digest."""
    faults: list[str]
    """What is wrong with the whole tick."""
    slices: dict[str, Any]
    """Market data by symbol."""
    spreads: dict[str, float]
    """Every pair that can be decided on, with its spread in formation standard deviations."""
    decisions: dict[str, Any]
    """What it asked for, by pair."""
    verdict: dict[str, Any]
    """What risk allows, by pair, and why."""


def load_control(state: FastState, runtime: Runtime[Desk]) -> FastState:
    """Read the operator's, the governor's and the execution side's files, and whether the tick comes in time."""
    desk, now = runtime.context, runtime.context.clock.wall()
    faults = [] if now < desk.expiry(state["bar_close"]) else [Reason.TOO_LATE.value]
    return {"created_at": now, "orders": read_orders(desk, now).model_dump(mode="json"), "faults": faults}


def resolve_pairs(state: FastState, runtime: Runtime[Desk]) -> FastState:
    """Read the active pairs."""
    window, faults = tracks.resolve(runtime.context, state["bar_close"], state["created_at"])
    return {"window": window.model_dump() if window else None, "faults": [*state["faults"], *faults]}


def fetch_market(state: FastState, runtime: Runtime[Desk]) -> FastState:
    """Fetch closed bars and settlements of every tracked pair."""
    desk = runtime.context
    followed = tracks.current_tracks(desk, _window(state))
    desk.scratch.clear()
    slices = tracks.fetch(desk, followed, state["bar_close"])
    faults = tracks.clock_fault(desk, desk.clock.wall())
    return {"slices": tracks.slices_to_json(slices), "faults": [*state["faults"], *faults]}


def compute_features(state: FastState, runtime: Runtime[Desk]) -> FastState:
    """Step features and ledger of every pair whose bars are complete.

    They stay on the desk; a tick that is resumed steps them once more from the same data, which is cheaper than to
    carry them through every checkpoint.
    """
    moved = _advanced(state, runtime.context)
    return {"spreads": {name: spread_z(pair.track, pair.marks) for name, pair in moved.items() if decidable(pair)}}


def infer(state: FastState, runtime: Runtime[Desk]) -> FastState:
    """Ask the policy."""
    desk = runtime.context
    moved = {name: pair for name, pair in _advanced(state, desk).items() if name in state["spreads"]}
    answers = decisions(moved, state["bar_close"], desk.brain) if desk.brain is not None else {}
    return {"decisions": {name: answer.model_dump(mode="json") for name, answer in answers.items()}}


def check_risk(state: FastState, runtime: Runtime[Desk]) -> FastState:
    """Find out what may be held."""
    desk = runtime.context
    verdict = check(_targets(state, desk), _situation(state, desk), desk.profile.agent.risk)
    return {"verdict": verdict.to_json()}


def emit_signal(state: FastState, runtime: Runtime[Desk]) -> FastState:
    """Commit the memory with its signal, and publish it."""
    desk, window = runtime.context, _window(state)
    proposal = Proposal(
        bar_close=state["bar_close"],
        created_at=state["created_at"],
        window=window,
        followed=tracks.current_tracks(desk, window),
        moved=_advanced(state, desk),
        decisions=_decisions(state),
        targets={target.pair: target for target in _targets(state, desk)},
        verdict=Verdict.from_json(state["verdict"]),
        orders=_orders(state),
    )
    commit(desk, conclude(desk, proposal))
    return {}


def anything_to_ask(state: FastState) -> Literal["infer", "check_risk"]:
    """Ask the policy only if there is a pair to ask it about."""
    return "infer" if state["spreads"] else "check_risk"


def fast_tick_graph() -> StateGraph[FastState, Desk, FastState, FastState]:
    """Return the graph; compile it with or without a checkpointer."""
    graph = StateGraph(FastState, context_schema=Desk)
    graph.add_node("load_control", load_control)
    graph.add_node("resolve_pairs", resolve_pairs)
    graph.add_node("fetch_market", fetch_market)
    graph.add_node("compute_features", compute_features)
    graph.add_node("infer", infer)
    graph.add_node("check_risk", check_risk)
    graph.add_node("emit_signal", emit_signal)
    graph.add_edge(START, "load_control")
    graph.add_edge("load_control", "resolve_pairs")
    graph.add_edge("resolve_pairs", "fetch_market")
    graph.add_edge("fetch_market", "compute_features")
    graph.add_conditional_edges("compute_features", anything_to_ask)
    graph.add_edge("infer", "check_risk")
    graph.add_edge("check_risk", "emit_signal")
    graph.add_edge("emit_signal", END)
    return graph


def _window(state: FastState) -> Window | None:
    return None if state["window"] is None else Window.model_validate(state["window"], strict=False)


def _orders(state: FastState) -> Orders:
    return Orders.model_validate(state["orders"], strict=False)


def _decisions(state: FastState) -> dict[str, PairDecision]:
    answers = state.get("decisions", {})
    return {name: PairDecision.model_validate(tree, strict=False) for name, tree in answers.items()}


def _advanced(state: FastState, desk: Desk) -> dict[str, Advanced]:
    return tracks.advanced(desk, _window(state), state["slices"], state["bar_close"])


def _situation(state: FastState, desk: Desk) -> Situation:
    orders, window = _orders(state), _window(state)
    capital = capital_at(desk.memory, window, _advanced(state, desk), orders)
    return Situation(
        control=orders.control,
        governor_mode=orders.governor_mode,
        account=account_view(orders, capital),
        capital=desk.profile.agent.capital,
        book_drawdown=capital.drawdown(),
        faults=tuple(Reason(fault) for fault in state["faults"]),
    )


def _targets(state: FastState, desk: Desk) -> list[PairTarget]:
    """Return what is proposed for every pair that may be traded."""
    window, asked = _window(state), _decisions(state)
    if window is None:
        return []
    moved = _advanced(state, desk)
    proposed = []
    for name, track in tracks.current_tracks(desk, window).items():
        if name in asked and desk.brain is not None:
            proposed.append(target_of(name, moved[name], asked[name], window, desk.brain))
        else:
            fault = undecided(track, complete=name in moved, desk=desk)
            proposed.append(held_target(name, track.legs, window, desk.memory.signal, fault))
    return proposed


def undecided(track: Track, *, complete: bool, desk: Desk) -> Reason:
    """Return why a pair was not decided on, which says whether its target may be held."""
    if desk.brain is None:
        return Reason.POLICY_MISMATCH
    if complete:
        return Reason.DATA_INVALID
    if track.expires_at == 0:
        return Reason.DATA_MISSING
    return Reason.HELD if track.waiting < desk.profile.agent.risk.max_held_bars else Reason.DATA_STALE
