"""``perpfut bench sweep``: fees × seeds on two local processes beside one; same weights, less wall time."""

from collections.abc import Iterator

import numpy as np

from perpfut_lib.bench.harness import BenchRow, Contest
from perpfut_lib.compute import run_tasks
from perpfut_lib.config import ComputeConfig, CostsConfig, EnvConfig, TrainConfig
from perpfut_lib.env.planted import Planted, planted_episodes
from perpfut_lib.train.lesson import Lesson
from perpfut_lib.train.ppo import Fitted, fit

STEPS, REPEATS = 65_536, 3


def run() -> Iterator[BenchRow]:
    """Yield the wall time of four agents on two processes and on one, and the largest difference of their weights."""
    task = Planted(features=40)
    train, check = planted_episodes(task, 40, 1), planted_episodes(task, 8, 2)
    settings = TrainConfig(total_steps=STEPS, evaluations=1)
    lessons = [
        Lesson(train, check, EnvConfig(), CostsConfig(), settings, fee, seed) for fee in (0.0, 4.5) for seed in (1, 2)
    ]
    yield Contest(
        "sweep",
        f"4 agents of {STEPS:,} steps",
        ours=lambda: run_tasks(fit, lessons, ComputeConfig(workers=2)),
        peer=lambda: run_tasks(fit, lessons, ComputeConfig(workers=1)),
        peer_name="one process",
        error=_difference,
        repeats=REPEATS,
    ).run()


def _difference(ours: list[Fitted], other: list[Fitted]) -> float:
    pairs = [
        (mine, theirs)
        for left, right in zip(ours, other, strict=True)
        for one, two in zip(left.layers, right.layers, strict=True)
        for mine, theirs in zip(one, two, strict=True)
    ]
    return max(float(np.abs(mine - theirs).max()) for mine, theirs in pairs)
