"""What is wrong, judged from one reading: what happened, what the system does about it, and what to do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from agent.console.limits import Limits
from agent.console.reading import Reading
from agent.decision.governor_rules import Point
from perpfut_lib.artifacts import Reason
from perpfut_lib.artifacts.reasons import REASONS

Severity = Literal["critical", "warning", "notice"]
ORDERED: Final = frozenset(
    {Reason.KILLED, Reason.PAUSED, Reason.DENIED, Reason.NOT_ALLOWED, Reason.EXPOSURE_CAPPED, Reason.GOVERNOR_PAUSED}
)
"""Reasons that somebody ordered: each has a fault of its own, or is none."""
QUIET: Final = frozenset({Reason.HELD, Reason.MIN_NOTIONAL, Reason.LOST_COINTEGRATION, Reason.SYMBOL_EXPOSURE})
"""Reasons of a single pair that belong to an ordinary day."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong."""

    code: str
    """Name; equal codes are the same fault at different times."""
    severity: Severity
    """``critical``: a person is needed now."""
    what: str
    """What happened."""
    response: str
    """What the system did by itself."""
    remedy: str
    """What to do."""
    anchor: str = "looking"
    """Heading of the runbook."""


def faults(reading: Reading, limits: Limits) -> list[Fault]:
    """Return everything that is wrong, the worst first."""
    found = [
        *_process(reading, limits),
        *_orders(reading),
        *_documents(reading, limits),
        *_decisions(reading),
        *_account(reading, limits),
        *_ledger(reading, limits),
        *_machine(reading, limits),
    ]
    return sorted(found, key=lambda fault: ("critical", "warning", "notice").index(fault.severity))


def _process(reading: Reading, limits: Limits) -> Iterator[Fault]:
    age = reading.heartbeat_ms
    closes = "The executor closes all positions when the last signal expires."
    if age is None:
        yield Fault(
            "agent_absent", "warning", "The agent was never seen.", closes, "Start it.", "paper-trading-checklist"
        )
    elif age > limits.heartbeat_ms:
        what = f"The agent is not running: it was last seen {_span(age)} ago."
        yield Fault("agent_dead", "critical", what, closes, "Look at its log, then start it again.", "after-a-crash")


def _orders(reading: Reading) -> Iterator[Fault]:
    control, governor = reading.control.document, reading.governor.document
    if reading.control.fault or control is None:
        fault = reading.control.fault
        what = f"control.json cannot be used: {fault}" if fault else "There is no control file."
        remedy = "Write the orders anew: perpfut agent control run."
        yield Fault("control_unreadable", "warning", what, "Everything is held flat.", remedy, "reason-codes")
    elif control.kill:
        what = f"Kill was ordered by {control.run_id}."
        yield Fault(
            "killed", "critical", what, "Everything is closed, and stays so.", "Find out why, then resume.", "stopping"
        )
    elif control.pause:
        what = f"Pause was ordered by {control.run_id}."
        yield Fault("paused", "notice", what, "Everything is flat; ticks go on.", "Resume when ready.", "stopping")
    if governor is not None and governor.mode == "pause" and governor.until > reading.now:
        what = f"The governor paused trading: {', '.join(governor.alarms) or 'no alarm named'}."
        done = f"Everything is flat for another {_span(governor.until - reading.now)}."
        yield Fault("governor_paused", "critical", what, done, "Compare the account with the exchange.", "alarms")
    elif governor is not None and governor.alarms:
        what = f"The governor raised: {', '.join(governor.alarms)}."
        yield Fault("governor_alarm", "warning", what, "It acts by its rules.", "Look at the metric.", "alarms")


def _documents(reading: Reading, limits: Limits) -> Iterator[Fault]:
    for name, found in reading.documents().items():
        if found.fault and name != "control.json":
            what = f"{name} cannot be used: {found.fault}"
            remedy = "Do not act on it; find out who wrote it."
            yield Fault(
                f"unusable_{name[:-5]}",
                "critical",
                what,
                "Readers refuse it.",
                remedy,
                "what-readers-make-of-a-document",
            )
        elif found.document is not None and found.document.created_at > reading.now + limits.skew_ms:
            ahead = _span(found.document.created_at - reading.now)
            what = f"{name} was written {ahead} in the future: two clocks differ."
            remedy = "Mend the time synchronisation of both machines."
            yield Fault("clock", "critical", what, "Documents from the future are refused.", remedy, "after-a-crash")
    signal, report = reading.signal.document, reading.performance.document
    if signal is not None and reading.now >= signal.expires_at:
        what = f"The last signal expired {_span(reading.now - signal.expires_at)} ago."
        yield Fault(
            "signal_expired", "critical", what, "The executor is flat.", "Look at the agent's log.", "after-a-crash"
        )
    if report is None and not reading.performance.fault and signal is not None and signal.legs:
        what = "The agent asks for positions, and the executor has never reported."
        remedy = "Start it, or look at its log: nobody trades."
        yield Fault("executor_absent", "warning", what, "Nothing is held by it.", remedy, "paper-trading-checklist")
    if report is not None and reading.now - report.created_at > limits.report_ms:
        what = f"The executor has not reported for {_span(reading.now - report.created_at)}."
        remedy = "Look at Hummingbot first, then at the exchange's own positions."
        yield Fault("executor_silent", "critical", what, "What is held is not known.", remedy, "after-a-crash")


