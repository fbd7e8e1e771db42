"""The first page as plain JSON: is it alive, is it flat, does it hold what it should, what has it earned."""

from typing import Final

from agent.console.faults import Fault
from agent.console.reading import Reading
from perpfut_lib.artifacts import Control, GovernorOrder, PerfSnapshot, Position, Signal
from perpfut_lib.types import JsonObject

NO_REPORT: Final = {"state": "unknown", "text": "Not known: no report"}
OLD_REPORT: Final = {"state": "unknown", "text": "Not known: the report is old"}


def overview(reading: Reading, wrong: list[Fault]) -> JsonObject:
    """Return the state of an agent for people, with the numbers behind each sentence."""
    report, signal = reading.performance.document, reading.signal.document
    return {
        "time": reading.now,
        "alive": _alive(reading, wrong),
        "flat": _flat(report, wrong),
        "match": _match(report, wrong),
        "earned": _earned(report),
        "faults": [vars(fault) for fault in wrong],
        "orders": orders(reading.control.document),
        "governor": _governor(reading.governor.document),
        "positions": [_position(position, report.equity) for position in report.positions] if report else [],
        "performance": performance(report) if report else None,
        "signal": _signal(signal),
        "report_age_ms": None if report is None else reading.now - report.created_at,
        "health": _health(reading),
        "consequences": {order: consequence(order, report) for order in ("run", "pause", "kill")},
    }


def _health(reading: Reading) -> JsonObject:
    report, signal, ledger = reading.performance.document, reading.signal.document, reading.ledger
    return {
        "heartbeat_ms": reading.heartbeat_ms,
        "data_age_ms": None if signal is None else reading.now - signal.bar_close,
        "delay_ms": None if signal is None else signal.created_at - signal.bar_close,
        "report_age_ms": None if report is None else reading.now - report.created_at,
        "ledger": "differ" if ledger.foreign or ledger.left else "agree" if ledger.turnover else "nothing traded",
        "free_bytes": reading.free_bytes,
    }


def performance(report: PerfSnapshot) -> JsonObject:
    """Return the account's numbers; what was earned is their sum, and costs are shown against it."""
    gross = report.price_pnl + report.funding
    return {
        "time": report.created_at,
        "equity": report.equity,
        "peak": report.peak_equity,
        "drawdown": report.drawdown(),
        "price_pnl": report.price_pnl,
        "funding": report.funding,
        "fees": report.fees,
        "earned": gross - report.fees,
        "fee_cover": gross / report.fees if report.fees else None,
        "slippage_bps": report.slippage_bps,
        "fills": report.fills,
        "rejects": report.rejects,
        "latency_ms": report.fill_latency_ms,
        "gross": report.gross(),
    }


def orders(control: Control | None) -> JsonObject | None:
    """Return the operator's standing orders, with who gave them and when."""
    if control is None:
        return None
    order = "kill" if control.kill else "pause" if control.pause else "run"
    return {
        "seq": control.seq,
        "order": order,
        "max_exposure": control.max_exposure,
        "allow": control.allow,
        "deny": list(control.deny),
        "note": control.note,
        "by": control.run_id,
        "at": control.created_at,
    }


def consequence(order: str, report: PerfSnapshot | None) -> str:
    """Return what an order does to what is held now, for a person who is about to confirm it."""
    held = [position for position in report.positions if position.quantity] if report else []
    worth = report.gross() if report else 0.0
    closes = f"closes {len(held)} positions worth {worth:,.2f}" if held else "closes nothing, because nothing is held"
    if order == "kill":
        return f"The executor {closes} with market orders at once, without waiting for a bar, and trades no more."
    if order == "pause":
        return f"At the next bar the executor {closes}. Ticks go on, so that features stay warm."
    return "From the next bar on the policy's targets are traded, within the cap and without the denied symbols."


def _alive(reading: Reading, wrong: list[Fault]) -> dict[str, str]:
    codes = {fault.code for fault in wrong}
    if reading.heartbeat_ms is None:
        return {"state": "unknown", "text": "Never seen"}
    if "agent_dead" in codes:
        return {"state": "bad", "text": "Not running"}
    if _silent(wrong):
        return {"state": "bad", "text": "Agent yes, executor silent"}
    return {"state": "good", "text": "Yes, ticking"}


def _flat(report: PerfSnapshot | None, wrong: list[Fault]) -> dict[str, str]:
    if report is None:
        return NO_REPORT
    if _silent(wrong):
        return OLD_REPORT
    held = sum(1 for position in report.positions if position.quantity)
    if not held:
        return {"state": "good", "text": "Flat"}
    share = 100 * report.gross() / report.equity if report.equity > 0 else float("inf")
    return {"state": "info", "text": f"Holds {held} symbols, {share:.1f} % of equity"}


def _silent(wrong: list[Fault]) -> bool:
    return any(fault.code == "executor_silent" for fault in wrong)


def _match(report: PerfSnapshot | None, wrong: list[Fault]) -> dict[str, str]:
    if report is None:
        return NO_REPORT
    if _silent(wrong):
        return OLD_REPORT
    if any(fault.code == "positions_differ" for fault in wrong):
        return {"state": "bad", "text": "No, positions differ"}
    return {"state": "good", "text": "Yes"}


def _earned(report: PerfSnapshot | None) -> dict[str, str]:
    if report is None:
        return NO_REPORT
    earned = report.price_pnl + report.funding - report.fees
    start = report.equity - earned
    share = f" ({100 * earned / start:+.2f} %)" if start > 0 else ""
    return {"state": "info", "text": f"{earned:+,.2f}{share}"}


def _governor(order: GovernorOrder | None) -> JsonObject | None:
    if order is None:
        return None
    metrics = order.metrics.model_dump(mode="json") if order.metrics else None
    return {
        "mode": order.mode,
        "until": order.until,
        "alarms": list(order.alarms),
        "metrics": metrics,
        "at": order.created_at,
        "note": order.note,
    }


def _position(position: Position, equity: float) -> JsonObject:
    gap = (position.quantity - position.target) * position.mark
    return {
        "symbol": position.symbol,
        "held": position.quantity,
        "target": position.target,
        "mark": position.mark,
        "worth": position.quantity * position.mark,
        "gap": gap,
        "gap_share": gap / equity if equity > 0 else None,
        "liquidation": position.liquidation_price,
    }


def _signal(signal: Signal | None) -> JsonObject | None:
    if signal is None:
        return None
    return {
        "seq": signal.seq,
        "bar_close": signal.bar_close,
        "created_at": signal.created_at,
        "expires_at": signal.expires_at,
        "kill": signal.kill,
        "gross": sum(abs(leg.weight) for leg in signal.legs),
        "reasons": [reason.value for reason in signal.reasons],
    }
