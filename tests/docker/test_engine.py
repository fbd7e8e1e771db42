"""Every service as a real engine starts it: locked down, limited, owner of its volumes; refusals where one is due."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.docker

ROOT = Path(__file__).resolve().parents[2]
SERVICES = yaml.safe_load((ROOT / "docker" / "compose.yml").read_text())["services"]
OURS = sorted(name for name in SERVICES if name != "research")
UNITS = {"M": 2**20, "G": 2**30}

LOOK = """
import json, os
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
def writable(folder):
    try:
        open(folder + "/.tried", "w").close()
    except OSError as error:
        return error.strerror
    os.unlink(folder + "/.tried")
    return "written"
def limit(*paths):
    return next(int(open(path).read()) for path in paths if os.path.exists(path))
print(json.dumps({
    "uid": os.getuid(), "gid": os.getgid(),
    "capabilities": [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
    "no_new_privileges": int(status["NoNewPrivs"]), "seccomp": int(status["Seccomp"]),
    "first": open("/proc/1/comm").read().strip(),
    "root": writable("/"), "home": writable("/app"), "tmp": writable("/tmp"),
    "volumes": {folder: writable(folder) for folder in os.environ["TRIED"].split()},
    "noexec": any(line.split()[1] == "/tmp" and "noexec" in line for line in open("/proc/mounts")),
    "memory": limit("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"),
    "pids": limit("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max"),
}))
"""


def _ran(project, service, *command, entrypoint=None, **variables):
    """Run a service once, without what it depends on, and return what became of it."""
    profile = SERVICES[service]["profiles"][0]
    opened = project(profile, **variables)
    entry = ("--entrypoint", entrypoint) if entrypoint else ()
    head = ["docker", "compose", "-p", opened.name, "-f", str(opened.files[0]), "--profile", profile]
    told = [*head, "run", "-T", "--rm", "--no-deps", *entry, "-e", f"TRIED={variables.get('TRIED', '')}"]
    return subprocess.run(
        [*told, service, *command], env=opened.variables, capture_output=True, text=True, check=False, timeout=300
    )


def _folders(service):
    """Return the service's volumes that it may write to."""
    mounts = [mount.rsplit(":", 2 if mount.endswith(":ro") else 1) for mount in SERVICES[service].get("volumes", [])]
    return [mount[1] for mount in mounts if len(mount) == 2]


@pytest.mark.parametrize("service", OURS)
def test_a_service_is_what_compose_says(project, service):
    """Not root, no capability, no way to more, a root that cannot be written, volumes that are its own at first use."""
    folders = _folders(service)
    done = _ran(project, service, "-c", LOOK, entrypoint="python", TRIED=" ".join(folders))
    assert done.returncode == 0, done.stderr[-2000:]
    seen = json.loads(done.stdout)
    assert (seen["uid"], seen["gid"]) == (10001, 10001)
    assert seen["capabilities"] == [0] * 5
    assert (seen["no_new_privileges"], seen["seccomp"]) == (1, 2)
    assert "init" in seen["first"]
    assert seen["root"] == seen["home"] == "Read-only file system"
    assert (seen["tmp"], seen["noexec"]) == ("written", True)
    assert seen["volumes"] == dict.fromkeys(folders, "written")
    limits = SERVICES[service]["deploy"]["resources"]["limits"]
    assert seen["memory"] == int(limits["memory"][:-1]) * UNITS[limits["memory"][-1]]
    assert seen["pids"] == limits["pids"]


@pytest.mark.parametrize(("said", "word"), [("", "refused"), ("yes", "refused"), ("real-money", "control")])
def test_the_gate_stays_shut(project, said, word):
    """Without the word it refuses; with it the doctor looks, and finds neither policy nor orders."""
    done = _ran(project, "gate-live", PERPFUT_LIVE=said)
    assert done.returncode == 1
    assert word in done.stdout + done.stderr
    assert ("bad" in done.stdout) == (said == "real-money")


def test_the_seal_key_reaches_the_agent(project):
    """The secret's file is readable by the containers' user, and documents are sealed with it."""
    done = _ran(project, "agent-paper", "agent", "doctor", "--offline")
    assert "sealed with a shared key" in done.stdout, done.stderr[-2000:]


def test_a_secret_that_is_missing_stops_the_start(project, tmp_path):
    """Compose starts nothing whose secrets are not there."""
    done = _ran(project, "agent-paper", "agent", "status", PERPFUT_SECRETS=str(tmp_path))
    assert done.returncode != 0
    assert "seal_key" in done.stderr


def test_hummingbot_does_not_start_without_symbols(project):
    """The variable is named."""
    done = _ran(project, "hummingbot-paper")
    assert done.returncode != 0
    assert "PERPFUT_SYMBOLS" in done.stderr + done.stdout


def test_the_health_check_of_an_agent_that_never_ran_fails(project):
    """No heartbeat is no health."""
    done = _ran(project, "agent-paper", "agent", "status", "--max-age", "90")
    assert done.returncode == 1
    assert "never seen" in done.stdout


def test_the_demonstration_has_a_policy_and_no_way_out(project, trials_engine):
    """Its policy is deployed from the repository, and its network is internal."""
    done = _ran(project, "policy-demo")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "z-score of smoke" in done.stdout
    opened = project("demo")
    opened.compose("up", "--no-start", "--no-deps", "venue")
    told = trials_engine.engine("network", "inspect", f"{opened.name}_inside", "--format", "{{.Internal}}")
    assert told.strip() == "true"


def test_the_watchdog_speaks_of_addresses_without_showing_them(project, tmp_path):
    """In the image apprise is there: a receiver that is away is a failed test message, nonsense is refused unshown."""
    away = _ran(project, "watch-paper", "console", "watch", "--test")
    assert away.returncode == 1
    assert "not taken" in away.stderr + away.stdout
    for name, text in (("seal_key", "5a" * 32), ("notify_urls", "a-secret-that-is-no-address")):
        (tmp_path / name).write_text(text)
    refused = _ran(project, "watch-paper", "console", "watch", PERPFUT_SECRETS=str(tmp_path))
    assert refused.returncode != 0
    assert "1 of 1" in refused.stderr
    assert "a-secret" not in refused.stderr + refused.stdout


def test_the_console_is_published_on_loopback_and_answers(project, trials_engine):
    """From this machine it answers; no other address of it is bound."""
    opened = project("observe")
    opened.compose("up", "--detach", "--wait", "--wait-timeout", "240", "console-demo")
    try:
        ports = json.loads(
            trials_engine.engine(
                "inspect", opened.container("console-demo"), "--format", "{{json .NetworkSettings.Ports}}"
            )
        )
        assert ports == {"8800/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8800"}]}
        answer = subprocess.run(
            ["python3", "-c", "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8800/healthz').status)"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert answer.stdout.strip() == "200", answer.stderr[-500:]
    finally:
        opened.compose("rm", "--stop", "--force", "console-demo")
