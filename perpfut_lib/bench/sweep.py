"""``perpfut bench sweep``: fees × seeds on two workers beside one, local and Dask; the study's grid from it."""

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from perpfut_lib.bench.harness import BenchRow
from perpfut_lib.compute import run_tasks
from perpfut_lib.config import ComputeConfig, CostsConfig, EnvConfig, TrainConfig
from perpfut_lib.env.planted import Planted, planted_episodes
from perpfut_lib.train.fit import Fitted, fit
from perpfut_lib.train.training_task import TrainingTask

STEPS, REPEATS, WARM_STEPS = 393_216, 2, 8192
GRID_AGENTS, GRID_STEPS = 3 * 10, 4_000_000


def run() -> Iterator[BenchRow]:
    """Yield the wall time of four agents on two workers and on one, on Dask and local, and of the study's grid.

    Workers are up and have compiled code and imports loaded before the clock starts, as in a sweep that lasts.
    """
    from distributed import LocalCluster

    training_tasks = _training_tasks()
    threads = {"threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(n_workers=1, **threads) as one, LocalCluster(n_workers=2, **threads) as two:  # type: ignore[no-untyped-call]
        backends = [ComputeConfig(backend="dask", scheduler=each.scheduler_address) for each in (one, two)]
        yield from _contest(training_tasks, backends, "dask", "one Dask worker")
    yield from _contest(training_tasks, [ComputeConfig(workers=1), ComputeConfig(workers=2)], "local", "one process")


def _contest(
    training_tasks: list[TrainingTask], backends: list[ComputeConfig], name: str, peer: str
) -> Iterator[BenchRow]:
    """Yield two workers beside one, in turn, and what the study's grid would take on two."""
    for backend in backends:
        run_tasks(fit, [_brief(training_task) for training_task in training_tasks], backend)
    seconds: list[list[float]] = [[], []]
    fitted: list[list[Fitted]] = [[], []]
    for _ in range(REPEATS):
        for turn, backend in enumerate(backends):
            start = time.perf_counter()
            fitted[turn] = run_tasks(fit, training_tasks, backend)
            seconds[turn].append(time.perf_counter() - start)
    single, double = (float(np.median(each)) for each in seconds)
    error = _difference(*fitted)
    metric = f"{len(training_tasks)} agents of {STEPS:,} steps, two workers, {name}"
    yield BenchRow("sweep", metric, "s", double, single, peer, single / double, error)
    hours = GRID_AGENTS * GRID_STEPS * double / (len(training_tasks) * STEPS) / 3600
    yield BenchRow("sweep", f"grid of 3 fees x 10 seeds x 4 M steps, {name}", "h", hours, None, None, None, None)


def _training_tasks() -> list[TrainingTask]:
    task = Planted(features=40)
    train, check = planted_episodes(task, 200, 1), planted_episodes(task, 20, 2)
    settings = TrainConfig(total_steps=STEPS, evaluations=2)
    return [
        TrainingTask(train, check, EnvConfig(), CostsConfig(), settings, fee, seed)
        for fee in (0.0, 4.5)
        for seed in (1, 2)
    ]


def _brief(training_task: TrainingTask) -> TrainingTask:
    return replace(training_task, settings=training_task.settings.model_copy(update={"total_steps": WARM_STEPS}))


def _difference(ours: list[Fitted], other: list[Fitted]) -> float:
    pairs = [
        (mine, theirs)
        for left, right in zip(ours, other, strict=True)
        for one, two in zip(left.layers, right.layers, strict=True)
        for mine, theirs in zip(one, two, strict=True)
    ]
    return max(float(np.abs(mine - theirs).max()) for mine, theirs in pairs)
