"""Tasks on a Dask cluster: what a lost worker was working on is done again elsewhere."""

import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from distributed import Client, KilledWorker, as_completed

from perpfut_lib.errors import WorkerLostError

Task = TypeVar("Task")
Result = TypeVar("Result")
T = TypeVar("T")


def run_on_cluster(
    function: Callable[[Task], Result], tasks: Sequence[Task], scheduler: str | None, workers: int
) -> Iterator[tuple[int, Result]]:
    """Yield the number and the result of every task as it is done; see :func:`perpfut_lib.compute.run_tasks`.

    A thread gets its next task when its last result is here, so a worker that dies takes no finished task with it.
    """
    own = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
    where = {"address": scheduler} if scheduler else own
    with Client(**where) as client, warnings.catch_warnings():  # type: ignore[no-untyped-call]
        warnings.filterwarnings("ignore", message="Sending large graph")
        # As the result of a task, all tasks together reach each worker once, and again if those who have them die.
        everything = client.submit(_same, (function, list(tasks)), pure=False)
        try:
            yield from _serve(client, everything, deque(range(len(tasks))))
        except KilledWorker as error:
            found = f"a task whose workers died again and again ({error})"
            raise WorkerLostError(found, "workers that live", "see whether memory ran out") from error


def _serve(client: Any, everything: Any, waiting: deque[int]) -> Iterator[tuple[int, Any]]:
    """Keep every thread of the cluster at work until all tasks are done."""
    at_work: dict[Any, tuple[int, str]] = {}
    done: Any = as_completed(with_results=True)  # type: ignore[no-untyped-call]

    def hand_out() -> None:
        busy = Counter(address for _, address in at_work.values())
        for address, threads in client.nthreads().items():
            for _ in range(min(threads - busy[address], len(waiting))):
                number = waiting.popleft()
                # Where the data are already is no reason to wait there for a busy worker, so the place is named.
                place = {"workers": [address], "allow_other_workers": True}
                future = client.submit(_perform, everything, number, pure=False, **place)
                at_work[future] = number, address
                done.add(future)

    hand_out()
    for future, result in done:
        number, _ = at_work.pop(future)
        future.release()  # or it would be done again if its worker dies
        hand_out()
        yield number, result


def _same(value: T) -> T:
    return value


def _perform(everything: tuple[Callable[[Any], Any], list[Any]], number: int) -> Any:
    function, tasks = everything
    return function(tasks[number])
