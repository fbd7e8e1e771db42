"""``/metrics`` for Prometheus, made from the same reading as the page."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from agent.console.keys import OBSERVER
from agent.console.observer import Look, Observer
from perpfut_lib.artifacts import PerfSnapshot, Signal

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class AgentCollector(Collector):
    """Turns one look into metrics; a value that is not known is left out, never zero."""

    def __init__(self, look: Look) -> None:
        self._look = look

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield every metric."""
        reading = self._look.reading
        yield from _gauge(
            "perpfut_heartbeat_age_seconds", "Age of the scheduler's heartbeat.", _s(reading.heartbeat_ms)
        )
        yield from _gauge("perpfut_disk_free_bytes", "Space left for the agent's folder.", reading.free_bytes)
        wrong = GaugeMetricFamily("perpfut_fault", "What is wrong, 1 while it lasts.", labels=["code", "severity"])
        for (code, severity), count in Counter((f.code, f.severity) for f in self._look.wrong).items():
            wrong.add_metric([code, severity], min(1, count))
        yield wrong
        if (control := reading.control.document) is not None:
            yield from _gauge("perpfut_ordered_pause", "1 while the operator ordered pause.", control.pause)
            yield from _gauge("perpfut_ordered_kill", "1 while the operator ordered kill.", control.kill)
        if (order := reading.governor.document) is not None:
            yield from _gauge("perpfut_governor_paused", "1 while the governor pauses.", order.mode == "pause")
            alarms = GaugeMetricFamily("perpfut_governor_alarm", "Alarms that stand.", labels=["alarm"])
            for alarm in order.alarms:
                alarms.add_metric([alarm], 1)
            yield alarms
        if (signal := reading.signal.document) is not None:
            yield from _signal(signal, reading.now)
        if (report := reading.performance.document) is not None:
            yield from _account(report, reading.now)


def _signal(signal: Signal, now: int) -> Iterator[GaugeMetricFamily]:
    yield from _gauge("perpfut_signal_seq", "Number of the last signal.", signal.seq)
    yield from _gauge(
        "perpfut_data_age_seconds", "Time since the bar that was decided on closed.", _s(now - signal.bar_close)
    )
    delay = _s(signal.created_at - signal.bar_close)
    yield from _gauge("perpfut_tick_latency_seconds", "Time from the bar's close to its signal.", delay)
    gross = sum(abs(leg.weight) for leg in signal.legs)
    yield from _gauge("perpfut_target_gross", "Gross target, share of equity.", gross)
    codes = [*signal.reasons, *(code for pair in signal.pairs for code in pair.reasons)]
    reasons = GaugeMetricFamily("perpfut_reason", "Reason codes of the last signal.", labels=["code"])
    for code, count in Counter(code.value for code in codes).items():
        reasons.add_metric([code], count)
    yield reasons


def _account(report: PerfSnapshot, now: int) -> Iterator[GaugeMetricFamily]:
    yield from _gauge("perpfut_report_age_seconds", "Age of the executor's report.", _s(now - report.created_at))
    yield from _gauge("perpfut_equity", "Account equity, quote currency.", report.equity)
    yield from _gauge("perpfut_drawdown_ratio", "Fall from the peak.", report.drawdown())
    parts = GaugeMetricFamily("perpfut_pnl", "Parts of the P&L since the executor's start.", labels=["part"])
    for part, value in (("price", report.price_pnl), ("funding", report.funding), ("fees", -report.fees)):
        parts.add_metric([part], value)
    yield parts
    yield from _gauge("perpfut_slippage_bps", "Mean slippage, basis points.", report.slippage_bps)
    yield from _gauge("perpfut_fill_latency_seconds", "Median time from signal to fill.", report.fill_latency_ms / 1000)
    yield from _gauge("perpfut_fills", "Fills since the executor's start.", report.fills)
    yield from _gauge("perpfut_rejects", "Rejected orders since the executor's start.", report.rejects)
    sides = ("held", "target")
    positions = GaugeMetricFamily("perpfut_position_notional", "Signed notional.", labels=["symbol", "side"])
    for position in report.positions:
        for side, quantity in zip(sides, (position.quantity, position.target), strict=True):
            positions.add_metric([position.symbol, side], quantity * position.mark)
    yield positions


def _gauge(name: str, text: str, value: float | None) -> Iterator[GaugeMetricFamily]:
    if value is not None:
        yield GaugeMetricFamily(name, text, value=float(value))


def _s(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def exposition(observer: Observer) -> bytes:
    """Return the metrics in Prometheus's text format."""
    registry = CollectorRegistry()
    registry.register(AgentCollector(observer.look()))
    return generate_latest(registry)


async def _metrics(request: web.Request) -> web.Response:
    body = await asyncio.to_thread(exposition, request.app[OBSERVER])
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})


ROUTES: Final = [web.get("/metrics", _metrics)]
