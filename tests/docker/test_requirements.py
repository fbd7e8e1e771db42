"""The agent's image: its packages are a subset of the locked ones, and suffice; nothing that trains is among them."""

import ast
import subprocess
import sys
from importlib import metadata, util
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
AGENT_LOCK = (ROOT / "docker" / "agent-requirements.lock").read_text()
LIVE = (
    "agent.operation.run agent.operation.session agent.operation.status agent.operation.doctor "
    "agent.operation.exchange_check "
    "agent.operation.control agent.operation.deploy agent.console.server agent.console.watch "
    "agent.feed.bar_hint agent.observation.annotator "
    "agent.observation.trace_export agent.replay.replay agent.replay.report "
    "perpfut_lib.cli.application perpfut_lib.venue.server"
)
LIBRARIES = " pyarrow.parquet pyarrow.dataset zstandard ccxt.pro"
TRAINING = ("torch", "stable_baselines3", "gymnasium", "matplotlib", "statsmodels", "arch", "jupyter_core", "sphinx")

HIDING = """
import sys
hidden = set(sys.argv[1].split())
class Hides:
    def find_spec(self, name, path=None, target=None):
        if name in hidden or name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hides())
"""


def _generator():
    spec = util.spec_from_file_location("requirements", ROOT / "docker" / "requirements.py")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _importable():
    """Return the top-level modules that the agent's distributions bring."""
    names = set(_generator().pinned("docker/agent-requirements.lock"))
    brought = metadata.packages_distributions().items()
    return {module for module, makers in brought if names & set(map(canonicalize_name, makers))}


def _removed():
    """Return the modules that the image's build takes out of packages."""
    lines = (ROOT / "docker" / "agent.Dockerfile").read_text().partition("&& rm -r ")[2].partition("&&")[0]
    return {word.removesuffix("*").replace("/", ".") for word in lines.split() if "/" in word}


def test_every_line_is_in_the_main_lock():
    """Research and live run the same versions."""
    generator = _generator()
    assert generator.pinned("docker/agent-requirements.lock").items() <= generator.pinned("requirements.lock").items()


def test_it_is_what_the_generator_writes():
    """The lock is made, never edited: ``python docker/requirements.py`` would change nothing."""
    assert _generator().agent_lock() == AGENT_LOCK


def test_nothing_that_trains_draws_or_renders_is_in_it():
    """The image holds neither the training stack nor the book's."""
    assert not set(TRAINING) & _importable()


def test_the_live_process_runs_on_these_packages_alone():
    """Every live module, the local exchange and a replay's comparison import with all other modules hidden.

    What they import inside functions is covered too, but for Dask and the Johansen test, which only the study uses.
    """
    hidden = set(metadata.packages_distributions()) - _importable() - {"agent", "perpfut_lib"} | _removed()
    assert {"pyarrow._flight", "pyarrow._s3fs", "zstandard._cffi", "ccxt.test"} <= hidden
    code = HIDING + f"import importlib\nfor name in {(LIVE + LIBRARIES).split()}: importlib.import_module(name)\n"
    code += "print(*(m.__file__ for n, m in sys.modules.items() if n.startswith(('agent', 'perpfut_lib'))))"
    command = [sys.executable, "-c", code, " ".join(hidden)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    wanted = {name for file in done.stdout.split() for name in _imports(Path(file))}
    assert wanted - _importable() - sys.stdlib_module_names - {"agent", "perpfut_lib"} <= {"distributed", "statsmodels"}


def _imports(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def test_the_health_check_is_light():
    """It runs every minute beside the agent, so it loads no exchange client, no graphs and no compiler."""
    code = "import sys, agent.operation.status, agent.state.seal_key; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"ccxt", "langgraph", "langsmith", "numba", "pandas"} & set(done.stdout.split())


@pytest.mark.parametrize("name", ["agent"])
def test_image_is_built_to_be_locked_down(name):
    """Exact base, several stages, a user that is not root, a health check by heartbeat, no secret, no download tool."""
    lines = (ROOT / "docker" / f"{name}.Dockerfile").read_text()
    bases = [line.split()[1] for line in lines.splitlines() if line.startswith("FROM")]
    assert len(bases) == 2
    assert all(base.partition(":")[2].count(".") == 2 for base in bases)
    assert "\nUSER 10001:10001\n" in lines
    assert '"agent", "status", "--max-age", "90"' in lines.partition("HEALTHCHECK")[2]
    assert not any(word in lines.lower() for word in ("secret=", "api_key", "password", "curl", "wget", "sudo"))
