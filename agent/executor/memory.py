"""What the executor remembers across restarts: a sealed, versioned file, and the one before it.

A file that cannot be read, or is of another version, is set aside and said; the one before it takes its place.
"""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from decimal import InvalidOperation
from pathlib import Path
from typing import Final, Self

from agent.executor.intent import ReadState
from agent.executor.performance import Performance
from agent.executor.state import State
from agent.executor.stops import StopBook
from agent.executor.targets import Base
from agent.state.sealed_file import read_sealed, write_sealed
from perpfut_lib.artifacts import Clocks
from perpfut_lib.errors import ArtifactError, MissingInputError
from perpfut_lib.types import Json, JsonObject

log = logging.getLogger(__name__)

MEMORY: Final = "executor.json"
BACKUP: Final = "executor.before.json"
VERSION: Final = 2
_WRONG_SHAPE: Final = (KeyError, TypeError, ValueError, AttributeError, InvalidOperation)


@dataclass(frozen=True)
class Memory:
    """Everything that must survive a restart."""

    read_state: ReadState = field(default_factory=ReadState)
    base: Base = field(default_factory=lambda: Base(-1, 0.0))
    books: Performance = field(default_factory=lambda: Performance(0.0, 0.0, 0.0))
    state: State = field(default_factory=State)
    marks: Mapping[str, float] = field(default_factory=dict)
    """Last prices by symbol."""
    seq: int = 0
    """Number of the last snapshot."""
    stops: StopBook = field(default_factory=StopBook)
    """Stops that may rest at the exchange."""
    at: Clocks = field(default_factory=lambda: Clocks(0, 0))
    """When it was written: wall clock, and the monotonic clock of the state's times."""

    def to_json(self) -> JsonObject:
        """Return it as plain JSON."""
        return {
            "version": VERSION,
            "heard": self.read_state.to_json(),
            "base": asdict(self.base),
            "books": self.books.to_json(),
            "state": self.state.to_json(),
            "marks": dict(self.marks),
            "seq": self.seq,
            "stops": self.stops.to_json(),
            "at": asdict(self.at),
        }

    @classmethod
    def from_json(cls, tree: Json, monotonic: int) -> Self:
        """Return what :meth:`to_json` wrote.

        Raises
        ------
        ArtifactError
            It is of another version or shape.
        """
        found = tree.get("version") if isinstance(tree, dict) else type(tree).__name__
        if found != VERSION:
            raise ArtifactError(f"an executor's memory of version {found}", f"version {VERSION}", "look at the folder")
        try:
            return cls(
                ReadState.from_json(tree["heard"], monotonic),
                Base(**tree["base"]),
                Performance.from_json(tree["books"]),
                State.from_json(tree["state"]),
                {str(symbol): float(price) for symbol, price in tree["marks"].items()},
                int(tree["seq"]),
                StopBook.from_json(tree.get("stops", ())),
                Clocks(**tree["at"]),
            )
        except _WRONG_SHAPE as error:
            found = f"an executor's memory of another shape ({type(error).__name__}: {error})"
            raise ArtifactError(found[:300], f"version {VERSION} as it is written", "look at the folder") from error


@dataclass(frozen=True)
class MemoryFiles:
    """The memory in a folder."""

    folder: Path

    def load(self, clocks: Clocks) -> tuple[Memory | None, bool]:
        """Return what was remembered, if it can be read, and whether some of it could not."""
        lost = False
        for name in (MEMORY, BACKUP):
            path = self.folder / name
            try:
                return Memory.from_json(read_sealed(path), clocks.monotonic), lost
            except MissingInputError:
                continue
            except ArtifactError as error:
                aside = path.with_name(f"{name}.unreadable-{clocks.wall}")
                path.rename(aside)
                lost = True
                log.error("the executor's memory is set aside as %s: %s", aside.name, error)
        return None, lost

    def save(self, memory: Memory) -> None:
        """Replace the memory."""
        write_sealed(self.folder / MEMORY, memory.to_json())

    def keep(self, memory: Memory) -> None:
        """Replace the memory and the one that takes its place when it is torn."""
        write_sealed(self.folder / BACKUP, memory.to_json())
        self.save(memory)
