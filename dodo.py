"""Tasks for doit: ``doit`` runs the chapters that are out of date, ``doit list --all`` shows them.

``perpfut run`` does the same with options; ``doit profile=smoke`` picks a profile here.
"""

from collections.abc import Iterator
from typing import Any

from doit import get_var

from perpfut_lib.chapters import Order, catalogue, chapter_tasks

DOIT_CONFIG = {"default_tasks": ["chapter"], "verbosity": 2}


def task_chapter() -> Iterator[dict[str, Any]]:
    """Chapters of the book, in order."""
    yield from chapter_tasks(Order(get_var("profile", "default"), (), tuple(catalogue())))
