"""Fixtures that tests of several rooms share."""

import fcntl
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

from perpfut_lib import pipeline
from perpfut_lib.artifacts import Run
from perpfut_lib.config import Profile, load_profile, project_root

ROOT = Path(__file__).resolve().parents[1]
settings.register_profile("any machine", deadline=None)  # no test asserts wall time
settings.load_profile("any machine")


@pytest.fixture
def shared_data():
    """Return the folder of recorded market data, or skip where this machine has none."""
    folder = project_root() / Path(os.environ.get("PERPFUT_SHARED_DATA", "../shared/data"))
    if not (folder / "market").is_dir():
        pytest.skip(f"no recorded market data in {folder} (set PERPFUT_SHARED_DATA)")
    return folder


@pytest.fixture(scope="session")
def small_world(tmp_path_factory):
    """Return the small world that all tests of the agent look at, made once a session."""
    from tests.agent.world import simulated_world

    return simulated_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def make_candles():
    """Return a function that makes random but valid candles of some symbols in the documented schema."""

    def make(symbols=("AAA", "BBB", "CCC"), start="2025-01-01", bars=3000, timeframe=60_000):
        rng = np.random.default_rng(5)
        first = pd.Timestamp(start, tz="UTC").value // 1_000_000
        parts = []
        for symbol in symbols:
            close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, bars)))
            open_ = np.concatenate(([100.0], close[:-1]))
            high, low = np.maximum(open_, close) * 1.0005, np.minimum(open_, close) * 0.9995
            time = first + timeframe * np.arange(bars)
            columns = {"open_time": time, "open": open_, "high": high, "low": low, "close": close}
            parts.append(pd.DataFrame({"symbol": symbol, **columns, "volume": rng.exponential(5.0, bars)}))
        return pd.concat(parts, ignore_index=True)

    return make


@pytest.fixture
def make_funding():
    """Return a function that makes funding settlements of some symbols in the documented schema."""

    def make(symbols=("AAA", "BBB", "CCC"), start="2025-01-01", settlements=12, hours=8):
        first = pd.Timestamp(start, tz="UTC").value // 1_000_000
        time = first + hours * 3_600_000 * np.arange(settlements)
        return pd.concat(
            [pd.DataFrame({"symbol": symbol, "funding_time": time, "funding_rate": 1e-4}) for symbol in symbols],
            ignore_index=True,
        )

    return make


@dataclass(frozen=True)
class SmokeRun:
    """The whole study on the smoke profile, run once for all tests that need it."""

    profile: Profile
    run: Run


@pytest.fixture(scope="session")
def smoke():
    """Run every stage of the smoke profile that is not current; the halves of the suite take turns."""
    profile = load_profile("smoke")
    (ROOT / "artifacts").mkdir(exist_ok=True)
    with (ROOT / "artifacts" / ".smoke.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        pipeline.ensure("evaluate", profile)
    return SmokeRun(profile, Run.named(profile.name))


@pytest.fixture(scope="session")
def study(smoke):
    """Run every chapter of the smoke profile and build its book, as a user does."""
    perpfut = [sys.executable, "-c", "from perpfut_lib.cli import main; main()"]
    command = [*perpfut, "run", "--profile", "smoke"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    html = ROOT / "book" / "_build" / "smoke" / "html"
    return SimpleNamespace(said=done.stdout, artifacts=smoke.run.path, html=html)
