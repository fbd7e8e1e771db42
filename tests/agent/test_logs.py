"""The log of a process is bounded on disk, whatever is written and however often the process starts."""

import json
import logging

import pytest

from agent.observation import logs
from agent.observation.logs import start_logging

MAX_BYTES = 4_000
LINES = 400


@pytest.fixture
def root():
    """Return the root logger, put back afterwards."""
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    yield logger
    for handler in set(logger.handlers) - set(handlers):
        handler.close()
    logger.handlers[:] = handlers
    logger.setLevel(level)


def test_the_log_is_rotated(tmp_path, monkeypatch, root):
    """Four processes in a row write many times the limit: the files stay within it, and the newest lines are whole."""
    monkeypatch.setattr(logs, "MAX_BYTES", MAX_BYTES)
    file = tmp_path / "logs" / "fast.jsonl"
    written = 0
    for number in range(LINES):
        if number % (LINES // 4) == 0:
            start_logging(file, console=False)
        root.info("tick", extra={"number": number, "reasons": ["market_stale"] * (number % 7)})
        written += len(file.read_bytes().splitlines(keepends=True)[-1])
    kept = sorted(file.parent.iterdir(), key=lambda path: path.name, reverse=True)
    assert [path.name for path in kept] == ["fast.jsonl.3", "fast.jsonl.2", "fast.jsonl.1", "fast.jsonl"]
    assert written > 3 * MAX_BYTES * (1 + logs.BACKUPS)
    assert sum(path.stat().st_size for path in kept) <= MAX_BYTES * (1 + logs.BACKUPS)
    lines = [json.loads(line) for path in kept for line in path.read_text().splitlines()]
    assert [line["number"] for line in lines] == list(range(LINES - len(lines), LINES))
