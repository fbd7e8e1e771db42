"""500 symbols of minutes, window by window from disk on Dask: the peak memory of a worker, and its slope in days."""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from perpfut_lib.acquire.partitions import write_candles
from perpfut_lib.bench.harness import BenchRow
from perpfut_lib.cointegration.stored import Stored, stored_pair_days
from perpfut_lib.compute import run_tasks
from perpfut_lib.config import Profile
from perpfut_lib.features.stored import stored_features
from perpfut_lib.types import DAY_MS, MINUTE_MS

SYMBOLS: Final = tuple(f"S{number:03d}USDT" for number in range(500))
DAYS: Final = (12, 24, 36)
"""Enough that what a worker needs to start up, and the month files that it reads, no longer grow."""
WHOLE_DAYS: Final = 1096
START: Final = 1_714_521_600_000  # 2024-05-01
WORKERS: Final = 2
FIELDS: Final = 5  # float64 each, and a flag
SETTINGS: Final = {"cointegration": {"maxlag": 1, "autolag": None, "placebos": 0}, "universe": {"min_symbols": 2}}
"""One lag, so that the tests of 250 000 pairs fit a small machine; memory does not depend on the lag."""


def run() -> Iterator[BenchRow]:
    """Write stores of several lengths, screen and describe them on two Dask workers, and fit the peak over the days."""
    size, peaks = f"{len(SYMBOLS)} symbols", []
    with tempfile.TemporaryDirectory() as folder:
        _peak(Path(folder), SYMBOLS[:4], DAYS[0])  # compiles, which takes more memory than the work
    for days in DAYS:
        with tempfile.TemporaryDirectory() as folder:
            peaks.append(_peak(Path(folder), SYMBOLS, days))
        yield _row(f"peak of a worker, {size} x {days} days", "GiB", peaks[-1])
    slope, _ = np.polyfit(DAYS, peaks, 1)
    yield _row(f"slope of the peak, {size}", "MiB/day", 1024 * float(slope))
    most = peaks[-1] + float(slope) * (WHOLE_DAYS - DAYS[-1])
    yield _row(f"peak for {WHOLE_DAYS} days, by the slope", "GiB", most)
    whole = len(SYMBOLS) * WHOLE_DAYS * 1440 * (8 * FIELDS + 1) / 2**30
    yield _row(f"whole panel in memory, {WHOLE_DAYS} days, by calculation", "GiB", whole)


def _row(metric: str, unit: str, value: float) -> BenchRow:
    return BenchRow("scale", metric, unit, value, None, None, None, None)


def _peak(root: Path, symbols: tuple[str, ...], days: int) -> float:
    """Return the largest high-water mark of a fresh worker, GiB, after store, screen and features."""
    from distributed import Client, LocalCluster

    quiet = {"dashboard_address": None, "silence_logs": logging.ERROR}
    with LocalCluster(n_workers=WORKERS, threads_per_worker=1, **quiet) as cluster:  # type: ignore[no-untyped-call]
        compute = {"backend": "dask", "scheduler": cluster.scheduler_address}
        profile = Profile.model_validate({**SETTINGS, "compute": compute})
        run_tasks(_write, [(root, number, days) for number in range(len(symbols))], profile.compute)
        stored = Stored(root, symbols, MINUTE_MS)
        chosen = stored_pair_days(stored, _windows(days, profile.cointegration.formation), profile)
        stored_features(stored, chosen, profile, root / "features", warmup=0)
        with Client(cluster) as client:  # type: ignore[no-untyped-call]
            return max(client.run(_high_water).values())


def _windows(days: int, formation: int) -> pd.DataFrame:
    """Return a trading window per day behind the first formation window; one bar follows the last."""
    starts = START + formation + DAY_MS * np.arange(days - formation // DAY_MS - 1)
    return pd.DataFrame({"start": starts, "end": starts + DAY_MS, "split": "train"})


def _write(task: tuple[Path, int, int]) -> None:
    """Write one symbol's bars: a common walk and its own."""
    root, number, days = task
    bars = days * 1440
    moves = np.random.default_rng(0).normal(0, 8e-4, bars) + np.random.default_rng(number + 1).normal(0, 3e-4, bars)
    close = 100.0 * np.exp(np.cumsum(moves))
    first = np.concatenate((close[:1], close[:-1]))
    prices = {"open": first, "high": np.maximum(first, close), "low": np.minimum(first, close), "close": close}
    table = pd.DataFrame({"open_time": START + MINUTE_MS * np.arange(bars), **prices, "volume": 1000.0})
    write_candles(root, SYMBOLS[number], table)


def _high_water() -> float:
    """Return this process's largest resident size, GiB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 2**20
