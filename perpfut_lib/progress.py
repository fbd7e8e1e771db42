"""Progress bars that reach the reader wherever the work runs: a terminal, a notebook, or a chapter run by papermill."""

import os
import sys
from collections.abc import Iterable, Iterator
from typing import TextIO, TypeVar

from tqdm.auto import tqdm

T = TypeVar("T")

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
    """
    stream, close = _stream()
    try:
        yield from tqdm(items, desc=label, total=total, unit=unit, file=stream, disable=stream is None, mininterval=0.5)
    finally:
        if close and stream is not None:
            stream.close()


def _stream() -> tuple[TextIO | None, bool]:
    """Return the stream that bars go to, and whether this module opened it."""
    target = os.environ.get(PROGRESS_STREAM)
    if target is None:
        return sys.stderr, False
    if not target:
        return None, False
    return open(target, "a", encoding="utf-8"), True
