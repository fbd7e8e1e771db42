"""Set-up on other machines: stand-in interpreters and indexes, and what ``install.sh`` makes of them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# A python of any version. Its pip refuses its first BAD installs, as a bad index does, and notes every one.
STAND_IN = """#!/usr/bin/env bash
case "$*" in
  *_base_executable*) echo {self} ;;
  *version_info*) echo "{version} {base}" ;;
  --version) echo "Python {dotted}" ;;
  *ensurepip*) exit {whole} ;;
  "-m venv --clear "*) rm -rf "$4"; mkdir -p "$4"/bin "$4"/lib/python3/site-packages; cp "$0" "$4"/bin/python ;;
  "-m pip install "*)
    echo "$*" >> calls
    [ "$(wc -l < calls)" -gt "${{BAD:-0}}" ] || {{ echo "ERROR: No matching distribution found for numpy"; exit 1; }} ;;
esac
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Return a folder with what set-up reads."""
    for name in ("install.sh", "pyproject.toml", "requirements-torch.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "requirements.lock").write_text("numpy==1.0\n")
    return tmp_path


def _interpreter(house: Path, name: str, version: str, *, whole: bool = True) -> str:
    path = house / name
    base = f"/usr/{name}"
    path.write_text(
        STAND_IN.format(
            self=path, version=version, base=base, dotted=version.replace(" ", "."), whole=0 if whole else 1
        )
    )
    path.chmod(0o755)
    return str(path)


def _run(house: Path, *arguments: str, candidates: str = "", bad: int = 0) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "CANDIDATES": candidates or "no-such-python", "BAD": str(bad)}
    command = [str(house / "install.sh"), *arguments]
    return subprocess.run(command, cwd=house, env=environment, capture_output=True, text=True, check=False)


def _installs(house: Path) -> list[str]:
    return (house / "calls").read_text().splitlines()


def test_takes_the_first_interpreter_that_is_admitted(house: Path) -> None:
    """An older and a newer python are passed over; every package is installed by hash, PyTorch and ourselves apart."""
    old, new, fit = (_interpreter(house, f"python{v.replace(' ', '')}", v) for v in ("3 10 9", "3 14 0", "3 12 4"))
    done = _run(house, ".venv", candidates=f"{old} {new} {fit}")
    assert done.returncode == 0, done.stderr
    assert "with Python 3.12.4" in done.stdout
    locked, torch, ours = _installs(house)
    assert "--require-hashes -r requirements.lock" in locked
    assert "-r requirements-torch.lock" in torch
    assert ours.endswith("-e .")
    assert _run(house, "--current", ".venv").returncode == 0


@pytest.mark.parametrize(
    ("version", "whole", "found", "advice"),
    [
        ("3 10 9", True, "found Python 3.10.9 at", "make PYTHON="),
        ("3 14 0", True, "found Python 3.14.0 at", "make PYTHON="),
        ("2 7 18", True, "found Python 2.7.18 at", "make PYTHON="),
        ("3 11 2", False, "without ensurepip", "apt-get install python3-venv"),
    ],
)
def test_what_is_wrong_is_one_line(house: Path, version: str, whole: bool, found: str, advice: str) -> None:
    """An interpreter that will not do is named with what was expected and what to do, and nothing is installed."""
    done = _run(house, ".venv", _interpreter(house, "python-given", version, whole=whole))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert found in done.stderr
    assert "expected" in done.stderr
    assert advice in done.stderr
    assert not (house / "calls").exists()


@pytest.mark.parametrize(
    ("arguments", "found"), [((".venv", "no-such-python"), "no interpreter"), ((".venv",), "none of")]
)
def test_no_interpreter_is_one_line(house: Path, arguments: tuple[str, ...], found: str) -> None:
    """So is an interpreter that is not there, and a machine that has none."""
    done = _run(house, *arguments)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert f"found {found}" in done.stderr
    assert "Python 3.11 to 3.13" in done.stderr


def test_an_index_that_answers_badly_once_is_asked_again(house: Path) -> None:
    """One bad answer costs a second try and a line that says so."""
    done = _run(house, ".venv", _interpreter(house, "python3", "3 11 7"), bad=1)
    assert done.returncode == 0, done.stderr
    assert "No matching distribution found for numpy" in done.stdout
    assert len(_installs(house)) == 4


def test_an_index_that_fails_is_one_line_and_the_next_run_goes_on(house: Path) -> None:
    """Two bad answers end set-up; what is half made is not taken for done, and is kept for the next run."""
    python = _interpreter(house, "python3", "3 11 7")
    done = _run(house, ".venv", python, bad=2)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "build/install.log" in done.stderr
    assert _run(house, "--current", ".venv").returncode == 1
    (house / ".venv" / "downloaded").touch()
    assert _run(house, ".venv", python).returncode == 0
    assert (house / ".venv" / "downloaded").exists()


def test_an_environment_of_another_interpreter_is_made_again(house: Path) -> None:
    """A named interpreter replaces the environment of another; without a name the one that is there stays."""
    first, second = _interpreter(house, "python-a", "3 11 2"), _interpreter(house, "python-b", "3 13 0")
    assert _run(house, ".venv", first).returncode == 0
    assert _run(house, "--current", ".venv", first).returncode == 0
    assert _run(house, "--current", ".venv", second).returncode == 1
    done = _run(house, ".venv", second)
    assert "of another interpreter" in done.stdout
    assert "with Python 3.13.0" in done.stdout
    assert "with Python 3.13.0" in _run(house, ".venv", candidates=first).stdout


def test_a_package_that_was_cut_short_is_installed_again(house: Path) -> None:
    """RECORD is written last: after Ctrl-C a package without one is forgotten, and pip does not take it for whole."""
    python = _interpreter(house, "python3", "3 12 1")
    assert _run(house, ".venv", python).returncode == 0
    packages = house / ".venv/lib/python3/site-packages"
    whole, cut = packages / "whole-1.dist-info", packages / "cut-1.dist-info"
    for each in (whole, cut, packages / "~leftover"):
        each.mkdir()
    (whole / "RECORD").write_text("whole")
    (cut / "METADATA").write_text("Name: cut")
    assert _run(house, ".venv", python).returncode == 0
    assert sorted(each.name for each in packages.iterdir()) == ["whole-1.dist-info"]
