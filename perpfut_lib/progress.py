"""Progress bars that reach the reader wherever the work runs: a terminal, a notebook, or a chapter run by papermill."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
from tqdm import tqdm
from tqdm.auto import tqdm as tqdm_auto

T = TypeVar("T")

CURVE_SUFFIX = ".curve.json"  # of the files in which agents in training leave their learning curves
PROGRESS_STREAM = "PERPFUT_PROGRESS"  # the runner's stream as a path; empty silences the bars


def track(items: Iterable[T], *, label: str, total: int | None = None, unit: str = "it") -> Iterator[T]:
    """Yield ``items`` while a bar with ``label`` shows how far the work is.

    Parameters
    ----------
    items : iterable
        What to iterate over.
    label : str
        What is being done, in a few words.
    total : int, optional
        Number of items where ``items`` has no length.
    unit : str
        Name of one item.

    Notes
    -----
    The bar goes to standard error, to a widget in an interactive notebook, or, where the environment variable
    ``PERPFUT_PROGRESS`` names a file, to that file, so that it never lands in a chapter's outputs.
    """
    target = os.environ.get(PROGRESS_STREAM)
    if target is None:
        yield from tqdm_auto(items, desc=label, total=total, unit=unit, mininterval=0.5)
    elif not target:
        yield from items
    else:
        with open(target, "a", encoding="utf-8") as stream:
            yield from tqdm(items, desc=label, total=total, unit=unit, file=stream, mininterval=0.5, dynamic_ncols=True)


@contextmanager
def meter(*, label: str, total: int, unit: str, position: int = 0) -> Iterator[Callable[[int], object]]:
    """Yield a function that moves a bar forward by so many units; for work done by several threads at once.

    Parameters
    ----------
    label : str
        What is being done.
    total : int
        Number of units.
    unit : str
        Name of one unit.
    position : int
        Line of the bar; only the first one, 0, goes to a file named by ``PERPFUT_PROGRESS``.
    """
    target = os.environ.get(PROGRESS_STREAM)
    look = {"desc": label, "total": total, "unit": unit, "unit_scale": True, "mininterval": 0.5}
    if target is None:
        with tqdm_auto(**look, position=position, leave=position == 0) as bar:
            yield bar.update
    elif not target or position:
        yield lambda units: None
    else:
        with open(target, "a", encoding="utf-8") as stream, tqdm(**look, file=stream, dynamic_ncols=True) as bar:
            yield bar.update


class Tally:
    """Counts of tasks in one file: every task writes its own, whatever process it runs in, and one reader adds them.

    Parameters
    ----------
    file : Path
        Made by :func:`tallied`; where it is not there (another machine), nothing is counted.
    number : int
        Place of this task.
    """

    def __init__(self, file: Path, number: int) -> None:
        self._counts = np.memmap(file, np.int64, "r+") if file.is_file() else np.zeros(number + 1, np.int64)
        self._number = number

    def set(self, count: int) -> None:
        """Say how far the task is."""
        self._counts[self._number] = count


def begun(file: Path) -> Path:
    """Return the empty file whose time of change is when the tasks of a :class:`Tally` began."""
    return file.with_name(f"{file.name}.begun")


@contextmanager
def tallied(file: Path, *, tasks: int, label: str, total: int, unit: str) -> Iterator[None]:
    """Show a bar of the sum of :class:`Tally` counts while the block runs.

    Parameters
    ----------
    file : Path
        Where the tasks count.
    tasks : int
        Number of tasks.
    label, total, unit
        As for :func:`meter`.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    np.zeros(tasks, np.int64).tofile(file)
    begun(file).touch()
    counts, over = np.memmap(file, np.int64, "r"), threading.Event()

    def watch(advance: Callable[[int], object]) -> None:
        seen = 0
        while not over.wait(0.25):
            seen, before = int(counts.sum()), seen
            advance(seen - before)
        advance(int(counts.sum()) - seen)

    with meter(label=label, total=total, unit=unit) as advance:
        thread = threading.Thread(target=watch, args=(advance,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
