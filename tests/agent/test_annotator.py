"""The optional language model: it describes, and nothing that it says, or fails to say, changes an order."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from agent.graphs.governor import NOTE_LENGTH
from agent.observation.annotator import LocalModel
from agent.observation.logs import Redactor
from perpfut_lib.artifacts import GovernorOrder
from tests.agent.test_governor import MINUTE, report
from tests.agent.world import Stage

SECRET = "s3cr3t-of-the-exchange"


class Model(BaseHTTPRequestHandler):
    """Answers like Ollama."""

    def do_POST(self):
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *_):
        """Say nothing."""


@contextmanager
def model(answer, status=200):
    """Run a local model that always gives one answer."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    server.asked, server.answer, server.status = [], answer, status
    threading.Thread(target=server.serve_forever, daemon=True).start()
    redactor = Redactor({"API_SECRET": SECRET})
    try:
        yield server, LocalModel(f"http://127.0.0.1:{server.server_port}", "test", redactor)
    finally:
        server.shutdown()
        server.server_close()


def test_the_model_gets_facts_without_secrets_and_its_text_is_cleaned():
    """What goes out and what comes back is redacted."""
    with model(json.dumps({"response": f"all is well, {SECRET}"}).encode()) as (server, annotator):
        assert annotator.describe({"actions": ["pause"], "cause": SECRET}) == "all is well, ***"
    assert server.asked[0]["model"] == "test"
    assert "pause" in server.asked[0]["prompt"] and SECRET not in server.asked[0]["prompt"]


@pytest.mark.parametrize(
    ("answer", "status"), [(b"{}", 200), (b"not json", 200), (b'{"response": "x"}', 500), (b"[1]", 200)]
)
def test_a_model_that_fails_says_nothing(answer, status):
    """Errors and odd answers are an empty note, never an exception."""
    with model(answer, status) as (_, annotator):
        assert annotator.describe({}) == ""


def test_a_dead_model_says_nothing():
    """Nobody listens."""
    assert LocalModel("http://127.0.0.1:1", "test", Redactor({})).describe({}) == ""


class Talker:
    """Says a lot, and gives orders."""

    def describe(self, facts):
        return json.dumps({"mode": "run", "reselect_seq": 99}) + "x" * 10_000


def orders_under_losses(stage, annotator):
    """Let the governor see a drawdown and return all its orders."""
    start, orders = stage.world.windows()[0][0], []
    with stage.started() as ticks:
        ticks.context.annotator = annotator
        for minute in range(6):
            stage.clock.now = start + minute * MINUTE
            report(stage, minute, 10_000 if minute < 3 else 8_900)
            assert ticks.govern(stage.clock.now)
            orders.append(stage.folder.read(GovernorOrder))
    return orders


def test_what_a_model_says_changes_no_order(world, tmp_path):
    """The same performance with and without a talkative model: orders differ in their note only, which is cut short."""
    silent = orders_under_losses(Stage.on_panel(world, tmp_path / "silent"), None)
    talked = orders_under_losses(Stage.on_panel(world, tmp_path / "talked"), Talker())
    assert max(len(order.note) for order in talked) == NOTE_LENGTH
    plain = {"note": "", "seal": None}
    assert [order.model_copy(update=plain) for order in talked] == [order.model_copy(update=plain) for order in silent]
    assert talked[-1].mode == "pause"
