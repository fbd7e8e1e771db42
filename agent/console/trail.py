"""The account over time: the governor's recent snapshots, and every snapshot that the console saw since it started."""

from collections import deque
from typing import Any, Final

from agent.console.overview import performance
from agent.console.pairs import thin
from agent.console.reading import Reading
from perpfut_lib.types import JsonObject

KEPT: Final = 20_000
"""Snapshots kept in memory, newest last."""


class PerformanceTrail:
    """A bounded record of the account; the files hold only its latest state and the governor's window."""

    def __init__(self) -> None:
        self._rows: deque[JsonObject] = deque(maxlen=KEPT)

    def take(self, reading: Reading) -> None:
        """Record the reading's snapshot if it is new; the first time the governor's window comes before it."""
        if not self._rows:
            self._rows.extend(_from_governor(reading))
        report = reading.performance.document
        if report is not None and (not self._rows or report.created_at > self._rows[-1]["time"]):
            self._rows.append(performance(report))

    def curves(self) -> dict[str, list[Any]]:
        """Return the columns of the record, thinned; what the governor does not keep is null."""
        rows = thin(self._rows_list())
        names = ("time", "equity", "drawdown", "price_pnl", "funding", "fees", "slippage_bps", "latency_ms", "rejects")
        return {name: [row.get(name) for row in rows] for name in names}

    def _rows_list(self) -> list[JsonObject]:
        return list(self._rows)


def _from_governor(reading: Reading) -> list[JsonObject]:
    rows, peak = [], 0.0
    for point in reading.points:
        peak = max(peak, point.equity)
        fall = max(0.0, 1.0 - point.equity / peak) if peak > 0.0 else 0.0
        known = {"slippage_bps": point.slippage_bps, "rejects": point.rejects}
        rows.append({"time": point.time, "equity": point.equity, "drawdown": fall} | known)
    return rows
