"""From where on the console calls something wrong; what the agent's own settings decide is taken from them."""

from dataclasses import dataclass
from typing import Self

from perpfut_lib.config import Profile


@dataclass(frozen=True)
class Limits:
    """Thresholds of the operator's faults."""

    heartbeat_ms: int = 90_000
    """Longest silence of the scheduler, ms; the container's health check uses the same."""
    report_ms: int = 180_000
    """Longest silence of the execution side, ms."""
    settle_ms: int = 60_000
    """Time in which positions may differ from targets after a signal, ms: orders take a while."""
    gap: float = 0.02
    """Largest difference between a position and its target, as a share of equity."""
    drawdown: float = 0.1
    """Fall from the peak, fraction."""
    ledger_ms: int = 3_600_000
    """How long a correction of the ledger by the exchange is told, ms."""
    rejects: int = 3
    """Rejected orders without a fill between them."""
    disk_bytes: int = 2**30
    """Least free space, bytes."""
    skew_ms: int = 2_000
    """How far into the future a document may be dated, ms."""

    @classmethod
    def of(cls, profile: Profile) -> Self:
        """Return the thresholds of a profile: an alarm of the governor is a fault here too."""
        settings = profile.agent
        return cls(
            settle_ms=max(cls.settle_ms, settings.timeframe),
            report_ms=max(cls.report_ms, 3 * settings.timeframe),
            drawdown=settings.governor.drawdown.enter,
            skew_ms=settings.max_clock_skew_ms,
        )
