"""The agent's folder: every file that agent, executor and operator exchange, and what the agent keeps for itself."""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

from perpfut_lib.artifacts.contract import Document
from perpfut_lib.artifacts.contract_io import KINDS, read_document, write_document
from perpfut_lib.artifacts.runs import Run
from perpfut_lib.errors import ArtifactError

D = TypeVar("D", bound=Document)


@dataclass(frozen=True)
class AgentFolder:
    """Files of one agent under ``artifacts/<profile>/agent/``."""

    path: Path
    """The folder."""
    key: bytes | None = None
    """Key that seals documents, where both sides share one."""

    @classmethod
    def of(cls, run: Run, key: bytes | None = None) -> "AgentFolder":
        """Return the agent's folder of a run."""
        return cls(run.path / "agent", key)

    def document(self, model: type[Document]) -> Path:
        """Return where documents of a kind lie: ``signal.json``, ``control.json``, ..."""
        return self.path / f"{KINDS[model]}.json"

    def read(self, model: type[D]) -> D:
        """Read the document of a kind; errors as for :func:`~perpfut_lib.artifacts.read_document`."""
        return read_document(self.document(model), model, self.key)

    def write(self, document: Document) -> None:
        """Replace the document of its kind."""
        write_document(self.document(type(document)), document, self.key)

    @property
    def memory(self) -> Path:
        """What the fast tick remembers, its last signal included: the one file whose replacement commits a tick."""
        return self.path / "memory.json"

    @property
    def governor_memory(self) -> Path:
        """What the governor remembers."""
        return self.path / "governor_memory.json"

    @property
    def history(self) -> Path:
        """Candles and symbol states that the slow tick keeps between its runs."""
        return self.path / "history"

    def checkpoints(self, kind: str = "fast") -> Path:
        """Return where checkpoints of graphs in flight lie (SQLite), one file per process."""
        return self.path / f"checkpoints-{kind}.sqlite"

    @property
    def heartbeat(self) -> Path:
        """When the scheduler was last alive."""
        return self.path / "heartbeat.json"

    def log(self, kind: str = "fast") -> Path:
        """Return the structured log of a process, rotated."""
        return self.path / "logs" / f"{kind}.jsonl"

    @property
    def decisions(self) -> Path:
        """Every signal as one JSON line, rotated."""
        return self.path / "logs" / "signals.jsonl"

    @property
    def trail(self) -> Path:
        """Return the folder of the executor's audit trail."""
        return self.path / "orders"

    @contextmanager
    def lock(self, kind: str = "fast") -> Iterator[None]:
        """Hold the folder for one process of a kind: two would give one sequence number twice.

        Raises
        ------
        ArtifactError
            Another process holds it, it cannot be written, or it is a link: opening it would touch what it points to.
        """
        with self._lock_file(kind) as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                found = f"another {kind} process at work in {self.path}"
                raise ArtifactError(found, "one a folder", "stop it, or use another profile") from error
            if kind == "fast":
                self.sweep()
            yield

    def _lock_file(self, kind: str) -> IO[bytes]:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            return open(os.open(self.path / f".lock-{kind}", flags, 0o644), "r+b")
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise ArtifactError(f"a lock in {self.path} is a link", "a file", "look at who put it there") from error
            found = f"{self.path} that cannot be written ({error.strerror})"
            raise ArtifactError(found, "a folder to write to", "mount it so, or free space") from error

    def sweep(self) -> None:
        """Delete what writers that were killed left half done; what is younger than a minute may still be written."""
        for orphan in self.path.rglob(".*.partial"):
            if time.time() - orphan.stat().st_mtime > 60:
                orphan.unlink(missing_ok=True)
