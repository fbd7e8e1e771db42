"""The command line: help everywhere, one clear message and exit code 2 on a failure on purpose."""

import json
import subprocess
import sys

import pytest

from perpfut_lib import __version__


def perpfut(*arguments, **options):
    """Run the command as a user would and return the finished process."""
    command = [sys.executable, "-c", "from perpfut_lib.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_version():
    """``--version`` prints the package's version."""
    assert perpfut("--version").stdout.strip() == f"perpfut {__version__}"


@pytest.mark.parametrize("command", [[], ["bench"]])
def test_help_is_everywhere(command):
    """Every command explains itself and exits with 0."""
    done = perpfut(*command, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("from perpfut_lib.cli.application import application; application()", "numpy pydantic pandas"),
        ("import perpfut_lib.report", "torch seaborn scipy.stats statsmodels arch gymnasium"),
        ("import perpfut_lib.chapters.tables", "torch seaborn scipy.stats statsmodels arch gymnasium papermill doit"),
    ],
)
def test_what_is_not_needed_is_not_loaded(code, heavy):
    """``--help`` waits for no numbers, and a chapter that only shows tables waits for no training stack."""
    code += f"; import sys; print([name for name in {heavy.split()} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_failure_is_one_message_without_traceback():
    """An unknown benchmark exits with 2 and one line that says what was found and what was expected."""
    done = perpfut("bench", "no-such-bench")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("ConfigError: found no benchmark 'no-such-bench'; expected one of")


def test_bench_prints_json_lines(monkeypatch, capsys):
    """``bench NAME --json`` prints one JSON object a line."""
    import types

    from perpfut_lib.bench.harness import BenchRow
    from perpfut_lib.cli import bench

    row = BenchRow("toy", "time", "s", 1.0, 2.0, "peer", 2.0, 0.0)
    monkeypatch.setattr(bench, "_benchmarks", lambda: ["toy"])
    monkeypatch.setitem(sys.modules, "perpfut_lib.bench.toy", types.SimpleNamespace(run=lambda: iter([row, row])))
    bench.bench(["toy"], json=True)
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["ratio"] for line in lines] == [2.0, 2.0]
