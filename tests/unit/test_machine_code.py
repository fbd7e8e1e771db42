"""Compiled code is kept per version of all compiled sources."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from perpfut_lib import machine_code

CALLEE = "from numba import njit\n\n\n@njit(cache=True)\ndef unit():\n    return {value}\n"
CALLER = "from callee import unit\nfrom numba import njit\n\n\n@njit(cache=True)\ndef twice():\n    return 2 * unit()\n"
PROGRAM = """
import machine_code
from pathlib import Path
machine_code.PACKAGE = Path(__file__).parent
machine_code.use_fresh_cache()
from caller import twice
print(twice())
"""


def _run(folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != machine_code.VARIABLE}
    command = [sys.executable, str(folder / "program.py")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def test_a_changed_callee_in_another_file_is_compiled_anew(tmp_path: Path) -> None:
    """H0: a caller never runs machine code with an older version of what it calls."""
    (tmp_path / "machine_code.py").write_bytes(Path(machine_code.__file__).read_bytes())
    (tmp_path / "caller.py").write_text(CALLER)
    (tmp_path / "program.py").write_text(PROGRAM)
    answers = []
    for value in (1, 1, 5):
        (tmp_path / "callee.py").write_text(CALLEE.format(value=value))
        answers.append(_run(tmp_path))
    assert answers == ["2", "2", "10"]
    assert len(list((tmp_path / "__pycache__").glob("numba-*"))) == 2


def test_a_folder_that_the_user_names_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """``NUMBA_CACHE_DIR`` of the user wins; one that this package set before is replaced by its own."""
    monkeypatch.setenv(machine_code.VARIABLE, "/somewhere/else")
    machine_code.use_fresh_cache()
    assert os.environ[machine_code.VARIABLE] == "/somewhere/else"
    monkeypatch.setenv(machine_code.VARIABLE, "/another/checkout/__pycache__/numba-0123")
    machine_code.use_fresh_cache()
    assert Path(os.environ[machine_code.VARIABLE]).parent == machine_code.PACKAGE / "__pycache__"
