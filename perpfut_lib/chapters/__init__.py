"""The chapters of the book: notebooks run in order by papermill, with doit deciding which are out of date.

What runs them loads on first use: a chapter itself shows its tables with this package, and runs no other one.
"""

import importlib
from typing import TYPE_CHECKING, Any

from perpfut_lib.chapters.catalogue import Chapter, catalogue, select
from perpfut_lib.chapters.record import Executed, Status

if TYPE_CHECKING:
    from perpfut_lib.chapters.runner import Order, chapter_tasks, run_chapters

__all__ = ["Chapter", "Executed", "Order", "Status", "catalogue", "chapter_tasks", "run_chapters", "select"]


def __getattr__(name: str) -> Any:
    if name in {"Order", "chapter_tasks", "run_chapters"}:
        return getattr(importlib.import_module("perpfut_lib.chapters.runner"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
