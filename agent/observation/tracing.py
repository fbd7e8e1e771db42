"""Tracing that only observes: LangSmith or OpenTelemetry when the environment asks for it, else nothing on the wire.

A trace endpoint may be dead, slow or absent. Requests have short time-outs and no retries and go out between ticks,
queues are bounded, threads are daemons, and the flush at the end has a deadline, so neither a tick nor the exit waits.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final, Literal

from agent.observation.logs import Redactor

if TYPE_CHECKING:
    from agent.observation.trace_export import IdleGate

log = logging.getLogger(__name__)

Mode = Literal["langsmith", "otel", "hybrid"]

TIMEOUT_MS: Final = (500, 1_000)  # connect, read
FLUSH_SECONDS: Final = 1.0
QUEUE: Final = "200"
SPANS: Final = 512
SWITCHES: Final = ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING_V2", "LANGCHAIN_TRACING")


def wanted() -> bool:
    """Return whether the environment switches tracing on."""
    return any(os.environ.get(name, "").lower() == "true" for name in SWITCHES)


def mode() -> Mode:
    """Return where traces go, as ``LANGSMITH_TRACING_MODE`` says.

    ``langsmith`` (the default) sends to LangSmith, ``otel`` to the collector that ``OTEL_EXPORTER_OTLP_ENDPOINT`` names
    (by default one on this machine), ``hybrid`` to both. A word that is none of these means the default.
    """
    match os.environ.get("LANGSMITH_TRACING_MODE", "").lower():
        case "otel":
            return "otel"
        case "hybrid":
            return "hybrid"
    return "langsmith"


@contextmanager
def tracing(redactor: Redactor) -> Iterator[Any]:
    """Trace the graphs that run inside the block, if the environment asks for it.

    Parameters
    ----------
    redactor : Redactor
        Cleans everything that leaves.

    Yields
    ------
    langsmith.Client or None
        None: tracing is off, and no client exists that could send anything.
    """
    from langsmith import tracing_context

    if not wanted():
        with tracing_context(enabled=False):
            yield None
        return
    from agent.observation.trace_export import IdleGate

    idle = IdleGate()
    spans = span_provider(idle) if mode() != "langsmith" else None
    client = bounded_client(redactor, idle, spans)
    try:
        with tracing_context(enabled=True, client=client):
            yield client
    finally:
        client.close(timeout=FLUSH_SECONDS)
        if spans is not None:
            _within(FLUSH_SECONDS, spans.shutdown)


def by_no_other_client() -> AbstractContextManager[object]:
    """Return a context in which graphs are traced by the client of :func:`tracing`, or not at all.

    Where the environment switches tracing on and no client is given (a replay), LangChain would make one of its own,
    which neither redacts nor hurries.
    """
    from langsmith import tracing_context
    from langsmith.run_helpers import get_tracing_context

    return nullcontext() if get_tracing_context().get("client") is not None else tracing_context(enabled=False)


def bounded_client(redactor: Redactor, idle: "IdleGate", spans: Any = None) -> Any:
    """Return a LangSmith client that can neither hold up its process nor send a secret.

    Parameters
    ----------
    redactor : Redactor
        Cleans everything that leaves.
    idle : IdleGate
        Told when graphs start and end; nothing is sent while one runs.
    spans : opentelemetry.sdk.trace.TracerProvider, optional
        Where spans go, in the modes that send any.
    """
    os.environ.setdefault("LANGSMITH_USE_DAEMON", "true")
    os.environ.setdefault("LANGSMITH_TRACING_QUEUE_MAX_SIZE", QUEUE)
    # Compression has a pool of threads of its own, which are no daemons.
    os.environ.setdefault("LANGSMITH_DISABLE_RUN_COMPRESSION", "true")
    from urllib3.util.retry import Retry

    from agent.observation.trace_export import PatientClient

    def failed(error: Exception) -> None:
        log.debug("a trace was not delivered: %s", type(error).__name__)

    return PatientClient(
        redactor.tree,
        idle,
        timeout_ms=TIMEOUT_MS,
        retry_config=Retry(0),
        omit_traced_runtime_info=True,
        tracing_error_callback=failed,
        tracing_mode=mode(),
        otel_tracer_provider=spans,
    )


def span_provider(idle: "IdleGate") -> Any:
    """Return a provider of OpenTelemetry spans with one short try a batch, a bounded queue, and no hand in the exit."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

    class PatientExporter(OTLPSpanExporter):
        """Exports between graphs."""

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            idle.wait()
            return super().export(spans)

    resource = Resource.create({SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME", "perpfut-agent")})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = PatientExporter(timeout=TIMEOUT_MS[1] / 1000)
    processor = BatchSpanProcessor(exporter, SPANS, schedule_delay_millis=1_000, max_export_batch_size=SPANS // 2)
    provider.add_span_processor(processor)
    return provider


def _within(seconds: float, work: Callable[[], object]) -> None:
    """Do ``work`` in a daemon thread and wait for it only so long."""
    thread = threading.Thread(target=work, name="last spans", daemon=True)
    thread.start()
    thread.join(seconds)
