"""Watch a chapter while it runs: pass its progress bars on to the reader, and take the peak of its memory."""

import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import psutil

from perpfut_lib.progress import PROGRESS_STREAM

SAMPLE_SECONDS = 0.2
LINE_SECONDS = 15.0  # between two lines of progress where the reader is a log file
MIB = 1 << 20
ERASE_LINE = "\r\x1b[K"
_MOVES = re.compile(r"\x1b\[\d*A")


class Monitor:
    """A thread that copies new progress to ``stream`` and samples the memory of this process's children."""

    def __init__(self, bars: Path, stream: TextIO) -> None:
        self.peak_bytes = 0
        self._bars, self._stream = bars, stream
        self._position, self._last_line = 0, time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Start watching."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching and clear the bar from the terminal."""
        self._stop.set()
        self._thread.join()
        if self._stream.isatty() and self._position:
            self._stream.write(ERASE_LINE)
            self._stream.flush()

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            self.peak_bytes = max(self.peak_bytes, children_memory())
            self._pass_on()

    def _pass_on(self) -> None:
        """Copy new progress: all of it to a terminal, only the latest state at intervals to a log."""
        with self._bars.open(encoding="utf-8", errors="replace", newline="") as bars:
            bars.seek(self._position)
            text = _MOVES.sub("", bars.read())  # nested bars share the one line
            if self._stream.isatty():
                self._position = bars.tell()
                self._stream.write(text.replace("\n", ERASE_LINE))
            elif text and time.monotonic() - self._last_line >= LINE_SECONDS:
                self._position, self._last_line = bars.tell(), time.monotonic()
                states = [state.strip() for state in text.replace("\n", "\r").split("\r")]
                self._stream.write(f"     {next((state for state in reversed(states) if state), '')}\n")
            self._stream.flush()


@contextmanager
def watched(stream: TextIO | None = None) -> Iterator[Monitor]:
    """Yield a running :class:`Monitor`; processes started inside send their progress bars to it."""
    stream = stream or sys.__stderr__ or sys.stderr
    before = os.environ.get(PROGRESS_STREAM)
    with tempfile.NamedTemporaryFile(prefix="perpfut-progress-") as bars:
        os.environ[PROGRESS_STREAM] = bars.name
        monitor = Monitor(Path(bars.name), stream)
        monitor.start()
        try:
            yield monitor
        finally:
            monitor.stop()
            if before is None:
                del os.environ[PROGRESS_STREAM]
            else:
                os.environ[PROGRESS_STREAM] = before


def children_memory() -> int:
    """Return the resident bytes of all descendants of this process."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
