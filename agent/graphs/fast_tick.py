"""The fast tick: one signal for one closed bar.

Nodes are thin; what they call is pure. State is plain JSON, so that a checkpoint after every node is small and safe to
read back. Nothing outside the checkpoints changes until the last node commits the memory, which holds the signal.
"""

from typing import Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agent.decision import followed_pairs
from agent.decision.context import TickContext
from agent.decision.followed_pairs import Window
from agent.decision.pair_decisions import PairDecision, decidable, decisions, held_target, target_of
from agent.decision.pair_update import UpdatedPair, spread_z
from agent.decision.publication import commit
from agent.decision.risk import PairTarget, RiskResult, Situation, check
from agent.decision.signal_assembly import Proposal, assemble_signal, capital_at
from agent.decision.standing_orders import Orders, account_view, read_orders
from agent.state.memory import FollowedPair
from perpfut_lib.artifacts import Reason
from perpfut_lib.types import JsonObject


class FastState(TypedDict, total=False):
    """State that the nodes pass on, as plain JSON."""

    bar_close: int
    """Bar to decide on, ms UTC."""
    created_at: int
    """Wall clock when the tick began; a tick that is resumed keeps it, and so its signal."""
    orders: JsonObject
    """What the operator, the governor and the execution side said."""
    window: JsonObject | None
    """The active pairs, by digest."""
    faults: list[str]
    """What is wrong with the whole tick."""
    slices: JsonObject
    """Market data by symbol."""
    spreads: dict[str, float]
    """Every pair that can be decided on, with its spread in formation standard deviations."""
    decisions: JsonObject
    """What it asked for, by pair."""
    risk_result: JsonObject
    """What risk allows, by pair, and why."""


def load_control(state: FastState, runtime: Runtime[TickContext]) -> FastState:
    """Read the operator's, the governor's and the execution side's files, and whether the tick comes in time."""
    context, now = runtime.context, runtime.context.clock.wall()
    faults = [] if now < context.expiry(state["bar_close"]) else [Reason.TOO_LATE.value]
    return {"created_at": now, "orders": read_orders(context, now).model_dump(mode="json"), "faults": faults}


def resolve_pairs(state: FastState, runtime: Runtime[TickContext]) -> FastState:
    """Read the active pairs."""
    window, faults = followed_pairs.resolve(runtime.context, state["bar_close"], state["created_at"])
    return {"window": window.model_dump() if window else None, "faults": [*state["faults"], *faults]}


def fetch_market(state: FastState, runtime: Runtime[TickContext]) -> FastState:
    """Fetch closed bars and settlements of every followed pair."""
    context = runtime.context
    followed = followed_pairs.current_pairs(context, _window(state))
    context.scratch.clear()
    slices = followed_pairs.fetch(context, followed, state["bar_close"])
    faults = followed_pairs.clock_fault(context, context.clock.wall())
    return {"slices": followed_pairs.slices_to_json(slices), "faults": [*state["faults"], *faults]}


def compute_features(state: FastState, runtime: Runtime[TickContext]) -> FastState:
    """Step features and ledger of every pair whose bars are complete.

    They stay in the context; a tick that is resumed steps them once more from the same data, which is cheaper than to
    carry them through every checkpoint.
    """
    moved = _updated(state, runtime.context)
    return {"spreads": {name: spread_z(pair.followed, pair.marks) for name, pair in moved.items() if decidable(pair)}}


def infer(state: FastState, runtime: Runtime[TickContext]) -> FastState:
    """Ask the policy."""
    context = runtime.context
    moved = {name: pair for name, pair in _updated(state, context).items() if name in state["spreads"]}
    answers = decisions(moved, state["bar_close"], context.policy) if context.policy is not None else {}
    return {"decisions": {name: answer.model_dump(mode="json") for name, answer in answers.items()}}


def check_risk(state: FastState, runtime: Runtime[TickContext]) -> FastState:
    """Check the proposed targets against every limit."""
    context = runtime.context
    risk_result = check(_targets(state, context), _situation(state, context), context.profile.agent.risk)
    return {"risk_result": risk_result.to_json()}


def emit_signal(state: FastState, runtime: Runtime[TickContext]) -> FastState:
    """Commit the memory with its signal, and publish it."""
    context, window = runtime.context, _window(state)
    proposal = Proposal(
        bar_close=state["bar_close"],
        created_at=state["created_at"],
        window=window,
        followed=followed_pairs.current_pairs(context, window),
        moved=_updated(state, context),
        decisions=_decisions(state),
        targets={target.pair: target for target in _targets(state, context)},
        risk_result=RiskResult.from_json(state["risk_result"]),
        orders=_orders(state),
    )
    commit(context, assemble_signal(context, proposal))
    return {}


def anything_to_ask(state: FastState) -> Literal["infer", "check_risk"]:
    """Ask the policy only if there is a pair to ask it about."""
    return "infer" if state["spreads"] else "check_risk"


def fast_tick_graph() -> StateGraph[FastState, TickContext, FastState, FastState]:
    """Return the graph; compile it with or without a checkpointer."""
    graph = StateGraph(FastState, context_schema=TickContext)
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


def _updated(state: FastState, context: TickContext) -> dict[str, UpdatedPair]:
    return followed_pairs.update_all(context, _window(state), state["slices"], state["bar_close"])


def _situation(state: FastState, context: TickContext) -> Situation:
    orders, window = _orders(state), _window(state)
    capital = capital_at(context.memory, window, _updated(state, context), orders)
    return Situation(
        control=orders.control,
        governor_mode=orders.governor_mode,
        account=account_view(orders, capital),
        capital=context.profile.agent.capital,
        book_drawdown=capital.drawdown(),
        faults=tuple(Reason(fault) for fault in state["faults"]),
    )


def _targets(state: FastState, context: TickContext) -> list[PairTarget]:
    """Return the proposed target of every pair that may be traded."""
    window, asked = _window(state), _decisions(state)
    if window is None:
        return []
    moved = _updated(state, context)
    proposed = []
    for name, followed in followed_pairs.current_pairs(context, window).items():
        if name in asked and context.policy is not None:
            proposed.append(target_of(name, moved[name], asked[name], window, context.policy))
        else:
            fault = undecided(followed, complete=name in moved, context=context)
            proposed.append(held_target(name, followed.legs, window, context.memory.signal, fault))
    return proposed


def undecided(followed: FollowedPair, *, complete: bool, context: TickContext) -> Reason:
    """Return why there is no decision on a pair; the reason determines whether its target may be held."""
    if context.policy is None:
        return Reason.POLICY_MISMATCH
    if complete:
        return Reason.DATA_INVALID
    if followed.expires_at == 0:
        return Reason.DATA_MISSING
    return Reason.HELD if followed.waiting < context.profile.agent.risk.max_held_bars else Reason.DATA_STALE
