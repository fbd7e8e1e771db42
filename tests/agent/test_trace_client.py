"""The client that sends traces between ticks: what it sends is whole, clean and as it was, and failures stay cheap."""

import threading
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from agent.observation import trace_export as traces
from agent.observation.logs import Redactor
from agent.observation.trace_export import IdleGate
from agent.observation.tracing import TIMEOUT_MS, bounded_client, tracing
from perpfut_lib.bench._trace_endpoints import receiving

SECRET = "s3cr3t-of-the-exchange"
DEADLINE = 20.0


@pytest.fixture
def receiver(monkeypatch):
    """Return a loopback receiver that the client of :func:`tracing` sends to."""
    with receiving() as server:
        for name, value in (("TRACING", "true"), ("ENDPOINT", server.url), ("API_KEY", "lsv2_" + SECRET)):
            monkeypatch.setenv(f"LANGSMITH_{name}", value)
        yield server


def started(client, **fields):
    """Trace the start of one run, and return how it is known."""
    run = uuid4()
    order = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}{run}"
    known = {"id": run, "trace_id": run, "dotted_order": order, "start_time": datetime.now(UTC)}
    client.create_run(**({"name": "tick", "inputs": {}, "run_type": "chain"} | known | fields))
    return {"run_id": run, "trace_id": run, "dotted_order": order}


def ended(client, known, **fields):
    """Trace its end."""
    client.update_run(**known, end_time=datetime.now(UTC), **fields)


def test_every_tick_arrives_whole_and_in_order(stage, receiver):
    """Ticks back to back at an endpoint that is well: one root per graph, all nodes below it, each with its end."""
    with tracing(Redactor()) as client, stage.started() as ticks:
        start, step = stage.world.windows()[0][0], stage.world.panel.timeframe
        bars = [start + number * step for number in range(12)]
        for bar in bars:
            stage.bar(ticks, bar)
        client.flush(DEADLINE)
    roots = receiver.roots()
    assert [run["inputs"]["bar_close"] for run in roots] == [bars[0], *bars]  # the slow tick of the first bar
    assert all(run["end_time"] is not None and run["outputs"] for run in roots)
    below = [[run["name"] for run in receiver.runs() if run.get("parent_run_id") == root["id"]] for root in roots[1:]]
    assert below == [[node for node in ticks.fast.nodes if node != "__start__"]] * len(bars)
    assert client.lost == 0


def test_a_graph_without_a_session_sends_nothing(stage, receiver):
    """The environment asks for traces, but nobody made the client that cleans them: LangChain's own stays out."""
    with stage.started() as ticks:
        stage.bar(ticks, stage.world.windows()[0][0])
    assert receiver.got == []


def test_no_field_carries_a_secret(receiver, monkeypatch):
    """Name, inputs, metadata, tags, events, error and outputs are all cleaned; identifiers and times stay."""
    monkeypatch.setenv("EXCHANGE_API_SECRET", SECRET)
    text = f"a {SECRET}"
    with tracing(Redactor()) as client:
        extra = {"metadata": {"note": text, text: 1}, "runtime": {"note": text}}
        known = started(client, name=text, inputs={"a": {text}}, extra=extra, tags=[text])
        ended(client, known, outputs={"a": (text,)}, error=text, events=[{"name": text}], extra=extra, tags=[text])
    (run,) = receiver.runs()
    assert run["id"] == str(known["run_id"])
    assert run["name"] == run["error"] == run["outputs"]["a"][0] == "a ***"
    assert SECRET.encode() not in b"".join(body for _, _, body in receiver.got)


def test_what_is_set_aside_does_not_change(receiver):
    """A state that is changed after its trace was set aside arrives as it was."""
    with tracing(Redactor()) as client:
        inputs, outputs, extra = {"n": [1]}, {"n": [2]}, {"metadata": {"n": 1}}
        known = started(client, inputs=inputs, extra=extra)
        inputs["n"].append(99)
        extra["metadata"]["n"] = 99
        ended(client, known, outputs=outputs)
        outputs["n"].append(99)
    (run,) = receiver.runs()
    assert (run["inputs"], run["outputs"], run["extra"]["metadata"]["n"]) == ({"n": [1]}, {"n": [2]}, 1)


