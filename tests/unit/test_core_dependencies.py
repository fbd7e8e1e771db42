"""The wheel without extras: what it requires suffices for the library that other people import."""

import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import sys
hidden = set(sys.argv[1].split())
class Hides:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hides())
import numpy as np
import perpfut_lib.accounting, perpfut_lib.artifacts, perpfut_lib.decide, perpfut_lib.features, perpfut_lib.kalman
from perpfut_lib.cointegration import engle_granger
import perpfut_lib.cli.application
x = np.random.default_rng(0).standard_normal(300).cumsum()
print(engle_granger(2 * x + np.random.default_rng(1).standard_normal(300), x).pvalue < 0.01)
"""


def _closure(names: list[str]) -> set[str]:
    """Return the distributions that these requirements bring, themselves included."""
    met, waiting = set[str](), [Requirement(name) for name in names]
    while waiting:
        name = canonicalize_name(waiting.pop().name)
        if name not in met:
            met.add(name)
            needs = map(Requirement, metadata.requires(name) or ())
            waiting.extend(each for each in needs if each.marker is None or each.marker.evaluate({"extra": ""}))
    return met


def test_the_library_runs_on_the_core_dependencies_alone() -> None:
    """Cointegration, filter, features, ledger, decision and the command line import with all other packages hidden."""
    core = _closure(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])
    assert not {"torch", "statsmodels", "pyarrow", "ccxt", "matplotlib"} & core
    makers = metadata.packages_distributions().items()
    hidden = {module for module, names in makers if not core & set(map(canonicalize_name, names))}
    command = [sys.executable, "-c", CODE, " ".join(hidden - {"perpfut_lib", "agent"})]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["True"], done.stderr[-2000:]
