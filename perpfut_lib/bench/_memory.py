"""Peak memory of a piece of work: of this process and all its children, sampled while it runs."""

import threading
from types import TracebackType
from typing import Self

import psutil

PERIOD = 0.2


class PeakMemory:
    """Context manager; ``gib`` is the largest sum of proportional set sizes seen, imported packages included.

    Pages that processes share are counted once.
    """

    def __init__(self) -> None:
        self.gib = 0.0
        self._done = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._sampler.join()

    def _sample(self) -> None:
        while not self._done.wait(PERIOD):
            self.gib = max(self.gib, _used() / 2**30)


def _used() -> int:
    """Return the proportional set sizes of this process and its children in bytes."""
    total = 0
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        try:
            total += process.memory_full_info().pss
        except psutil.NoSuchProcess:  # it ended between listing and reading
            continue
    return total
