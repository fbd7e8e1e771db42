"""What must never happen: code from a pickle, training libraries live, a secret in a log, waiting for traces."""

import json
import logging
import os
import pickle
import sqlite3
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from agent.checkpoint import open_checkpoints
from agent.desk import Brain
from agent.logs import Redactor, start_logging
from agent.memory import load
from agent.observe import tracing
from perpfut_lib.artifacts import Signal, decode
from perpfut_lib.errors import ArtifactError

SECRET = "s3cr3t-of-the-exchange"
ROOT = Path(__file__).resolve().parents[2]


class Bomb:
    """Runs code when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def test_a_crafted_pickle_is_refused_everywhere(world, tmp_path):
    """As weights (with the card's hash made to fit), memory, document or checkpoint: refused, and never run."""
    mark = tmp_path / "boom"
    bomb = pickle.dumps(Bomb(mark))
    card = json.loads(world.card.read_text())
    import hashlib

    card |= {"weights_file": "bomb.safetensors", "weights_sha256": hashlib.sha256(bomb).hexdigest()}
    (tmp_path / "bomb.safetensors").write_bytes(bomb)
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(ArtifactError):
        Brain.load(tmp_path / "card.json")
    (tmp_path / "memory.json").write_bytes(bomb)
    with pytest.raises(ArtifactError):
        load(tmp_path / "memory.json", world.brain.spec)
    with pytest.raises(ArtifactError):
        decode(bomb, Signal)
    with (
        open_checkpoints(tmp_path / "checkpoints.sqlite") as checkpoints,
        pytest.raises(NotImplementedError, match="pickle"),
    ):
        checkpoints.saver.serde.loads_typed(("pickle", bomb))
    assert not mark.exists()


def test_a_database_that_is_none_is_replaced(tmp_path):
    """Checkpoints that cannot be read are thrown away: no tick depends on them."""
    path = tmp_path / "checkpoints.sqlite"
    path.write_bytes(b"not a database" * 1000)
    with open_checkpoints(path) as checkpoints:
        assert checkpoints.threads() == []
    assert sqlite3.connect(path).execute("PRAGMA quick_check").fetchone() == ("ok",)


def test_the_live_process_imports_neither_torch_nor_stable_baselines():
    """The guard is installed first; everything that runs live imports under it, and the packages stay out."""
    code = (
        "import agent.guard as guard; guard.install_guard()\n"
        "import agent.run, agent.session, agent.ticks, agent.status\n"
        "assert not guard.loaded_forbidden()\n"
        "try:\n    import torch\nexcept ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "not allowed in the live agent" in done.stdout


def test_secrets_are_blotted_out_of_logs(tmp_path, monkeypatch):
    """A planted secret in a message, a field, an exception or a header appears in no line."""
    monkeypatch.setenv("EXCHANGE_API_SECRET", SECRET)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    start_logging(tmp_path / "log.jsonl", console=False)
    try:
        log = logging.getLogger("test")
        log.info("calling with %s", SECRET, extra={"headers": {"X-MBX-APIKEY": "abcdef123"}, "nested": [{"a": SECRET}]})
        log.info("GET /x?timestamp=1&signature=0123456789abcdef")
        try:
            raise ValueError(f"refused {SECRET}")
        except ValueError:
            log.exception("failed")
        for handler in root.handlers:
            handler.flush()
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    text = (tmp_path / "log.jsonl").read_text()
    assert len([json.loads(line) for line in text.splitlines()]) == 3
    for planted in (SECRET, "abcdef123", "0123456789abcdef"):
        assert planted not in text


class Receiver(BaseHTTPRequestHandler):
    """Keeps what a trace client sends, and answers with the server's status."""

    def answer(self):
        """Take the body and answer."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.got.append((self.command, self.path, body))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST = do_PATCH = answer

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def receiver(monkeypatch):
    """Return a loopback receiver that tracing is pointed at."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.got, server.status = [], 200
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("LANGSMITH_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2_" + SECRET)
    yield server
    server.shutdown()


def traced_tick(stage, start):
    """Run one tick under tracing; leaving it flushes what it can within a second."""
    with tracing(Redactor()), stage.started() as ticks:
        stage.bar(ticks, start)


def test_traces_reach_a_receiver_without_secrets(stage, receiver, monkeypatch):
    """The real client sends every node of the tick to a loopback receiver; the secret is not in it."""
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    monkeypatch.setenv("EXCHANGE_API_SECRET", SECRET)
    stage.allow(note=f"the key is {SECRET}")
    traced_tick(stage, stage.world.windows()[0][0])
    sent = b"".join(body for _, _, body in receiver.got)
    assert b"load_control" in sent and b"emit_signal" in sent
    assert SECRET.encode() not in sent


def test_off_means_no_traffic(stage, receiver, monkeypatch):
    """Without the switch nothing is sent, although an endpoint and a key are configured."""
    monkeypatch.delenv("LANGSMITH_TRACING", raising=False)
    traced_tick(stage, stage.world.windows()[0][0])
    assert receiver.got == []


@pytest.mark.parametrize("status", [429, 500])
def test_a_refusing_receiver_changes_no_signal(stage, receiver, monkeypatch, status):
    """Traces that are refused are lost; the signal is there all the same."""
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    receiver.status = status
    traced_tick(stage, stage.world.windows()[0][0])
    assert stage.folder.read(Signal).reasons == ()
