"""Unit tests of ``perpfut_lib.compute``."""

import math
import os

import numpy as np
import pytest

from perpfut_lib.compute import run_tasks, worker_count
from perpfut_lib.config import ComputeConfig
from perpfut_lib.types import Float1D


def _draw(seed: int) -> Float1D:
    return np.random.default_rng(seed).standard_normal(1000).cumsum()


def _process(_: int) -> int:
    return os.getpid()


LOCAL = ComputeConfig(workers=2)
DASK = ComputeConfig(backend="dask", workers=2)


def test_one_worker_runs_in_this_process() -> None:
    """One worker needs no second process, so a debugger reaches the task."""
    assert run_tasks(_process, range(3), ComputeConfig(workers=1)) == [os.getpid()] * 3


def test_processes_return_in_task_order_the_bytes_of_one_process() -> None:
    """The result does not depend on the number of workers: order and bytes are those of a plain loop."""
    alone, together = (run_tasks(_draw, range(8), compute) for compute in (ComputeConfig(workers=1), LOCAL))
    assert [a.tobytes() for a in alone] == [b.tobytes() for b in together]


def test_dask_returns_the_bytes_of_local_processes() -> None:
    """One setting moves the work to a Dask cluster, and the answer keeps its order and its bytes."""
    local, cluster = run_tasks(_draw, range(4), LOCAL), run_tasks(_draw, range(4), DASK)
    assert [a.tobytes() for a in local] == [b.tobytes() for b in cluster]


def test_an_error_in_a_worker_reaches_the_caller() -> None:
    """A failed task is not swallowed: its exception is raised here."""
    with pytest.raises(ValueError, match="math domain error"):
        run_tasks(math.sqrt, [1.0, -1.0], LOCAL)


def test_workers_default_to_the_cores() -> None:
    """Zero workers means one for every core."""
    assert worker_count(ComputeConfig()) >= 1
    assert run_tasks(_draw, [], ComputeConfig()) == []
