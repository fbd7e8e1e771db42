"""Independent tasks on local processes or on a Dask cluster: one setting, the same answer in the same order."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import joblib

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
        Arguments, picklable; arrays over 1 MB reach local processes as shared memory maps, read-only.
    compute : ComputeConfig
        Local processes, or a Dask cluster.
    label : str
        Text of the progress bar; no bar without it.

    Returns
    -------
    list
        One result per task. An exception in a task is raised here as it was there.

    Notes
    -----
    One worker, or one task, runs in this process: no pickling, and a debugger reaches it. Workers use one thread for
    linear algebra and numba each, so that cores are not shared out twice.
    """
    listed = list(tasks)
    workers = min(worker_count(compute), len(listed))
    if workers <= 1 and compute.backend == "local":
        return list(_tracked((function(task) for task in listed), listed, label))
    with _backend(compute):
        parallel = joblib.Parallel(n_jobs=workers if compute.backend == "local" else -1, return_as="generator")
        return list(_tracked(parallel(joblib.delayed(function)(task) for task in listed), listed, label))


def worker_count(compute: ComputeConfig) -> int:
    """Return the number of local processes: ``workers``, or the cores that this process may use."""
    return compute.workers or int(joblib.cpu_count())


def _tracked(results: Iterable[Result], tasks: Sequence[Any], label: str) -> Iterable[Result]:
    return track(results, label=label, total=len(tasks)) if label else results


@contextmanager
def _backend(compute: ComputeConfig) -> Iterator[None]:
    """Make the chosen backend joblib's default inside the block; a Dask cluster started here is closed again."""
    if compute.backend == "local":
        with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
            yield
        return
    from distributed import Client

    own = {"n_workers": worker_count(compute), "threads_per_worker": 1, "dashboard_address": None}
    where = {"address": compute.scheduler} if compute.scheduler else own
    with Client(**where), joblib.parallel_config(backend="dask"):  # type: ignore[no-untyped-call]
        yield
