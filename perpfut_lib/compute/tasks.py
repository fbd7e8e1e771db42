"""The one function that runs tasks, wherever the configuration says."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import joblib

from perpfut_lib.compute.local import run_on_processes
from perpfut_lib.config import ComputeConfig
from perpfut_lib.progress import track

Task = TypeVar("Task")
Result = TypeVar("Result")


def run_tasks(
    function: Callable[[Task], Result], tasks: Iterable[Task], compute: ComputeConfig, *, label: str = ""
) -> list[Result]:
    """Apply ``function`` to every task and return the results in the order of the tasks.

    Parameters
    ----------
    function : callable
        Takes one task. It must be importable by name, draw randomness only from seeds that its task carries, and
        give bits that do not depend on the number of threads; then the answer is the same wherever it runs.
    tasks : iterable
        Arguments, picklable. Objects that several tasks hold are sent once; local processes share their arrays as
        read-only memory maps.
    compute : ComputeConfig
        Local processes, or a Dask cluster.
    label : str
        Text of the progress bar; no bar without it.

    Returns
    -------
    list
        One result per task. An exception in a task is raised here as it was there.

    Raises
    ------
    WorkerLostError
        A task took its worker down with it again and again.

    Notes
    -----
    A worker that is killed costs the task that it was working on, which is done again. One local worker, or one task,
    runs in this process: no pickling, and a debugger reaches it. Workers use one thread for linear algebra and numba
    each, so that cores are not shared out twice.
    """
    listed = list(tasks)
    done: Iterable[tuple[int, Result]] = _results(function, listed, compute)
    if label:
        done = track(done, label=label, total=len(listed))
    results = dict(done)
    return [results[number] for number in range(len(listed))]


def worker_count(compute: ComputeConfig) -> int:
    """Return the number of local processes: ``workers``, or the cores that this process may use."""
    return compute.workers or int(joblib.cpu_count())


def _results(
    function: Callable[[Task], Result], tasks: Sequence[Task], compute: ComputeConfig
) -> Iterator[tuple[int, Result]]:
    """Yield the number and the result of every task as it is done."""
    workers = min(worker_count(compute), len(tasks))
    if compute.backend == "dask" and tasks:
        from perpfut_lib.compute.cluster import run_on_cluster

        return run_on_cluster(function, tasks, compute.scheduler, worker_count(compute))
    if workers > 1:
        return run_on_processes(function, tasks, workers)
    return ((number, function(task)) for number, task in enumerate(tasks))
