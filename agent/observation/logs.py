"""Structured logs: one JSON object a line, secrets blotted out, bounded on disk."""

import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final

BLOT: Final = "***"
MAX_BYTES: Final = 5 * 2**20
BACKUPS: Final = 3
_SECRET_NAME = re.compile(
    r"key|secret|token|passw|passphrase|credential|authorization|signature|seed_phrase|mnemonic", re.I
)
_SECRET_TEXT = re.compile(
    r"(?i)((?:api[-_]?key|secret|token|password|passphrase|signature|authorization)[\"']?\s*[=:]\s*[\"']?(?:bearer\s+)?)"
    r"([^\s\"'&,;}]{4,})"
)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Redactor:
    """Blots out secrets: values of variables with telling names, and whatever follows such a name in text.

    Parameters
    ----------
    environment : mapping, optional
        Where secrets are looked for; by default the process's environment.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        source = os.environ if environment is None else environment
        values = {value for name, value in source.items() if _SECRET_NAME.search(name) and len(value) >= 6}
        self._values = sorted(values, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return ``text`` with every known secret and every value behind a telling name blotted out."""
        for value in self._values:
            text = text.replace(value, BLOT)
        return _SECRET_TEXT.sub(lambda match: match[1] + BLOT, text)

    def tree(self, value: Any) -> Any:
        """Return ``value`` (mappings, sequences, scalars) with secrets blotted out, whatever they are nested in."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(name)): self._entry(str(name), item) for name, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.tree(item) for item in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        return self.text(repr(value))

    def _entry(self, name: str, value: Any) -> Any:
        return BLOT if _SECRET_NAME.search(name) and isinstance(value, str) else self.tree(value)


class JsonLines(logging.Formatter):
    """One record, one line of JSON; what is passed as ``extra`` becomes fields."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON, redacted as a whole."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": time, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["exception"] = "".join(traceback.format_exception(*record.exc_info))[-4000:]
        return json.dumps(self._redactor.tree(line), default=repr)


def start_logging(file: Path | None, *, console: bool = True, level: int = logging.INFO) -> Redactor:
    """Send all logs of this process through one redacting formatter and return the redactor.

    Parameters
    ----------
    file : Path or None
        Where lines go, rotated at 5 MiB with three older files kept; none for no file.
    console : bool
        Whether they also go to standard error.
    level : int
        Least level.
    """
    redactor = Redactor()
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)] if console else []
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(RotatingFileHandler(file, maxBytes=MAX_BYTES, backupCount=BACKUPS, encoding="utf-8"))
    for handler in handlers:
        handler.setFormatter(JsonLines(redactor))
    logging.basicConfig(level=level, handlers=handlers, force=True)
    for noisy in ("urllib3", "ccxt", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # A dead trace endpoint would write pages of run ids into the log at every tick.
    for observer in ("langsmith", "opentelemetry"):
        logging.getLogger(observer).setLevel(logging.CRITICAL)
    return redactor
