"""The newest lines of the agent's logs, filtered, and redacted once more on their way out."""

import json
from collections.abc import Iterator
from typing import Final

from agent.console.signal_log import lines_backwards
from agent.observation.logs import Redactor
from perpfut_lib.artifacts import AgentFolder
from perpfut_lib.types import JsonObject

KINDS: Final = ("fast", "slow")
LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
SEARCHED: Final = 20_000
"""Most lines that one request looks at."""


def log_page(folder: AgentFolder, redactor: Redactor, *, level: str, text: str, limit: int = 200) -> list[JsonObject]:
    """Return the newest lines of at least this level that contain a text, newest first."""
    least, wanted = LEVELS.index(level) if level in LEVELS else 1, text.casefold()
    rows: list[JsonObject] = []
    for kind in KINDS:
        found = 0
        for line in _lines(folder, kind):
            row = _row(line, kind)
            if (
                row is None
                or LEVELS.index(row["level"]) < least
                or wanted not in line.decode(errors="replace").casefold()
            ):
                continue
            rows.append(redactor.tree(row))
            found += 1
            if found >= limit:
                break
    return sorted(rows, key=lambda row: str(row["time"]), reverse=True)[:limit]


def _lines(folder: AgentFolder, kind: str) -> Iterator[bytes]:
    for number, line in enumerate(lines_backwards(folder.log(kind))):
        if number >= SEARCHED:
            return
        yield line


def _row(line: bytes, kind: str) -> JsonObject | None:
    try:
        tree = json.loads(line)
        level = str(tree["level"])
        if level not in LEVELS:
            return None
        head = {"time": tree["time"], "level": level, "kind": kind, "message": str(tree["message"])}
        rest = {name: value for name, value in tree.items() if name not in (*head, "logger")}
        return head | {"details": json.dumps(rest, default=str)[:2000] if rest else ""}
    except (ValueError, KeyError, TypeError):
        return None
