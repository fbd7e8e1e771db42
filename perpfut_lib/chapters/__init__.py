"""The chapters of the book: notebooks run in order by papermill, with doit deciding which are out of date."""

from perpfut_lib.chapters.catalogue import Chapter, catalogue, select
from perpfut_lib.chapters.record import Executed, Status
from perpfut_lib.chapters.runner import Order, chapter_tasks, run_chapters

__all__ = ["Chapter", "Executed", "Order", "Status", "catalogue", "chapter_tasks", "run_chapters", "select"]
