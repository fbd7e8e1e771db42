"""What must never happen: code from a pickle, training libraries live, a secret in a log or a file."""

import json
import logging
import os
import pickle
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from agent.decision.context import TradingPolicy
from agent.graphs.checkpoints import open_checkpoints
from agent.observation.logs import start_logging
from agent.state.memory import load
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
        TradingPolicy.load(tmp_path / "card.json")
    (tmp_path / "memory.json").write_bytes(bomb)
    with pytest.raises(ArtifactError):
        load(tmp_path / "memory.json", world.policy.spec)
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
        "import agent.operation.import_guard as guard; guard.install_guard()\n"
        "import agent.operation.run, agent.operation.session, agent.graphs.ticks, agent.operation.status\n"
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


def test_a_secret_reaches_no_file(stage, monkeypatch):
    """A secret in the environment, in what the exchange says when it fails, and in the operator's note.

    After ticks that worked and ticks that failed no file holds it, checkpoints of a tick in flight and logs included;
    only the operator's own file does.
    """
    monkeypatch.setenv("EXCHANGE_API_SECRET", SECRET)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    start_logging(stage.folder.log(), console=False)
    stage.allow(note=f"the key is {SECRET}")
    start, honest = stage.world.windows()[0][0], stage.market.fetch

    def refused(*_arguments):
        raise RuntimeError(f"401 for key {SECRET}")

    try:
        with stage.started() as ticks:
            stage.bar(ticks, start)
            stage.market.fetch = refused
            assert stage.bar(ticks, start + 60_000).reasons == ("tick_failed",)
            stage.market.fetch = honest
            monkeypatch.setattr(ticks.checkpoints.saver, "delete_thread", lambda _thread: None)
            stage.bar(ticks, start + 120_000)
            assert ticks.govern(start)
            files = [file for file in stage.folder.path.rglob("*") if file.is_file()]
            holding = [file.name for file in files if SECRET.encode() in file.read_bytes()]
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    assert holding == ["control.json"]
    assert {"memory.json", "signal.json", "governor.json", "fast.jsonl"} <= {file.name for file in files}
