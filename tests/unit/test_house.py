"""The house stands: pins agree everywhere, CI runs the README's command, the tree follows the house rules."""

import ast
import importlib.metadata
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted([*(ROOT / "perpfut_lib").rglob("*.py"), *(ROOT / "agent").rglob("*.py")])


def _pins(name: str) -> list[str]:
    """Return the pins of a lock file, with their markers and without hashes."""
    return re.findall(r"^\w\S*==[^\\\n]*[^\\\s]", (ROOT / name).read_text(), re.MULTILINE)


def _lock() -> list[str]:
    return _pins("requirements-torch.lock") + _pins("requirements.lock")


def test_environment_has_the_lock_s_pins():
    """``environment.yml`` pins exactly what ``requirements.lock`` pins."""
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert dependencies[0] == "python=3.11"
    index, *pins = dependencies[-1]["pip"]
    assert index.startswith("--extra-index-url ")
    assert pins == _lock()


def test_every_locked_package_is_pinned_and_installed():
    """The lock names exact versions, and the tests run on them (a local build tag such as ``+cpu`` aside)."""
    for pin in map(Requirement, _lock()):
        if pin.marker is None or pin.marker.evaluate():
            assert importlib.metadata.version(pin.name).split("+")[0] in pin.specifier, pin


@pytest.mark.parametrize(
    "name", ["requirements.lock", "docker/agent-requirements.lock", "agent/hummingbot/requirements.lock"]
)
def test_every_pin_has_its_hashes(name):
    """What is installed is what was locked: each entry carries the SHA-256 of every file that may be installed."""
    entries = re.split(r"\n(?=\w)", (ROOT / name).read_text())
    assert len(entries) == len(_pins(name)) > 50
    assert all("--hash=sha256:" in entry for entry in entries)


def test_the_lock_holds_for_every_admitted_python():
    """For each Python that ``requires-python`` admits exactly one version of every direct requirement is pinned."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [Requirement(line) for lines in (project["dependencies"], *extras.values()) for line in lines]
    for version in ("3.11.0", "3.11.2", "3.12.1", "3.13.0"):
        assert version in SpecifierSet(project["requires-python"])
        python = {"python_version": version.rpartition(".")[0], "python_full_version": version}
        pins = [pin for pin in map(Requirement, _lock()) if pin.marker is None or pin.marker.evaluate(python)]
        locked = {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in pins}
        assert len(locked) == len(pins)
        assert all(locked[canonicalize_name(need.name)] in need.specifier for need in wanted if need.name != "perpfut")


@pytest.mark.parametrize(
    "name",
    "jupyter jupyter-book papermill nbval ccxt pandas numpy statsmodels pykalman ta matplotlib seaborn gymnasium "
    "stable_baselines3 torch langgraph langsmith".split(),
)
def test_packages_that_the_study_names_are_locked(name):
    """Every package that the study was asked to stand on is pinned."""
    assert any(canonicalize_name(Requirement(pin).name) == canonicalize_name(name) for pin in _lock())


def test_ci_runs_the_readme_s_test_command():
    """CI proves what the reader is told to type, and then what must not depend on the processor."""
    commands = re.findall(r"\bmake [a-z-]+", (ROOT / ".ci/run").read_text())
    assert commands == ["make test-plain-cpu", "make test"]
    assert all(f"`{command}`" in (ROOT / "README.md").read_text() for command in commands)


def test_version_is_the_same_everywhere():
    """The package, its metadata and the citation carry one version."""
    from perpfut_lib import __version__

    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text()
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == __version__


def test_disclaimer_is_visible():
    """The reader meets the disclaimer in the README."""
    assert "not investment advice" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_source_keeps_the_house_limits(path):
    """Files of at most 300 lines, functions of at most 40 (docstring aside), and no catch-all modules."""
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    assert path.stem not in {"utils", "util", "helpers", "common", "misc"}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = node.body[0] if ast.get_docstring(node) else None
            documented = docstring.end_lineno - docstring.lineno + 1 if docstring else 0
            assert node.end_lineno - node.lineno + 1 - documented <= 40, node.name


def test_make_help_names_every_command():
    """``make help`` lists each target with what it does."""
    shown = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("setup", "reproduce", "run", "book", "test", "lint", "clean"):
        assert re.search(rf"make {target} +\S", shown)


def test_no_absolute_paths_of_a_machine():
    """No tracked text file holds a path of somebody's machine; the home in Hummingbot's image is nobody's."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    leak = re.compile(r"(?<![\w.])/(?:home(?!/hummingbot)|root|Users|work)/\w+")
    for name in filter(None, tracked.split("\0")):
        path = ROOT / name
        if path.suffix in {".woff2", ".png", ".zst", ".gz", ".js"} or not path.is_file():
            continue
        found = leak.search(path.read_text(encoding="utf-8", errors="ignore"))
        assert found is None, f"{name}: {found}"
