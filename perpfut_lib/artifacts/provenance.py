"""Where an artifact came from: hashes of files and source code, versions of packages, the git commit."""

import ast
import hashlib
import os
import re
import subprocess
import time
from functools import cache
from importlib import metadata
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
PACKAGES = (
    "arch",
    "gymnasium",
    "numba",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "stable_baselines3",
    "statsmodels",
    "torch",
)
SETTLED_NS = 2_000_000_000
# Parsing these lines alone takes a tenth of the time that whole files take.
_STATEMENT = re.compile(rb"^[ \t]*((?:from|import)[ \t]+(?:perpfut_lib|agent)\b(?:[^\n(]*\([^)]*\)|[^\n]*))", re.M)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def settled_sha256(path: Path) -> str:
    """Return the SHA-256 of a file that is asked for again and again: read anew only after it was written.

    Notes
    -----
    As in git's index, a file counts as the same by its inode, size and times. One that was written within the last
    two seconds is always read, because a second write might not move its times.
    """
    state = path.stat()
    if time.time_ns() - max(state.st_ctime_ns, state.st_mtime_ns) < SETTLED_NS:
        return file_sha256(path)
    return _settled_sha256(path, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


@cache
def _settled_sha256(path: Path, *state: int) -> str:
    return file_sha256(path)


def package_versions() -> dict[str, str]:
    """Return the installed versions of the packages that results depend on."""
    return {name: metadata.version(name) for name in PACKAGES}


@cache
def git_commit() -> str:
    """Return the commit of the source tree, with ``+`` where it has uncommitted changes.

    An image has no history: there it is ``PERPFUT_COMMIT``, which its build wrote down, or ``unknown``.
    """
    try:
        commit = _git("rev-parse", "HEAD")
        return commit + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get("PERPFUT_COMMIT", "unknown")


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(PACKAGE.parent), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@cache
def source_hash(module: str) -> str:
    """Return the SHA-256 over ``module`` and every module of this package that it imports, directly or not.

    Parameters
    ----------
    module : str
        Dotted name, such as ``perpfut_lib.train``.

    Notes
    -----
    Read from the syntax tree, so nothing is imported. Importing a package counts all of its files.
    """
    digest = hashlib.sha256()
    for path in sorted(_closure(module)):
        root = PACKAGE if path.is_relative_to(PACKAGE) else PACKAGE.parent
        digest.update(str(path.relative_to(root)).encode() + b"\0" + _source(path) + b"\0")
    return digest.hexdigest()


def _closure(module: str) -> set[Path]:
    waiting, seen, named = list(_files(module)), set[Path](), set[str]()
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            for name in _imports(path) - named:
                named.add(name)
                waiting.extend(_files(name))
    return seen


@cache
def _source(path: Path) -> bytes:
    return path.read_bytes()


@cache
def _files(module: str) -> tuple[Path, ...]:
    """Return the files of a module: itself, or every file of a package; the last part may be a name inside it."""
    root, *parts = module.split(".")
    for used in (parts, parts[:-1]):
        path = PACKAGE.with_name(root).joinpath(*used)
        if used and path.is_dir():
            return tuple(sorted(path.rglob("*.py")))
        if used and path.with_suffix(".py").is_file():
            return (path.with_suffix(".py"),)
    return ()


@cache
def _imports(path: Path) -> frozenset[str]:
    """Return the dotted names from this package that a file imports; most stages share most of their sources."""
    names: list[str] = []
    for statement in _STATEMENT.findall(_source(path)):
        try:
            parsed = ast.parse(statement).body
        except SyntaxError:  # prose of a docstring
            continue
        for node in parsed:
            inside = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            names += [inside + alias.name for alias in getattr(node, "names", ())]
    return frozenset(name for name in names if name.startswith((f"{PACKAGE.name}.", "agent.")))
