"""Which faults become messages, and when: grouped, not twice in an hour, few in total, and told when over."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from agent.console.faults import Fault
from perpfut_lib.types import JsonObject

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
PER_HOUR: Final = 12
"""Most messages in an hour; what does not fit is told together with the next one that does. A critical fault that was
not told within the hour is told in any case."""
RUNBOOK: Final = "runbook.html"


@dataclass(frozen=True)
class Message:
    """One message to people."""

    title: str
    """One line."""
    body: str
    """What happened, what the system did, what to do, and where to read on."""
    severity: str
    """The worst of its faults, ``over`` or ``summary``."""
    codes: tuple[str, ...] = ()
    """Names of its faults."""


@dataclass
class MessageGroups:
    """Turns what is wrong from look to look into messages.

    Parameters
    ----------
    name : str
        Name of the profile.
    book : str
        Address of the built book; links lead to its runbook.
    """

    name: str
    book: str = ""
    _told: dict[str, int] = field(default_factory=dict)
    _last: dict[str, int] = field(default_factory=dict)
    _standing: dict[str, Fault] = field(default_factory=dict)
    _sent: list[int] = field(default_factory=list)
    _summary: int | None = None

    def take(self, wrong: Sequence[Fault], now: int) -> list[Message]:
        """Return the messages that a look asks for, at most one of faults and one of what is over."""
        present = {fault.code: fault for fault in wrong if fault.severity != "notice" or fault.code == "paused"}
        over = [fault for code, fault in self._standing.items() if code not in present and code in self._told]
        self._sent = [sent for sent in self._sent if now - sent < HOUR_MS]
        urgent = any(fault.severity == "critical" and self._silent(code, now) for code, fault in present.items())
        if len(self._sent) >= PER_HOUR and not urgent:
            self._standing = {**{fault.code: fault for fault in over}, **present}  # told as over when there is room
            return []
        fresh = [fault for code, fault in present.items() if self._due(code, now)]
        self._standing = present
        for fault in over:
            del self._told[fault.code]
        self._told |= {fault.code: now for fault in fresh}
        self._last |= {fault.code: now for fault in fresh}
        messages = ([self._faults(fresh)] if fresh else []) + ([self._over(over, wrong)] if over else [])
        self._sent += [now] * len(messages)
        return messages

    def summary(self, page: JsonObject, now: int) -> Message | None:
        """Return the daily summary, once per UTC day from the second day on."""
        day, before = now // DAY_MS, self._summary
        self._summary = day
        if before is None or day == before:
            return None
        return Message(f"{self.name}: daily summary", summary_text(page), "summary")

    def _due(self, code: str, now: int) -> bool:
        told = self._told.get(code)
        return told is None or now - told >= HOUR_MS

    def _silent(self, code: str, now: int) -> bool:
        last = self._last.get(code)
        return last is None or now - last >= HOUR_MS

    def _faults(self, fresh: list[Fault]) -> Message:
        worst = fresh[0]
        more = f" (and {len(fresh) - 1} more)" if len(fresh) > 1 else ""
        body, codes = "\n\n".join(map(self._text, fresh)), tuple(fault.code for fault in fresh)
        return Message(f"{self.name}: {worst.what}{more}", body, worst.severity, codes)

    def _text(self, fault: Fault) -> str:
        link = f"{self.book.rstrip('/')}/{RUNBOOK}#{fault.anchor}" if self.book else f"runbook, {fault.anchor}"
        return f"What happened: {fault.what}\nWhat the system did: {fault.response}\nWhat to do: {fault.remedy}\n{link}"

    def _over(self, over: list[Fault], wrong: Sequence[Fault]) -> Message:
        left = f"Still wrong: {len(wrong)}." if wrong else "Nothing is wrong now."
        lines, codes = [f"Over: {fault.what}" for fault in over], tuple(fault.code for fault in over)
        more = f" (and {len(over) - 1} more)" if len(over) > 1 else ""
        return Message(f"{self.name}: over: {over[0].what}{more}", "\n".join([*lines, left]), "over", codes)


def summary_text(page: JsonObject) -> str:
    """Return the answers of the first page and the account's numbers as text."""
    lines = [f"{name}: {page[name]['text']}" for name in ("alive", "flat", "match", "earned")]
    report = page["performance"]
    if report:
        lines.append(f"equity {report['equity']:.2f}, drawdown {100 * report['drawdown']:.1f} %")
        lines.append(f"price {report['price_pnl']:+.2f}, funding {report['funding']:+.2f}, fees {-report['fees']:+.2f}")
        lines.append(f"{report['fills']} fills, {report['rejects']} rejects, slippage {report['slippage_bps']:.2f} bps")
    lines += [f"wrong: {fault['what']}" for fault in page["faults"]]
    return "\n".join(lines)
