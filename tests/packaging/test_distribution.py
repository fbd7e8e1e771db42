"""The wheel and the sdist in an empty environment: what pip brings suffices for the library, and says what lacks."""

import logging
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = os.environ.get("PERPFUT_PYTHON", sys.executable)
"""Interpreter of the empty environment: any that the project admits."""
LOG = logging.getLogger(__name__)  # pytest -o log_cli=true shows sizes and times
DOWNLOAD_MB = 300
PUBLIC = (
    "cointegration kalman features env.frames accounting statistics policies policies.oracle evaluate artifacts "
    "acquire.defects acquire.sim config"
).split()
USE = """
import numpy as np, pandas as pd
from perpfut_lib.acquire.sim import read_simulation
from perpfut_lib.cointegration import engle_granger
from perpfut_lib.config import CostsConfig, Profile, SimulationConfig, load_profile
from perpfut_lib.env import Episodes, make_costs
from perpfut_lib.evaluate import rollout
from perpfut_lib.policies import FunctionPolicy
market = read_simulation(SimulationConfig(days=8, symbols=2, planted_pairs=1, seed=1))
pair = tuple(market.truth["pairs"][0][leg] for leg in "yx")
y, x = (np.log(market.candles[symbol]["close"]) for symbol in pair)
assert engle_granger(y, x).pvalue < 0.05
candles = pd.concat([bars.assign(symbol=symbol) for symbol, bars in market.candles.items()])
settings = {"cointegration": {"formation": "1d", "placebos": 0}, "compute": {"workers": 1}}
episodes = Episodes.from_frames(candles, None, [pair], Profile.model_validate(settings))
book = rollout(episodes, FunctionPolicy(lambda seen: -np.sign(seen[:, 0])), make_costs(1.0, CostsConfig())).ledger
assert book.residual() < 1e-12 and book.turnover.sum() > 1
assert load_profile("smoke").name == "smoke"
"""
IMPORT = "import time; t = time.process_time(); import perpfut_lib.{}; print(time.process_time() - t)"


def _run(*command, cwd, **variables):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PERPFUT"))}
    return subprocess.run(
        [*map(str, command)], cwd=cwd, env=kept | variables, capture_output=True, text=True, check=False, timeout=900
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("distribution")


@pytest.fixture(scope="module")
def built(folder):
    """Build both from a copy of the tracked files, so that nothing that only lies here gets in."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (folder / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / "tree" / name, follow_symlinks=False)
    build = "import setuptools.build_meta as made; made.build_sdist('../dist'); made.build_wheel('../dist')"
    (folder / "dist").mkdir()
    done = _run(sys.executable, "-c", build, cwd=folder / "tree")
    assert done.returncode == 0, done.stderr
    return next((folder / "dist").glob("*.whl")), next((folder / "dist").glob("*.tar.gz"))


def test_wheel_and_sdist_hold_types_settings_and_the_console(built):
    """Both carry ``py.typed``, every profile, the console's page and the licence; none carries data or tests."""
    wheel = set(zipfile.ZipFile(built[0]).namelist())
    with tarfile.open(built[1]) as packed:
        sdist = {name.partition("/")[2] for name in packed.getnames()}
    configs = ROOT / "configs"
    wanted = {f"perpfut_lib/configs/{path.relative_to(configs)}" for path in configs.rglob("*.yaml")}
    wanted |= {"perpfut_lib/py.typed", "agent/console/static/index.html"}
    assert wanted <= wheel and wanted | {"pyproject.toml", "LICENSE"} <= sdist
    assert not [name for name in wheel | sdist if re.match(r"(data|artifacts|tests|notebooks)/", name)]


@pytest.fixture(scope="module")
def python(built, folder):
    """Install the wheel's core into an empty environment, at the lock's versions; return its interpreter."""
    subprocess.run([PYTHON, "-m", "venv", folder / "empty"], check=True, capture_output=True)
    inside = folder / "empty" / "bin" / "python"
    pins = re.findall(r"^(\w\S*==[^\\\n]*[^\\\s])", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    (folder / "pins.txt").write_text("\n".join(pins))
    pip = (inside, "-m", "pip", "--disable-pip-version-check", "--retries", "1")
    asked = _run(*pip, "download", "--no-deps", "-q", "-d", "wheels", "-c", "pins.txt", "tqdm", cwd=folder)
    if asked.returncode:
        pytest.skip(f"no package index answers: {asked.stderr.strip().splitlines()[-1]}")
    got = _run(*pip, "download", "-q", "-d", "wheels", "-c", "pins.txt", built[0], cwd=folder)
    assert got.returncode == 0, got.stderr
    done = _run(*pip, "install", "-q", "--no-index", "--find-links", "wheels", built[0], cwd=folder)
    assert done.returncode == 0, done.stderr
    return inside


@pytest.mark.slow
def test_core_is_small_to_fetch(python, folder):
    """Core is less than 300 MB to download; what it takes on disk is reported."""
    megabytes = sum(path.stat().st_size for path in (folder / "wheels").iterdir()) / 1e6
    unpacked = next((folder / "empty" / "lib").glob("python*/site-packages")).rglob("*")
    on_disk = sum(path.stat().st_size for path in unpacked if path.is_file()) / 1e6
    LOG.info("core: %.0f MB to download, %.0f MB on disk", megabytes, on_disk)
    assert megabytes < DOWNLOAD_MB


@pytest.mark.slow
def test_the_public_surface_imports_and_works_from_the_wheel_alone(python, folder):
    """In an empty folder: every public module is imported, and a pair goes from candles to a ledger."""
    (folder / "elsewhere").mkdir(exist_ok=True)
    for module in PUBLIC:
        done = _run(python, "-c", IMPORT.format(module), cwd=folder / "elsewhere")
        assert done.returncode == 0, done.stderr
        LOG.info("import perpfut_lib.%s: %.2f s of CPU time", module, float(done.stdout))
    done = _run(python, "-W", "error", "-c", USE, cwd=folder / "elsewhere", PERPFUT_PROGRESS="")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_command_names_the_extra_that_lacks(python, folder):
    """Help works; what needs Parquet says in one line what to install."""
    perpfut = python.with_name("perpfut")
    assert "Usage: perpfut" in _run(perpfut, "--help", cwd=folder).stdout
    done = _run(perpfut, "run", "--profile", "smoke", cwd=folder)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert re.search(r"found no package \w+; .* pip install 'perpfut\[research\]'", done.stderr)
