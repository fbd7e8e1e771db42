"""What the reader sees of a run: one line per chapter, with its time and peak memory."""

from typing import Any, TextIO

from doit.reporter import ZeroReporter
from doit.task import Task

from perpfut_lib.chapters.record import Executed, read_report


class ChapterReporter(ZeroReporter):  # type: ignore[misc]  # doit is untyped
    """Write ``2/7 02_data_quality … 12.3 s, peak 812 MiB``; the command reports failures."""

    def __init__(self, stream: TextIO, executed: list[Executed]) -> None:
        super().__init__(stream, {})
        self._stream = stream
        self._executed = {f"chapter:{item.chapter.name}": item for item in executed}
        self._order = list(self._executed)

    def execute_task(self, task: Task) -> None:
        """Say which chapter begins."""
        self._say(task, "running")

    def add_success(self, task: Task) -> None:
        """Say what the chapter took."""
        if task.name in self._executed:
            executed = self._executed[task.name]
            entry = read_report(executed.profile)["chapters"][executed.chapter.name]
            self._say(task, f"{entry['seconds']:.1f} s, peak {entry['peak_memory_mib']:.0f} MiB")

    def skip_uptodate(self, task: Task) -> None:
        """Say that nothing had to be done."""
        self._say(task, "up to date")

    def add_failure(self, task: Task, fail: Any) -> None:
        """Say where the run stops."""
        self._say(task, "FAILED")
        if fail.traceback:  # not raised on purpose
            self._stream.write(fail.get_msg())

    def _say(self, task: Task, text: str) -> None:
        if task.name in self._executed:
            place = self._order.index(task.name) + 1
            name = self._executed[task.name].chapter.name
            self._stream.write(f"{place:>2}/{len(self._order)}  {name:<24}{text}\n")
            self._stream.flush()