def _decisions(reading: Reading) -> Iterator[Fault]:
    signal = reading.signal.document
    if signal is None:
        return
    for reason in signal.reasons:
        if reason not in ORDERED:
            means, remedy = _plain(reason)
            yield Fault(f"flat_{reason.value}", "critical", means, "Every target is flat.", remedy, "reason-codes")
    for pair in signal.pairs:
        for reason in pair.reasons:
            if pair.status == "flat" and reason not in ORDERED | QUIET and reason not in signal.reasons:
                means, remedy = _plain(reason)
                what = f"{pair.pair}: {means}"
                yield Fault(f"flat_{reason.value}", "warning", what, "This pair is flat.", remedy, "reason-codes")


def _plain(reason: Reason) -> tuple[str, str]:
    """Return meaning and remedy without the runbook's marks of code."""
    means, remedy = REASONS[reason]
    return means.replace("`", ""), remedy.replace("`", "")


def _account(reading: Reading, limits: Limits) -> Iterator[Fault]:
    report = reading.performance.document
    if report is None:
        return
    if report.drawdown() >= limits.drawdown:
        what = f"The account is {100 * report.drawdown():.1f} % below its peak."
        remedy = "Stop, compare with the exchange, then decide."
        yield Fault("drawdown", "critical", what, "The governor pauses, and risk checks go flat.", remedy, "alarms")
    settled = reading.now - (reading.signal.document.created_at if reading.signal.document else 0) > limits.settle_ms
    apart = [
        position.symbol
        for position in report.positions
        if abs(position.quantity - position.target) * position.mark > limits.gap * max(report.equity, 1e-9)
    ]
    if apart and settled:
        what = f"What is held differs from what should be held: {', '.join(apart)}."
        remedy = "Compare the exchange's own list of positions; look for rejected or stuck orders."
        yield Fault("positions_differ", "critical", what, "The executor keeps trying.", remedy, "stopping")
    rejects = rejects_in_a_row(reading.points)
    if rejects >= limits.rejects:
        what = f"{rejects} orders in a row were rejected."
        yield Fault(
            "rejects",
            "critical",
            what,
            "The executor tries again.",
            "Read the rejections in Hummingbot's log.",
            "alarms",
        )


def _ledger(reading: Reading, limits: Limits) -> Iterator[Fault]:
    ledger, anchor = reading.ledger, "what-the-executor-has-done"
    apart = [f"{units} {symbol} of others" for symbol, units in sorted(ledger.foreign.items())]
    apart += [f"{symbol} closed by others" for symbol in ledger.left]
    if apart:
        what = f"The exchange differs from the ledger: {', '.join(apart)}."
        done = "It trades its own units only, and reopens nothing that was closed."
        yield Fault("ledger_differs", "critical", what, done, "Find out who else trades on this account.", anchor)
    elif ledger.corrected and 0 <= reading.now - ledger.corrected_at < limits.ledger_ms:
        what = f"The ledger was corrected by the exchange's reading: {', '.join(sorted(ledger.corrected))}."
        remedy = "Compare: perpfut agent audit."
        yield Fault("ledger_corrected", "warning", what, "The exchange's positions were taken over.", remedy, anchor)


def _machine(reading: Reading, limits: Limits) -> Iterator[Fault]:
    if reading.free_bytes < limits.disk_bytes:
        what = f"The disk has {reading.free_bytes / 2**20:.0f} MiB left."
        remedy = "Make room before it is full."
        yield Fault("disk", "critical", what, "A tick that cannot be written goes flat.", remedy, "after-a-crash")


def rejects_in_a_row(points: Sequence[Point]) -> int:
    """Return how many orders were rejected since the last fill, as far as the governor remembers."""
    if not points:
        return 0
    last = points[-1]
    since = [point.rejects for point in points if point.fills == last.fills and point.rejects <= last.rejects]
    return last.rejects - min(since)


def _span(milliseconds: int) -> str:
    seconds = milliseconds // 1000
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
