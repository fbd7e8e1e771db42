"""One look at an agent's folder: every document as it is, or why it cannot be used. Nothing is ever written."""

import shutil
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from agent.console.trades import Ledger
from agent.decision.governor_rules import GovernorState, Point
from agent.operation.status import heartbeat_age
from agent.state.sealed_file import read_sealed
from perpfut_lib.artifacts import ActivePairs, AgentFolder, Control, GovernorOrder, PerfSnapshot, Signal
from perpfut_lib.artifacts.contract import Document
from perpfut_lib.errors import ArtifactError, MissingInputError, PerpfutError

D = TypeVar("D", bound=Document)


@dataclass(frozen=True)
class Found(Generic[D]):
    """A document, or the reason why there is none."""

    document: D | None = None
    """Valid in form and seal."""
    fault: str = ""
    """Why it cannot be used; empty where it can, or where it was never written."""


@dataclass(frozen=True)
class Reading:
    """What the folder said at one moment."""

    now: int
    """The reader's clock, ms UTC."""
    heartbeat_ms: int | None
    """Age of the heartbeat; none if the scheduler was never seen."""
    control: Found[Control]
    governor: Found[GovernorOrder]
    pairs: Found[ActivePairs]
    signal: Found[Signal]
    performance: Found[PerfSnapshot]
    points: tuple[Point, ...]
    """The governor's recent snapshots, oldest first."""
    marks: dict[str, tuple[float, float]]
    """Last closes of the legs by followed pair."""
    free_bytes: int
    """Space left on the folder's disk."""
    ledger: Ledger = field(default_factory=Ledger)
    """What the audit trail says of the account."""

    def documents(self) -> dict[str, Found[Document]]:
        """Return every document by the name of its file."""
        return {
            "control.json": self.control,  # type: ignore[dict-item]
            "governor.json": self.governor,  # type: ignore[dict-item]
            "active_pairs.json": self.pairs,  # type: ignore[dict-item]
            "signal.json": self.signal,  # type: ignore[dict-item]
            "perf_snapshot.json": self.performance,  # type: ignore[dict-item]
        }


def read_folder(folder: AgentFolder, now: int) -> Reading:
    """Read everything that the agent, its executor and its operator wrote; what is unreadable is part of the answer."""
    return Reading(
        now=now,
        heartbeat_ms=heartbeat_age(folder, now),
        control=_find(folder, Control),
        governor=_find(folder, GovernorOrder),
        pairs=_find(folder, ActivePairs),
        signal=_find(folder, Signal),
        performance=_find(folder, PerfSnapshot),
        points=_points(folder),
        marks=_marks(folder),
        free_bytes=shutil.disk_usage(folder.path if folder.path.exists() else folder.path.anchor).free,
    )


def _find(folder: AgentFolder, model: type[D]) -> Found[D]:
    try:
        return Found(folder.read(model))
    except MissingInputError:
        return Found()
    except PerpfutError as error:
        return Found(fault=str(error))


def _points(folder: AgentFolder) -> tuple[Point, ...]:
    try:
        return GovernorState.model_validate(read_sealed(folder.governor_memory)["state"], strict=False).points
    except (ArtifactError, MissingInputError, KeyError, TypeError, ValueError):
        return ()  # nothing yet, or nothing of ours: the governor itself starts anew then


def _marks(folder: AgentFolder) -> dict[str, tuple[float, float]]:
    try:
        followed = read_sealed(folder.memory)["tracks"]
        return {track["pair"]: (float(track["marks"][0]), float(track["marks"][1])) for track in followed}
    except (ArtifactError, MissingInputError, KeyError, TypeError, ValueError, IndexError):
        return {}
