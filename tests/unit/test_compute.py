"""Unit tests of ``perpfut_lib.compute``."""

import math
import os
import pickle
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from perpfut_lib.compute import run_tasks, worker_count
from perpfut_lib.config import ComputeConfig
from perpfut_lib.errors import ConfigError, PerpfutError, WorkerLostError
from perpfut_lib.types import Float1D


def _draw(seed: int) -> Float1D:
    return np.random.default_rng(seed).standard_normal(1000).cumsum()


def _process(_: int) -> int:
    return os.getpid()


def _refuse(_: int) -> None:
    raise ConfigError("a number", "a letter", "choose one")


def _note_and_maybe_die(task: tuple[Path, int, int]) -> Float1D:
    """Note the attempt; in the first ``deaths`` of them kill this process in the middle of the task."""
    folder, number, deaths = task
    attempts = len(list(folder.glob(f"{number}-*")))
    (folder / f"{number}-{attempts}").touch()
    if attempts < deaths:
        os.kill(os.getpid(), signal.SIGKILL)
    return _draw(number)


def _shared(task: tuple[Float1D, int]) -> tuple[bool, float]:
    return isinstance(task[0], np.memmap), float(task[0][task[1]])


LOCAL = ComputeConfig(workers=2)


@pytest.fixture(scope="module")
def dask() -> Iterator[ComputeConfig]:
    """Start a cluster that already runs, as another machine's would."""
    from distributed import LocalCluster  # the local processes, which import this file, do without

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield ComputeConfig(backend="dask", scheduler=cluster.scheduler_address)


@pytest.fixture(params=["local", "dask"])
def compute(request: pytest.FixtureRequest) -> ComputeConfig:
    return LOCAL if request.param == "local" else request.getfixturevalue("dask")


def test_one_worker_runs_in_this_process() -> None:
    """One worker needs no second process, so a debugger reaches the task."""
    assert run_tasks(_process, range(3), ComputeConfig(workers=1)) == [os.getpid()] * 3


def test_processes_return_in_task_order_the_bytes_of_one_process() -> None:
    """The result does not depend on the number of workers: order and bytes are those of a plain loop."""
    alone, together = (run_tasks(_draw, range(8), compute) for compute in (ComputeConfig(workers=1), LOCAL))
    assert [a.tobytes() for a in alone] == [b.tobytes() for b in together]


def test_dask_returns_the_bytes_of_local_processes() -> None:
    """One setting moves the work to a Dask cluster, and the answer keeps its order and its bytes."""
    own = ComputeConfig(backend="dask", workers=2)
    local, cluster = run_tasks(_draw, range(4), LOCAL), run_tasks(_draw, range(4), own)
    assert [a.tobytes() for a in local] == [b.tobytes() for b in cluster]


def test_an_error_in_a_worker_reaches_the_caller() -> None:
    """A failed task is not swallowed: its exception is raised here."""
    with pytest.raises(ValueError, match="math domain error"):
        run_tasks(math.sqrt, [1.0, -1.0], LOCAL)


def test_workers_default_to_the_cores() -> None:
    """Zero workers means one for every core."""
    assert worker_count(ComputeConfig()) >= 1
    assert run_tasks(_draw, [], ComputeConfig()) == []


def test_a_killed_worker_costs_only_its_own_task(tmp_path, compute) -> None:
    """One worker is killed in the middle of task 2: that task is done twice, every other once, no bit differs."""
    results = run_tasks(_note_and_maybe_die, [(tmp_path, number, int(number == 2)) for number in range(6)], compute)
    assert [result.tobytes() for result in results] == [_draw(number).tobytes() for number in range(6)]
    attempts = [len(list(tmp_path.glob(f"{number}-*"))) for number in range(6)]
    assert attempts == [1, 1, 2, 1, 1, 1]


def test_a_task_that_always_kills_its_worker_is_named(tmp_path, monkeypatch) -> None:
    """A task that cannot be done ends in an error, not in an endless row of workers."""
    monkeypatch.setattr("perpfut_lib.compute.local.ATTEMPTS", 2)
    with pytest.raises(WorkerLostError, match="task 1 whose worker died 2 times, at last with exit code -9"):
        run_tasks(_note_and_maybe_die, [(tmp_path, 0, 0), (tmp_path, 1, 9)], LOCAL)


def test_named_errors_cross_processes(compute) -> None:
    """A named error arrives with its class and its parts, and says where in the worker it was raised."""
    with pytest.raises(ConfigError, match="found a number; expected a letter") as caught:
        run_tasks(_refuse, range(2), compute)
    assert caught.value.remedy == "choose one"


def test_every_named_error_can_be_pickled() -> None:
    for kind in (PerpfutError, *PerpfutError.__subclasses__()):
        copy = pickle.loads(pickle.dumps(kind("a", "b", "c")))
        assert type(copy) is kind and str(copy) == str(kind("a", "b", "c"))


def test_local_processes_share_large_arrays() -> None:
    """An array that all tasks hold is written once and mapped by every process."""
    array = np.arange(300_000, dtype=np.float64)
    assert run_tasks(_shared, [(array, 1), (array, 2), (array, 3)], LOCAL) == [(True, 1.0), (True, 2.0), (True, 3.0)]
