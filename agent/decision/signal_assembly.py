"""The result of a tick: its signal, and the memory that the next tick starts from. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from agent.decision.context import TickContext
from agent.decision.followed_pairs import Window
from agent.decision.pair_decisions import PairDecision
from agent.decision.pair_update import UpdatedPair
from agent.decision.risk import PairTarget, RiskResult
from agent.decision.standing_orders import Orders
from agent.state.memory import Capital, FollowedPair, Memory, decided
from agent.state.pair_ledger import Pending
from perpfut_lib.artifacts import Leg, PairReport, Reason, Seen, Signal
from perpfut_lib.artifacts.contract import SCHEMA_VERSION
from perpfut_lib.types import JsonObject

FLAT = (0.0, 0.0)


@dataclass(frozen=True)
class Proposal:
    """Results of the nodes before."""

    bar_close: int
    created_at: int
    window: Window | None
    """None: no pair may be traded."""
    followed: Mapping[str, FollowedPair]
    """Pairs that the tick follows, as the last tick left them."""
    moved: Mapping[str, UpdatedPair]
    """Those whose bars were complete."""
    decisions: Mapping[str, PairDecision]
    targets: Mapping[str, PairTarget]
    """What was proposed to risk."""
    risk_result: RiskResult
    orders: Orders


def assemble_signal(context: TickContext, proposal: Proposal) -> Memory:
    """Return the memory after the tick, its signal included."""
    memory = context.memory
    # A tick that comes too late is flat: its signal has run out when it is written.
    expires_at = max(context.expiry(proposal.bar_close), proposal.created_at + 1)
    signal = _signal(context, proposal, expires_at)
    followed_pairs = {
        name: decided(_latest(name, proposal), _pending(name, proposal), expires_at) for name in proposal.followed
    }
    expired = proposal.window is None and Reason.PAIRS_EXPIRED in proposal.risk_result.overall
    control, window = proposal.orders.control, proposal.window
    return Memory(
        seq=signal.seq,
        bar_close=signal.bar_close,
        control_seq=max(memory.control_seq, control.seq if control else -1),
        pairs_seen=Seen(window.seq, window.digest) if window else memory.pairs_seen,
        capital=capital_at(memory, window, proposal.moved, proposal.orders),
        followed_pairs={} if expired else followed_pairs,
        signal=signal,
    )


def capital_at(memory: Memory, window: Window | None, moved: Mapping[str, UpdatedPair], orders: Orders) -> Capital:
    """Return the agent's own portfolio at the marks; a new window starts from the equity that the last one ended at."""
    capital, reported = memory.capital, orders.snapshot.equity if orders.snapshot else None
    if window is None:
        return capital
    if window.valid_from != capital.window:
        update = {"base": capital.equity, "window": window.valid_from, "account_start": reported}
        capital = capital.model_copy(update=update)
    elif capital.account_start is None:
        capital = capital.model_copy(update={"account_start": reported})
    books = {name: (followed.ledger, followed.marks) for name, followed in memory.followed_pairs.items()}
    books |= {name: (pair.followed.ledger, pair.marks) for name, pair in moved.items()}
    gained = sum(ledger.equity(marks) - 1.0 for ledger, marks in books.values() if ledger.time >= window.valid_from)
    equity = capital.base * (1.0 + gained / window.slots)
    return capital.model_copy(update={"equity": equity, "peak": max(capital.peak, equity)})


def failed(context: TickContext, bar_close: int) -> Memory:
    """Return the memory after a tick that could not be finished: everything flat."""
    memory, now = context.memory, context.clock.wall()
    expires_at = max(context.expiry(bar_close), now + 1)
    flat = {
        name: decided(followed, Pending(time=bar_close, weights=FLAT, marks=followed.marks), expires_at)
        for name, followed in memory.followed_pairs.items()
    }
    reports = [PairReport(pair=name, action=None, status="flat", reasons=(Reason.TICK_FAILED,)) for name in flat]
    signal = Signal(
        **_head(context, now),
        bar_close=bar_close,
        expires_at=expires_at,
        kill=False,
        legs=(),
        pairs=tuple(reports),
        reasons=(Reason.TICK_FAILED,),
    )
    return replace(memory, seq=signal.seq, bar_close=bar_close, followed_pairs=flat, signal=signal)


def _signal(context: TickContext, proposal: Proposal, expires_at: int) -> Signal:
    inputs = {"active_pairs": proposal.window.digest} if proposal.window else {}
    legs = [leg for name in proposal.targets for leg in _legs(name, proposal, context.memory.signal)]
    return Signal(
        **_head(context, proposal.created_at, **inputs),
        bar_close=proposal.bar_close,
        expires_at=expires_at,
        kill=proposal.risk_result.kill,
        legs=tuple(legs),
        pairs=tuple(_report(name, proposal) for name in proposal.targets),
        reasons=proposal.risk_result.overall,
    )


def _head(context: TickContext, created_at: int, **inputs: str) -> JsonObject:
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "signal",
        "seq": context.memory.seq + 1,
        "run_id": context.run_id,
        "created_at": created_at,
        "provenance": context.provenance(**inputs),
    }


def _latest(name: str, proposal: Proposal) -> FollowedPair:
    return proposal.moved[name].followed if name in proposal.moved else proposal.followed[name]


def _status(name: str, proposal: Proposal) -> Literal["active", "held", "flat"]:
    target = proposal.targets.get(name)
    if target is None or name in proposal.risk_result.closed:
        return "flat"
    return "held" if target.held else "active"


def _pending(name: str, proposal: Proposal) -> Pending:
    """Return the decision as the ledger is to book it."""
    marks, status = _latest(name, proposal).marks, _status(name, proposal)
    if status == "held":
        return Pending(time=proposal.bar_close, weights=None, marks=marks)
    if status == "flat":
        return Pending(time=proposal.bar_close, weights=FLAT, marks=marks)
    (weight_y, weight_x), scale = proposal.decisions[name].weights, proposal.risk_result.scale
    return Pending(time=proposal.bar_close, weights=(weight_y * scale, weight_x * scale), marks=marks)


def _legs(name: str, proposal: Proposal, last: Signal | None) -> list[Leg]:
    """Return both legs; those that are held repeat the last signal's, so that their units stay."""
    target, marks = proposal.targets[name], _latest(name, proposal).marks
    if _status(name, proposal) == "held" and proposal.risk_result.scale == 1.0:
        return [leg for leg in (last.legs if last else ()) if leg.pair == name]
    weights = proposal.risk_result.weights[name]
    return [
        Leg(pair=name, symbol=symbol, weight=weight, price=price)
        for symbol, weight, price in zip(target.symbols, weights, marks, strict=True)
    ]


def _report(name: str, proposal: Proposal) -> PairReport:
    decision = proposal.decisions.get(name)
    action = decision.action if decision is not None else None
    reasons = proposal.risk_result.reasons[name]
    return PairReport(pair=name, action=action, status=_status(name, proposal), reasons=reasons)
