"""Orders and reports at the start of a tick: from the operator, the governor and the execution side."""

import logging

from agent.decision.context import TickContext
from agent.decision.risk import AccountView
from agent.state.memory import Capital
from perpfut_lib.artifacts import Control, GovernorOrder, PerfSnapshot
from perpfut_lib.artifacts.contract import Part
from perpfut_lib.errors import MissingInputError, PerpfutError

log = logging.getLogger(__name__)


class Orders(Part):
    """Everything that was read before the pairs."""

    control: Control | None
    """The operator's file; none where it is missing, unreadable or older than one seen before."""
    governor_mode: str | None
    """``run`` or ``pause``; none where the governor's file is unreadable. No governor means ``run``."""
    snapshot: PerfSnapshot | None
    """What the execution side reported, if it is current."""


def read_orders(context: TickContext, now: int) -> Orders:
    """Read all three files; a fault in one of them forbids trading, but never stops the tick."""
    return Orders(control=_control(context), governor_mode=_governor(context, now), snapshot=_snapshot(context, now))


def account_view(orders: Orders, capital: Capital) -> AccountView | None:
    """Return the account as risk sees it; its start equity is the first one reported in the window."""
    snapshot = orders.snapshot
    if snapshot is None:
        return None
    start = capital.account_start if capital.account_start is not None else snapshot.equity
    gaps = [abs(position.quantity - position.target) * position.mark for position in snapshot.positions]
    imbalance = max(gaps, default=0.0) / snapshot.equity if snapshot.equity > 0.0 else float("inf")
    return AccountView(snapshot.equity, start, snapshot.drawdown(), imbalance)


def _control(context: TickContext) -> Control | None:
    try:
        control = context.folder.read(Control)
    except PerpfutError as error:
        log.warning("no control", extra={"cause": str(error)})
        return None
    if control.seq < context.memory.control_seq:
        log.warning("an old control came back", extra={"seq": control.seq, "seen": context.memory.control_seq})
        return None
    return control.model_copy(update={"note": ""})  # for people; checkpoints and traces need not carry it


def _governor(context: TickContext, now: int) -> str | None:
    try:
        order = context.folder.read(GovernorOrder)
    except MissingInputError:
        return "run"
    except PerpfutError as error:
        log.warning("no governor", extra={"cause": str(error)})
        return None
    return "run" if order.mode == "pause" and order.until <= now else order.mode


def _snapshot(context: TickContext, now: int) -> PerfSnapshot | None:
    try:
        snapshot = context.folder.read(PerfSnapshot)
    except MissingInputError:
        return None
    except PerpfutError as error:
        log.warning("no performance", extra={"cause": str(error)})
        return None
    age = now - snapshot.created_at
    current = -context.profile.agent.skew_ms <= age < context.profile.agent.risk.max_performance_age
    return snapshot if current else None
