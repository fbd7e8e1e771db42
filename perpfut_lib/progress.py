"""Progress bars that reach the reader wherever the work runs: a terminal, a notebook, or a chapter run by papermill."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tqdm import tqdm
from tqdm.auto import tqdm as tqdm_auto

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
