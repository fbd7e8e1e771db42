"""Run chapters in order through doit, which skips those that are up to date and stops at the first failure."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain

from perpfut_lib.artifacts import Run
from perpfut_lib.chapters.catalogue import Chapter
from perpfut_lib.chapters.execution import execute
from perpfut_lib.chapters.record import Executed, Status, record
from perpfut_lib.chapters.reporter import ChapterReporter
from perpfut_lib.config import Profile, load_profile
from perpfut_lib.errors import ChapterError, PerpfutError
from perpfut_lib.types import JsonObject

DATABASE = ".doit.db.json"


@dataclass(frozen=True)
class Order:
    """What to run: the settings, by profile and overrides, and the chapters."""

    source_profile: str
    overrides: tuple[str, ...]
    chapters: tuple[Chapter, ...]

    def profile(self) -> Profile:
        """Return the settings; :class:`perpfut_lib.errors.ConfigError` where they are not valid."""
        return load_profile(self.source_profile, self.overrides)


def run_chapters(order: Order, stream: TextIO | None = None) -> None:
    """Bring the chapters up to date, in order.

    Raises
    ------
    ChapterError
        A chapter failed; those after it were not run.
    PerpfutError
        The settings or the input files are wrong; nothing was run.
    """
    profile = order.profile()
    for chapter in order.chapters:
        chapter.key(profile)  # names a missing input file before anything is written
    failures: list[PerpfutError] = []
    folder = Run.named(profile.name).path
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "dep_file": str(folder / DATABASE),
        "backend": "json",
        "verbosity": 2,
        "reporter": ChapterReporter(stream or sys.stdout, [Executed(chapter, profile) for chapter in order.chapters]),
    }
    loader = ModuleTaskLoader({"DOIT_CONFIG": config, "task_chapter": lambda: chapter_tasks(order, failures)})
    code = DoitMain(loader).run(["run", "chapter"])
    if failures:
        raise failures[0]
    if code:
        raise ChapterError(f"doit ending with code {code}", "0", "read its message above")


def chapter_tasks(order: Order, failures: list[PerpfutError] | None = None) -> Iterator[JsonObject]:
    """Yield one doit task per chapter; errors raised on purpose are appended to ``failures``.

    Notes
    -----
    Whether a chapter is up to date is read from its executed copy, which carries the hash of all that it followed
    from, so that the book can ask the same question.
    """
    profile = order.profile()
    for chapter in order.chapters:
        executed = Executed(chapter, profile)
        yield {
            "name": chapter.name,
            "doc": f"execute notebooks/{chapter.path.name} under profile {profile.name}",
            "actions": [(_execute, [executed, order, failures if failures is not None else []])],
            "uptodate": [(_is_current, [executed])],
            "targets": [str(executed.path)],
        }


def _execute(executed: Executed, order: Order, failures: list[PerpfutError]) -> bool:
    """Run one chapter; doit stops the run at a false answer."""
    try:
        measured = execute(executed, order.source_profile, order.overrides)
    except PerpfutError as error:
        failures.append(error)
        return False
    record(executed.profile, executed.chapter.name, measured)
    return True


def _is_current(executed: Executed) -> bool:
    return executed.status() is Status.CURRENT
