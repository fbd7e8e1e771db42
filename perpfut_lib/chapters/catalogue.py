"""Which chapters there are, and what each depends on."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat

from perpfut_lib import pipeline
from perpfut_lib.artifacts import source_hash
from perpfut_lib.config import Profile, hash_json, project_root
from perpfut_lib.errors import ChapterError, ConfigError
from perpfut_lib.report.operation import operation_hash
from perpfut_lib.report.sources import results_hash

FOLDER = "notebooks"
REPORT = "perpfut_lib.report"  # every chapter shows its results through this package
# these show published results beside their own
SHOW_PUBLISHED = dict.fromkeys(("train", "evaluate", "attribution", "robustness"), results_hash) | {
    "replay": operation_hash
}
_NAME = re.compile(r"(\d\d)_[a-z0-9_]+")


@dataclass(frozen=True)
class Chapter:
    """One notebook of the book."""

    path: Path
    """The notebook as it is kept in the repository."""
    stage: str
    """The last stage of the pipeline that it shows; all that comes before belongs to it too."""

    @property
    def name(self) -> str:
        """Return its name, such as ``04_features``."""
        return self.path.stem

    @property
    def number(self) -> int:
        """Return its number."""
        return int(self.name[:2])

    def key(self, profile: Profile) -> str:
        """Return the hash of everything that the executed chapter follows from: text, settings, code, input files."""
        stages = pipeline.needed(self.stage)
        sections = sorted({section for stage in stages for section in stage.sections})
        modules = [*(stage.module for stage in stages), REPORT]
        parts = {
            "profile": profile.name,
            "source": notebook_source_hash(self.path),
            "config": profile.sections_hash(sections),
            "code": {module: source_hash(module) for module in modules},
            "input": pipeline.fingerprint(profile),
            "published": SHOW_PUBLISHED[self.stage]() if self.stage in SHOW_PUBLISHED else "",
        }
        return hash_json(parts)


def catalogue() -> list[Chapter]:
    """Return the chapters in order: every ``NN_name.ipynb`` in ``notebooks/``.

    Raises
    ------
    ChapterError
        There is none, or one does not name the stage that it shows.
    """
    folder = project_root() / FOLDER
    chapters = [_chapter(path) for path in sorted(folder.glob("*.ipynb")) if _NAME.fullmatch(path.stem)]
    if not chapters:
        raise ChapterError(f"no chapter in {folder}", "notebooks named NN_name.ipynb", "check the project's folder")
    return chapters


def select(first: int | None = None, last: int | None = None) -> list[Chapter]:
    """Return the chapters numbered ``first`` to ``last``, both included; :class:`ConfigError` where there is none."""
    every = catalogue()
    low = every[0].number if first is None else first
    high = every[-1].number if last is None else last
    chosen = [chapter for chapter in every if low <= chapter.number <= high]
    if not chosen:
        known = f"numbers between {every[0].number} and {every[-1].number}, the first not above the last"
        raise ConfigError(f"no chapter from {low} to {high}", known, "perpfut chapters list shows them")
    return chosen


def notebook_source_hash(path: Path) -> str:
    """Return the SHA-256 of a notebook's cells and captions, blind to outputs and execution counts."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    shown = [
        (cell["cell_type"], cell["metadata"].get("tags", []), cell["metadata"].get("mystnb"), "".join(cell["source"]))
        for cell in cells
    ]
    return hashlib.sha256(json.dumps(shown).encode()).hexdigest()


def _chapter(path: Path) -> Chapter:
    stage = nbformat.read(path, as_version=4).metadata.get("perpfut", {}).get("stage")
    if stage not in pipeline.BY_NAME:
        expected = f"metadata.perpfut.stage to be one of {', '.join(pipeline.BY_NAME)}"
        raise ChapterError(f"{path.name} showing stage {stage!r}", expected, "set it in the notebook's metadata")
    return Chapter(path, stage)
