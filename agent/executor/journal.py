"""Memory and audit trail together: what is written down of every step, as far as the disk takes it."""

import logging
from collections.abc import Mapping
from typing import Any

from agent.executor.memory import Memory, MemoryFiles
from agent.executor.trail import Trail
from perpfut_lib.artifacts import Clocks

log = logging.getLogger(__name__)


class Journal:
    """What an executor writes; a full disk is said and does not stop it from closing positions.

    Parameters
    ----------
    files : MemoryFiles
        The memory.
    trail : Trail
        The audit trail.
    """

    def __init__(self, files: MemoryFiles, trail: Trail) -> None:
        self.files, self.trail = files, trail
        self.forgetful = False
        """Whether the last step could not be remembered: then nothing is opened."""
        self._recalled: tuple[Memory | None, bool] | None = None

    def recall(self, clocks: Clocks) -> tuple[Memory | None, bool]:
        """Return what was remembered before the start, if it can be read, and whether some of it could not."""
        if self._recalled is None:
            self._recalled = self.files.load(clocks)
        return self._recalled

    def save(self, memory: Memory) -> None:
        """Remember everything."""
        try:
            self.files.save(memory)
            self.forgetful = False
        except OSError as error:
            log.error("nothing can be remembered, so nothing is opened: %s", error)
            self.forgetful = True

    def note(self, clocks: Clocks, kind: str, body: Mapping[str, Any]) -> None:
        """Append an event to the audit trail."""
        try:
            self.trail.note(kind, clocks, body)
        except OSError as error:
            log.error("the audit trail lacks %s %s: %s", kind, body, error)