def test_what_cannot_be_cleaned_is_not_sent(receiver, monkeypatch):
    """A redactor that fails loses the trace, and the next one that it can clean arrives."""
    redactor, clean = Redactor(), Redactor.tree

    def tree(self, value):
        if isinstance(value, dict) and value.get("name") == "first":
            raise ZeroDivisionError
        return clean(self, value)

    monkeypatch.setattr(Redactor, "tree", tree)
    with tracing(redactor) as client:
        started(client, name="first")
        started(client, name="second")
    assert [run["name"] for run in receiver.runs()] == ["second"]
    assert client.lost == 1


def test_what_finds_the_queue_full_is_lost_and_counted(receiver, monkeypatch):
    """While a graph runs nothing is sent; the queue takes what it may hold, and the rest is dropped at once."""
    monkeypatch.setattr(traces, "WAITING", 5)
    monkeypatch.setattr(traces, "PATIENCE", DEADLINE)
    with tracing(Redactor()) as client:
        for _ in range(10):
            started(client)
        assert receiver.runs() == []
        lost = client.lost
    assert lost in {4, 5}  # the thread may have one in its hands
    assert len(receiver.runs()) == 10 - lost


@pytest.mark.parametrize("status", [429, 500])
def test_a_failure_is_tried_once(receiver, monkeypatch, status):
    """What an endpoint refuses is sent in one request and never again."""
    monkeypatch.setattr(traces, "TOLERATED", 100)
    receiver.status = status
    with tracing(Redactor()) as client:
        known = [started(client, parent_run_id=uuid4()) for _ in range(3)]
        client.flush(DEADLINE)
    for run in known:
        assert sum(f'"post.{run["run_id"]}"'.encode() in body for _, _, body in receiver.got) == 1


def test_an_endpoint_that_keeps_failing_is_left_alone(receiver):
    """After three failures in a row (asking what it can do is the first) it gets no request for a while."""
    receiver.status = 500
    with tracing(Redactor()) as client:
        for _ in range(traces.TOLERATED - 1):
            started(client, parent_run_id=uuid4())
            client.flush(DEADLINE)
        started(client)
    assert len(receiver.got) == traces.TOLERATED
    assert client.lost == 1


def test_time_outs_are_the_clients_own(receiver, monkeypatch):
    """LangSmith's client would wait 3 s to connect and 10 s for the answer to a batch; ours waits as it is told."""
    asked = []
    with tracing(Redactor()) as client:
        request = client.session.request
        monkeypatch.setattr(client.session, "request", lambda *a, **k: asked.append(k["timeout"]) or request(*a, **k))
        started(client)
    assert asked
    assert set(asked) == {tuple(part / 1000 for part in TIMEOUT_MS)}


def test_the_idle_gate_opens_with_the_end_of_a_graph():
    """Whoever waits for a lull is let go by the end of the graph, long before the patience is over."""
    idle, order = IdleGate(), []
    idle.begin()
    waiting = threading.Thread(target=lambda: (idle.wait(DEADLINE), order.append("sent")))
    waiting.start()
    waiting.join(0.02)
    order.append("end")
    idle.end()
    waiting.join(DEADLINE)
    assert order == ["end", "sent"]


def test_patience_and_hurry_end_every_wait():
    """While a graph runs and runs, a wait is over when its patience is, and at once when the client closes."""
    idle = IdleGate()
    idle.begin()
    idle.wait(0.0)
    idle.hurry()
    idle.wait(DEADLINE)


def test_roots_tell_when_a_graph_runs(receiver, monkeypatch):
    """The start of a root begins the graph and its end ends it; runs below it change nothing."""
    told, idle = [], IdleGate()
    monkeypatch.setattr(idle, "begin", lambda: told.append("begin"))
    monkeypatch.setattr(idle, "end", lambda: told.append("end"))
    client = bounded_client(Redactor(), idle)
    root = started(client)
    node = started(client, parent_run_id=root["run_id"])
    ended(client, node, parent_run_id=root["run_id"])
    assert told == ["begin"]
    ended(client, root)
    assert told == ["begin", "end"]
    client.close(DEADLINE)
