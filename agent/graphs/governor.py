"""The governor: from realised performance to a standing order, by deterministic rules; it neither trains nor trades.

A language model, where one is given, may only annotate: its text is redacted, cut short, and read by people alone.
"""

import logging
from typing import Final, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agent.decision.context import TickContext
from agent.decision.governor_rules import GovernorState, Outcome, govern, raised
from agent.state.sealed_file import read_sealed, write_sealed
from perpfut_lib.artifacts import (
    GovernorOrder,
    Metrics,
    PerfSnapshot,
    Provenance,
    Reason,
    RetrainRequest,
)
from perpfut_lib.artifacts.contract import SCHEMA_VERSION, Part
from perpfut_lib.errors import ArtifactError, MissingInputError, PerpfutError
from perpfut_lib.types import JsonObject

log = logging.getLogger(__name__)

NOTE_LENGTH: Final = 2000


class GovernorMemory(Part):
    """What the governor keeps on disk; its last order is in it, to be written again if that was cut short."""

    seq: int = 0
    """Sequence number of its last order."""
    snapshot_seq: int = -1
    """Newest snapshot taken into account."""
    state: GovernorState = GovernorState()
    """State of its rules."""
    order: GovernorOrder | None = None
    """Its last order."""
    request: RetrainRequest | None = None
    """Its last request for training."""


class GovernorTick(TypedDict, total=False):
    """State that the nodes pass on, as plain JSON."""

    created_at: int
    """Wall clock when the tick began."""
    snapshot: JsonObject | None
    """The newest snapshot, if there is a new one."""
    faults: list[str]
    """What is wrong with the execution side's reports."""
    lost_pairs: float
    """Share of active pairs that lost their cointegration."""
    state: JsonObject
    """State of the rules after this tick."""
    metrics: JsonObject | None
    """The roll-up."""
    actions: list[str]
    """What the rules ask for."""
    note: str
    """Annotation."""


def load_snapshot(state: GovernorTick, runtime: Runtime[TickContext]) -> GovernorTick:
    """Read the execution side's report and the state of the active pairs."""
    context = runtime.context
    now, memory = context.clock.wall(), read_memory(context)
    snapshot, faults = _snapshot(context, memory, now)
    found = snapshot.model_dump(mode="json") if snapshot is not None else None
    faults_found = [fault.value for fault in faults]
    return {"created_at": now, "snapshot": found, "faults": faults_found, "lost_pairs": _lost_pairs(context)}


def apply_rules(state: GovernorTick, runtime: Runtime[TickContext]) -> GovernorTick:
    """Roll up performance, update the alarms, and find the actions that are due."""
    context, memory = runtime.context, read_memory(runtime.context)
    snapshot = PerfSnapshot.model_validate(state["snapshot"], strict=False)
    config = context.profile.agent.governor
    outcome: Outcome = govern(memory.state, snapshot, state["lost_pairs"], state["created_at"], config)
    return {
        "state": outcome.state.model_dump(mode="json"),
        "metrics": outcome.metrics.model_dump(mode="json"),
        "actions": list(outcome.actions),
    }


def annotate(state: GovernorTick, runtime: Runtime[TickContext]) -> GovernorTick:
    """Let a language model describe the tick; its text triggers nothing, and it may fail."""
    annotator = runtime.context.annotator
    if annotator is None or not state["actions"]:
        return {"note": ""}
    facts = {"metrics": state["metrics"], "actions": state["actions"]}
    return {"note": annotator.describe(facts)[:NOTE_LENGTH]}


def write_order(state: GovernorTick, runtime: Runtime[TickContext]) -> GovernorTick:
    """Commit the governor's memory with its order, then publish."""
    context, memory = runtime.context, read_memory(runtime.context)
    after = concluded(memory, state, context.provenance(), context.run_id)
    write_sealed(context.folder.governor_memory, after.model_dump(mode="json"))
    publish_order(context, after)
    return {}


def anything_new(state: GovernorTick) -> Literal["apply_rules", "write_order"]:
    """Run the rules on a new snapshot only."""
    return "apply_rules" if state["snapshot"] is not None else "write_order"


