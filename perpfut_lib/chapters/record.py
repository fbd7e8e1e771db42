"""The record of an executed chapter: the notebook, whether it may be shown, its time and memory."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import nbformat

from perpfut_lib import pipeline
from perpfut_lib.artifacts import Run, read_json, write_bytes, write_json
from perpfut_lib.chapters.catalogue import Chapter
from perpfut_lib.config import Profile, hash_json
from perpfut_lib.errors import ChapterError
from perpfut_lib.types import JsonObject

REPORT_FILE = "run_report.json"
PATH_KEYS = ("input_path", "output_path")


class Status(StrEnum):
    """Whether an executed chapter may be shown."""

    CURRENT = "current"
    STALE = "stale"
    FAILED = "failed"
    ALTERED = "altered"
    MISSING = "missing"


@dataclass(frozen=True)
class Measured:
    """Time and memory that executing one chapter took."""

    seconds: float
    """Wall time."""
    peak_memory_mib: float
    """Largest resident memory of the kernel and its workers together, MiB, sampled."""


@dataclass(frozen=True)
class Executed:
    """The executed copy of a chapter under one profile."""

    chapter: Chapter
    profile: Profile

    @property
    def folder(self) -> Path:
        """Return the folder of executed chapters."""
        return Run.named(self.profile.name).path / "notebooks"

    @property
    def path(self) -> Path:
        """Return where the executed notebook lies."""
        return self.folder / self.chapter.path.name

    def status(self) -> Status:
        """Return whether the copy exists, ran to its end, is as written, and follows from what is there today."""
        if not self.path.is_file():
            return Status.MISSING
        notebook = nbformat.read(self.path, as_version=4)
        if not ran_to_its_end(notebook):
            return Status.FAILED
        mark = notebook.metadata.get("perpfut", {})
        if mark.get("outputs") != outputs_hash(notebook):
            return Status.ALTERED
        same = mark.get("key") == self.chapter.key(self.profile)
        return Status.CURRENT if same and pipeline.is_current(self.chapter.stage, self.profile) else Status.STALE

    def keep(self, notebook: nbformat.NotebookNode, *, failed: bool) -> None:
        """Write an executed notebook, marked with what it followed from, or as failed, and without local paths."""
        papermill = notebook.metadata.setdefault("papermill", {})
        for name in PATH_KEYS:
            papermill.pop(name, None)
        papermill["exception"] = True if failed else None
        for cell in notebook.cells:
            if "injected-parameters" in cell.metadata.get("tags", []):
                cell.metadata.tags.append("remove-cell")
        if not failed:
            mark = {"key": self.chapter.key(self.profile), "outputs": outputs_hash(notebook)}
            notebook.metadata.setdefault("perpfut", {}).update(mark)
        write_bytes(self.path, nbformat.writes(notebook).encode())

    def require_current(self) -> Path:
        """Return the path of a copy that may be shown; :class:`ChapterError` if it may not."""
        status = self.status()
        if status is not Status.CURRENT:
            remedy = f"run: perpfut run --profile {self.profile.name}"
            raise ChapterError(f"chapter {self.chapter.name} {status}", "it executed to its end and up to date", remedy)
        return self.path


def ran_to_its_end(notebook: nbformat.NotebookNode) -> bool:
    """Return whether every code cell was executed and none failed."""
    if notebook.metadata.get("papermill", {}).get("exception"):
        return False
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    failed = any(output.output_type == "error" for cell in cells for output in cell.outputs)
    return not failed and all(cell.execution_count is not None for cell in cells)


def outputs_hash(notebook: nbformat.NotebookNode) -> str:
    """Return the SHA-256 of all outputs, so that a number changed by hand is noticed."""
    return hash_json([cell.outputs for cell in notebook.cells if cell.cell_type == "code"])


def record(profile: Profile, name: str, measured: Measured) -> None:
    """Note what a chapter took in the run's report; the figures of chapters that were up to date stay."""
    path = Run.named(profile.name).path / REPORT_FILE
    chapters = read_report(profile).get("chapters", {}) | {name: asdict(measured)}
    total = {
        "seconds": round(sum(entry["seconds"] for entry in chapters.values()), 1),
        "peak_memory_mib": max(entry["peak_memory_mib"] for entry in chapters.values()),
    }
    write_json(path, {"profile": profile.name, "chapters": chapters, "total": total})


def read_report(profile: Profile) -> JsonObject:
    """Return the run's report, empty before the first chapter."""
    path = Run.named(profile.name).path / REPORT_FILE
    return dict(read_json(path)) if path.is_file() else {}
