"""Traces observe: they reach a receiver without secrets, and a receiver that is dead or slow holds up nothing."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agent.observation.logs import Redactor
from agent.observation.tracing import tracing
from perpfut_lib.artifacts import Signal
from perpfut_lib.bench._trace_endpoints import ENDPOINTS, receiving

SECRET = "s3cr3t-of-the-exchange"
ROOT = Path(__file__).resolve().parents[2]
NODES = {"load_control", "resolve_pairs", "fetch_market", "compute_features", "infer", "check_risk", "emit_signal"}
LEAVE_SECONDS = 5.0

TRACED = """
import os, time
from langgraph.graph import END, START, StateGraph
from agent.observation.logs import Redactor, start_logging
from agent.observation.tracing import tracing
start_logging(None)
graph = StateGraph(dict)
graph.add_node("think", lambda state: {"n": 1})
graph.add_edge(START, "think")
graph.add_edge("think", END)
app = graph.compile()
with tracing(Redactor()):
    for number in range(50):
        app.invoke({"n": number})
    print(time.monotonic(), flush=True)
os._exit(0)  # as `perpfut agent run` does
"""


@pytest.fixture
def receiver(monkeypatch):
    """Return a loopback receiver that all tracing is pointed at."""
    with receiving() as server:
        monkeypatch.setenv("LANGSMITH_ENDPOINT", server.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.url)
        monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2_" + SECRET)
        monkeypatch.setenv("EXCHANGE_API_SECRET", SECRET)
        yield server


def traced_tick(stage):
    """Run one tick under tracing, with a secret in the operator's note; leaving it flushes what it can."""
    stage.allow(note=f"the key is {SECRET}", deny=(SECRET,))
    with tracing(Redactor()), stage.started() as ticks:
        stage.bar(ticks, stage.world.windows()[0][0])


def spans(got):
    """Return the spans that an OTLP receiver got."""
    requests = [ExportTraceServiceRequest.FromString(body) for _, path, body in got if path == "/v1/traces"]
    resources = [resource for request in requests for resource in request.resource_spans]
    return [span for resource in resources for scope in resource.scope_spans for span in scope.spans]


def test_traces_reach_a_receiver_without_secrets(stage, receiver, monkeypatch):
    """The real client sends every node of the tick to a loopback receiver; the secret is not in it."""
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    traced_tick(stage)
    sent = b"".join(body for _, _, body in receiver.got)
    assert all(node.encode() in sent for node in NODES)
    assert SECRET.encode() not in sent


def test_spans_reach_a_collector_without_secrets(stage, receiver, monkeypatch):
    """In mode ``otel`` a loopback collector gets every node as a span, LangSmith gets nothing, nobody a secret."""
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    monkeypatch.setenv("LANGSMITH_TRACING_MODE", "otel")
    traced_tick(stage)
    assert {path for _, path, _ in receiver.got} == {"/v1/traces"}
    assert {span.name for span in spans(receiver.got)} >= NODES
    assert SECRET.encode() not in b"".join(body for _, _, body in receiver.got)


def test_hybrid_sends_to_both(stage, receiver, monkeypatch):
    """In mode ``hybrid`` both get every node."""
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    monkeypatch.setenv("LANGSMITH_TRACING_MODE", "hybrid")
    traced_tick(stage)
    assert {span.name for span in spans(receiver.got)} >= NODES
    runs = b"".join(body for _, path, body in receiver.got if path.startswith("/runs"))
    assert all(node.encode() in runs for node in NODES)
    assert SECRET.encode() not in b"".join(body for _, _, body in receiver.got)


@pytest.mark.parametrize("mode", ["langsmith", "otel"])
def test_off_means_no_traffic(stage, receiver, monkeypatch, mode):
    """Without the switch nothing is sent, although mode, endpoint and key are configured."""
    monkeypatch.delenv("LANGSMITH_TRACING", raising=False)
    monkeypatch.setenv("LANGSMITH_TRACING_MODE", mode)
    traced_tick(stage)
    assert receiver.got == []


@pytest.mark.parametrize("status", [429, 500])
def test_a_refusing_receiver_changes_no_signal(stage, receiver, monkeypatch, status):
    """Traces that are refused are lost; the signal is there all the same."""
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    receiver.status = status
    traced_tick(stage)
    assert stage.folder.read(Signal).reasons == ()


def seconds_to_leave(endpoint):
    """Return how long a process that traces by both protocols takes to end after its last graph, seconds."""
    variables = {"LANGSMITH_TRACING": "true", "LANGSMITH_TRACING_MODE": "hybrid", "LANGSMITH_API_KEY": "lsv2_none"}
    variables |= {"LANGSMITH_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
    environment = os.environ | variables | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", TRACED], env=environment, stdout=subprocess.PIPE, text=True)
    output, _ = process.communicate(timeout=120)
    left = time.monotonic()
    assert process.returncode == 0
    return left - float(output)


def test_no_endpoint_holds_up_the_exit():
    """A refused port, a black hole, a deaf socket, 429 and 500, by both protocols: the process ends within 5 s.

    What is measured is waiting: one bounded flush each, whatever the endpoint does. By its defaults the client would
    wait for minutes.
    """
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        addresses = [stack.enter_context(endpoint()) for endpoint in ENDPOINTS.values()]
        waits = dict(zip(ENDPOINTS, pool.map(seconds_to_leave, addresses), strict=True))
    assert {name: wait for name, wait in waits.items() if wait >= LEAVE_SECONDS} == {}