def governor_graph() -> StateGraph[GovernorTick, TickContext, GovernorTick, GovernorTick]:
    """Return the graph; compile it with or without a checkpointer."""
    graph = StateGraph(GovernorTick, context_schema=TickContext)
    graph.add_node("load_snapshot", load_snapshot)
    graph.add_node("apply_rules", apply_rules)
    graph.add_node("annotate", annotate)
    graph.add_node("write_order", write_order)
    graph.add_edge(START, "load_snapshot")
    graph.add_conditional_edges("load_snapshot", anything_new)
    graph.add_edge("apply_rules", "annotate")
    graph.add_edge("annotate", "write_order")
    graph.add_edge("write_order", END)
    return graph


def concluded(memory: GovernorMemory, tick: GovernorTick, provenance: Provenance, run_id: str) -> GovernorMemory:
    """Return the governor's memory after a tick, with its new order. Pure."""
    state = GovernorState.model_validate(tick["state"], strict=False) if "state" in tick else memory.state
    metrics = Metrics.model_validate(tick["metrics"], strict=False) if tick.get("metrics") else None
    head: JsonObject = {
        "schema_version": SCHEMA_VERSION,
        "seq": memory.seq + 1,
        "run_id": run_id,
        "created_at": tick["created_at"],
        "provenance": provenance,
    }
    paused = state.paused_until > tick["created_at"]
    order = GovernorOrder(
        **head,
        kind="governor",
        mode="pause" if paused else "run",
        until=state.paused_until if paused else 0,
        alarms=raised(state),
        reselect_seq=state.reselect_seq,
        metrics=metrics,
        reasons=tuple(Reason(fault) for fault in tick["faults"]),
        note=tick.get("note", ""),
    )
    request = memory.request
    if metrics is not None and "retrain" in tick["actions"]:
        request = RetrainRequest(
            **(head | {"seq": state.retrain_seq}), kind="retrain_request", alarms=raised(state), metrics=metrics
        )
    seen = tick["snapshot"]["seq"] if tick["snapshot"] is not None else memory.snapshot_seq
    return GovernorMemory(seq=order.seq, snapshot_seq=seen, state=state, order=order, request=request)


def read_memory(context: TickContext) -> GovernorMemory:
    """Return the governor's memory; one that cannot be read starts afresh above the last order's number."""
    try:
        return GovernorMemory.model_validate(read_sealed(context.folder.governor_memory), strict=False)
    except MissingInputError:
        return GovernorMemory(seq=_last_seq(context, otherwise=0))
    except (ArtifactError, ValueError) as error:
        log.error("the governor's memory is lost", extra={"cause": str(error)[:300]})
        return GovernorMemory(seq=_last_seq(context, otherwise=context.clock.wall()))


def publish_order(context: TickContext, memory: GovernorMemory) -> None:
    """Write the order and the request that the memory holds, unless they are there already."""
    for document in (memory.request, memory.order):
        if document is not None and _seq_on_disk(context, type(document)) != document.seq:
            context.folder.write(document)


def _seq_on_disk(context: TickContext, model: type[GovernorOrder] | type[RetrainRequest]) -> int:
    try:
        return context.folder.read(model).seq
    except PerpfutError:
        return -1


def _last_seq(context: TickContext, otherwise: int) -> int:
    return max(otherwise, _seq_on_disk(context, GovernorOrder))


def _snapshot(context: TickContext, memory: GovernorMemory, now: int) -> tuple[PerfSnapshot | None, list[Reason]]:
    """Return a snapshot that is new and current, and what is wrong with the reports."""
    try:
        snapshot = context.folder.read(PerfSnapshot)
    except MissingInputError:
        return None, [Reason.PERFORMANCE_STALE] if context.profile.agent.risk.require_performance else []
    except PerpfutError as error:
        log.warning("no performance", extra={"cause": str(error)})
        return None, [Reason.PERFORMANCE_STALE]
    age = now - snapshot.created_at
    if not -context.profile.agent.skew_ms <= age < context.profile.agent.risk.max_performance_age:
        return None, [Reason.PERFORMANCE_STALE]
    return (snapshot if snapshot.seq > memory.snapshot_seq else None), []


def _lost_pairs(context: TickContext) -> float:
    """Return the share of active pairs whose latest p-value is above the limit."""
    limit = context.profile.agent.risk.max_pvalue
    try:
        active, _ = context.active_pairs()
    except PerpfutError:
        return 0.0
    if limit is None or not active.pairs:
        return 0.0
    return sum(pair.pvalue_now > limit for pair in active.pairs) / len(active.pairs)
