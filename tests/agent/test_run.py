"""The agent as a user runs it: commands on its files, and a real process that is told to stop."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.observation.logs import MAX_BYTES
from agent.operation.control import Orders, write_control
from agent.replay.replay import tape_of
from perpfut_lib import machine_code
from perpfut_lib.artifacts import AgentFolder, Control, Signal, read_json
from perpfut_lib.cli.application import application
from perpfut_lib.errors import ConfigError, PerpfutError
from perpfut_lib.venue.faults import Latency
from perpfut_lib.venue.server import serve
from perpfut_lib.venue.settings import VenueConfig
from tests.agent.world import SETTINGS, Stage

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 5.0
PATIENCE_S = 900.0
"""Longest wait for what a process has to do first: on a busy machine its start alone takes minutes."""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Return a project of its own, with nothing but the profiles in it."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.setenv("PERPFUT_ROOT", str(tmp_path))
    return tmp_path


@pytest.fixture
def home(world, project):
    """Return the agent's folder in a project of its own, with the world's artifacts in it."""
    (project / "artifacts" / "smoke").mkdir(parents=True)
    (project / "artifacts" / "smoke" / "train").symlink_to(world.run.path / "train")
    return AgentFolder(project / "artifacts" / "smoke" / "agent")


def perpfut(*arguments):
    """Run a command in this process and return what it came to."""
    return CliRunner().invoke(application(), ["agent", *arguments])


def lines(*arguments):
    """Return the lines of a command that prints JSON, by name."""
    return {line["name"]: line for line in json.loads(perpfut(*arguments, "--profile", "smoke", "--json").stdout)}


def test_orders_are_written_and_numbered(home):
    """``control`` writes what it is told, each time under a higher number; nonsense is refused."""
    assert perpfut("control", "run", "--profile", "smoke", "--max-exposure", "0.5", "--deny", "AAA").exit_code == 0
    first = home.read(Control)
    assert (first.pause, first.kill, first.max_exposure, first.deny) == (False, False, 0.5, ("AAA",))
    assert perpfut("control", "kill", "--profile", "smoke", "--note", "enough").exit_code == 0
    second = home.read(Control)
    assert (second.kill, second.note) == (True, "enough")
    assert second.seq > first.seq
    with pytest.raises(ConfigError):
        write_control(home, Orders("stop"))


def test_orders_rise_above_a_file_that_was_lost(home):
    """Without the old file the number comes from the clock: an old one that comes back stays old."""
    first = write_control(home, Orders("run"))
    home.document(Control).unlink()
    assert write_control(home, Orders("pause")).seq > first.seq


@pytest.mark.parametrize("way", ["option", "variable", "both"])
def test_orders_reach_the_run_that_the_settings_name(project, monkeypatch, way):
    """``control`` writes where ``run`` reads, and so does ``status``; no other run hears the order."""
    given = ("--set", "name=paper") if way == "option" else ()
    if way != "option":
        monkeypatch.setenv("PERPFUT_SETTINGS", "name=paper costs.fees_bps=[0.0, 2.0]")
    if way == "both":  # an option adds to the variable: the run that it names stays
        given = ("--set", "train.seeds=2")
    assert perpfut("control", "pause", "--profile", "smoke", *given).exit_code == 0
    assert AgentFolder(project / "artifacts" / "paper" / "agent").read(Control).pause
    assert not (project / "artifacts" / "smoke").exists()
    assert lines("status", *given)["control"]["text"] == "pause"


def test_status_tells_what_is_there_and_what_is_not(home, world, tmp_path):
    """Before the first tick everything is missing; after it pairs, signal and orders are told."""
    assert {name: line["state"] for name, line in lines("status").items()} == {
        "scheduler": "-",
        "control": "bad",
        "governor": "-",
        "active pairs": "bad",
        "signal": "bad",
        "performance": "-",
        "disk": "ok",
    }
    start = world.windows()[0][0]
    Stage.on_panel(world, home.path).bars(start, start + 60_000)
    told = lines("status")
    assert told["control"]["text"] == "run"
    assert all(told[name]["state"] == "ok" for name in ("active pairs", "signal"))
    assert perpfut("status", "--profile", "smoke").exit_code == 0
    assert perpfut("status", "--profile", "smoke", "--max-age", "60").exit_code == 1


def test_doctor_names_what_is_missing(home, world):
    """A policy by its hash, a writable folder, orders: each is a line; one that is missing makes the command fail."""
    done = perpfut("doctor", "--profile", "smoke", "--offline")
    assert done.exit_code == 1
    write_control(home, Orders("pause"))
    told = lines("doctor", "--offline")
    assert world.exported.card.weights_sha256[:12] in told["policy"]["text"]
    assert {name for name, line in told.items() if line["state"] == "bad"} <= {"imports"}  # this process may hold torch
    wrong = lines("doctor", "--offline", "--set", "agent.policy=other")
    assert wrong["policy"]["state"] == "bad"


def test_doctor_asks_the_exchange(home, world):
    """It tells how many symbols are listed and how far the clocks are apart; a dead exchange is a bad line."""
    with serve(VenueConfig(clock="real"), tape_of(world.panel)) as venue:
        told = lines("doctor", "--set", f"agent.exchange.url={venue.url}")
    assert told["exchange"]["state"] == "ok"
    assert f"{len(world.panel.symbols)} perpetual futures" in told["exchange"]["text"]
    dead = ("agent.exchange.url=http://127.0.0.1:1", "agent.exchange.retries=0")
    assert lines("doctor", "--set", dead[0], "--set", dead[1])["exchange"]["state"] == "bad"


def started(url, *settings, under=(), stderr=subprocess.DEVNULL, **environment):
    """Start ``perpfut agent run`` against a local exchange, ``under`` a command that executes it."""
    chosen = [*SETTINGS, f"agent.exchange.url={url}", "agent.warmup=1h", *settings]
    overrides = [part for setting in chosen for part in ("--set", setting)]
    command = [sys.executable, "-c", "from perpfut_lib.cli import main; main()", "agent", "run", "--profile", "smoke"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.Popen([*under, *command, *overrides], env=environment, stderr=stderr)


def read_only_sources():
    """Return the command that executes another one with this project mounted for reading only, as in an image.

    Where this machine mounts nothing (it takes root), it is empty.
    """
    mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    under = ("unshare", "--mount", "sh", "-c", mount, str(ROOT))
    if shutil.which("unshare") is None:
        return ()
    probe = subprocess.run([*under, "test", "!", "-w", str(ROOT / "agent")], capture_output=True, check=False)
    return () if probe.returncode else under


def compiled_code(folder):
    """Return a folder for machine code that can be written, with what is compiled already; the images have one."""
    shutil.copytree(os.environ[machine_code.VARIABLE], folder)
    return str(folder)


def wait_until(process, reached):
    """Wait for a condition on the files of a process that runs."""
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        assert process.poll() is None, "the agent ended by itself"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def has(folder, model):
    try:
        folder.read(model)
    except PerpfutError:
        return False
    return True


def stop(process):
    """Tell a process to stop; it must end well within 5 s, with exit code 0."""
    process.send_signal(signal.SIGTERM)
    try:
        assert process.wait(STOP_SECONDS) == 0
    finally:
        process.kill()
        process.wait()


def test_a_healthy_agent_signals_and_stops_when_told(home, world):
    """Against an exchange on the real clock: pairs are selected, a signal is written, SIGTERM ends it in time."""
    with serve(VenueConfig(clock="real"), tape_of(world.panel)) as venue:
        write_control(home, Orders("run"))
        process = started(venue.url)
        try:
            wait_until(process, lambda: has(home, Signal) and read_json(home.heartbeat)["doing"] == "waiting")
            assert has(home, Signal)
        finally:
            stop(process)
    assert '"agent stopped"' in home.log().read_text()


def test_an_agent_as_in_production(home, world, project):
    """All that other tests do without, in one process, which signals without a fault and ends in time when told.

    A seal key from a file: the signal is sealed. Tracing (to nowhere), patience, hints. A second agent is refused by
    name and leaves the first alone. Sources cannot be written. The log is full and is rotated. Another process looks
    into the checkpoints; their write-ahead log is folded at the end.
    """
    full = b'{"message": "of an earlier process"}\n' * (MAX_BYTES // 30)
    home.log().parent.mkdir(parents=True)
    home.log().write_bytes(full)
    (project / "seal_key").write_text("0123456789abcdef0123456789abcdef\n")
    secrets = {"PERPFUT_SEAL_KEY_FILE": str(project / "seal_key"), "LANGSMITH_API_KEY": "trace-key-of-nobody"}
    traced = {"LANGSMITH_TRACING": "true", "LANGSMITH_ENDPOINT": "http://127.0.0.1:9"}
    sealed = AgentFolder(home.path, b"0123456789abcdef0123456789abcdef")
    with serve(VenueConfig(clock="real", history_days=2), tape_of(world.panel)) as venue:
        write_control(sealed, Orders("run"))
        code = {machine_code.VARIABLE: compiled_code(project / "machine-code")}
        settings = {"under": read_only_sources(), **secrets, **traced, **code}
        process = started(venue.url, "agent.patience_ms=6000", **settings)
        try:
            wait_until(process, lambda: has(sealed, Signal) and read_json(home.heartbeat)["doing"] == "waiting")
            found = sealed.read(Signal)
            with closing(sqlite3.connect(home.checkpoints())) as database:
                assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
                assert database.execute("PRAGMA quick_check").fetchone() == ("ok",)
            second = started(venue.url, stderr=subprocess.PIPE, **secrets)
            said = second.communicate(timeout=PATIENCE_S)[1].decode()
            assert second.returncode == 2, said
            assert "another fast process at work" in said
            assert process.poll() is None
        finally:
            stop(process)
    assert found.reasons == ()
    assert found.pairs
    assert not has(home, Signal)  # without the key it is nobody's
    assert home.log().with_name("fast.jsonl.1").read_bytes() == full
    log = home.log().read_text()
    assert "earlier" not in log and "failed" not in log
    assert {*home.path.glob("*.sqlite*")} == {home.checkpoints(), home.checkpoints("slow")}
    assert not any(secret in log for secret in ("trace-key-of-nobody", "0123456789abcdef"))


def test_an_agent_in_the_middle_of_a_tick_stops_when_told(home, world):
    """The exchange does not answer, the slow tick hangs, the fast tick waits for it: SIGTERM ends both in time."""
    with serve(VenueConfig(clock="real"), tape_of(world.panel)) as venue:
        venue.exchange.add_fault(Latency(path="/fapi/v1/klines", milliseconds=120_000))
        write_control(home, Orders("run"))
        process = started(venue.url)
        try:
            wait_until(process, lambda: home.log("slow").exists())
        finally:
            stop(process)
