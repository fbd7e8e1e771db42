"""``make test`` with stand-ins for every tool: what runs, in which order, and that no failure is lost."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTE = 'echo "$(basename $0) $*" >> "$NOTES"; case " $(basename $0) $* " in *" $FAIL "*) [ -z "$FAIL" ];; esac\n'
SET_UP = """[ "$1" != --current ] || exec test -e "$2/.installed"
for _ in {1..6000}; do [ -e begun ] && break; sleep 0.01; done
[ -e begun ]
"""
BUILD = "touch begun\n" + NOTE.replace("$(basename $0)", "build") + 'mkdir "$1"\n'
DONE = 'touch "$1/.installed"\n'
NUMBERS = "tests/oracles tests/parity tests/properties tests/unit tests/packaging"
IGNORED = f"tests/hummingbot tests/book tests/notebooks {NUMBERS}".split()
PARTS = (
    f"python -m pytest {' '.join(f'--ignore={folder}' for folder in IGNORED)}",
    "python -m pytest tests/hummingbot",
    "python -m pytest notebooks --nbval --nbval-current-env --nbval-cell-timeout 1800",
    "python -m pytest tests/book tests/notebooks",
    f"python -m pytest {NUMBERS}",
)


@pytest.fixture
def house(tmp_path):
    """Return a folder with the Makefile; set-up waits until Hummingbot's build has begun."""
    for name in ("Makefile", "requirements.lock", "requirements-torch.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    bot = tmp_path / "agent" / "hummingbot"
    bot.mkdir(parents=True)
    (bot / "requirements.lock").touch()
    stand_ins = {"install.sh": SET_UP + NOTE + DONE, "agent/hummingbot/install.sh": BUILD + DONE}
    stand_ins |= {f".venv/bin/{name}": NOTE for name in ("python", "ruff", "mypy", "lint-imports")}
    for name, body in stand_ins.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/usr/bin/env bash\nset -e\n" + body)
        path.chmod(0o755)
    return tmp_path


def made(house, failing=""):
    """Run ``make test`` with one stand-in that fails, and return the exit code and what ran."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(house), "NOTES": str(house / "notes"), "FAIL": failing}
    code = subprocess.run(["make", "test"], cwd=house, env=environment, capture_output=True, check=False).returncode
    return code, (house / "notes").read_text().splitlines()


def test_everything_runs_and_hummingbot_is_built_beside_set_up(house):
    """Set-up would wait in vain if the build began after it; then lint, and all five parts of the tests."""
    code, ran = made(house)
    assert code == 0, ran
    assert {*PARTS} <= {*ran}
    steps = [line.split()[0] for line in ran if not line.startswith(("build", "python"))]
    assert steps == ["install.sh", "ruff", "ruff", "mypy", "lint-imports"]
    assert ran.index("lint-imports --no-logo") < min(map(ran.index, PARTS))


@pytest.mark.parametrize(
    "failing",
    ["--ignore=tests/book", "pytest tests/hummingbot", "--nbval", "pytest tests/book", "pytest tests/oracles", "build"],
)
def test_a_part_that_fails_fails_the_command_and_stops_no_other(house, failing):
    """The other parts run and tell; Hummingbot's tests cannot where it was not built."""
    code, ran = made(house, failing)
    assert code != 0
    assert {*PARTS} - {*ran} == ({PARTS[1]} if failing == "build" else set())


@pytest.mark.parametrize("failing", ["mypy", "ruff check"])
def test_nothing_is_tested_that_lint_refuses(house, failing):
    code, ran = made(house, failing)
    assert code != 0
    assert not {*PARTS} & {*ran}
