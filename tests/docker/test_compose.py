"""The compose file: valid by the specification's schema, locked down in every service, live only on purpose."""

import copy
import json
import os
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((Path(__file__).parent / "schema" / "compose-spec.json").read_text())
COMPOSE = yaml.safe_load((ROOT / "docker" / "compose.yml").read_text())
SERVICES = COMPOSE["services"]
ONE_OFF = {name for name, service in SERVICES.items() if service["restart"] == "no"}
TRADING = {name for name in SERVICES if name.startswith(("agent-", "hummingbot-"))}


def test_compose_file_is_valid():
    """The specification's own schema accepts it."""
    jsonschema.validate(COMPOSE, SCHEMA)


def test_a_misspelt_key_is_not_valid():
    """The schema would catch a setting that an engine silently ignores."""
    wrong = copy.deepcopy(COMPOSE)
    wrong["services"]["venue"]["readonly"] = True
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, SCHEMA)


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_locked_down(name):
    """No root, no capability, no new privilege, nothing writable but volumes and a bounded /tmp; limits."""
    service = SERVICES[name]
    assert service["init"] is True
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "devices", "pid", "ipc", "env_file"} & service.keys()
    assert service.get("network_mode") in (None, "none")  # another's network is gone once that one starts again
    assert re.match(r"(?!0:)[\w$]", service["user"])
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert service["logging"] == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "5"}}
    assert all(re.search(r"nosuid,nodev,.*size=", mount) for mount in service["tmpfs"])
    assert service["restart"] in ("unless-stopped", "no")
    assert re.fullmatch(r"\$\{PERPFUT_REGISTRY:-perpfut\}/\w+:\d+\.\d+\.\d+", service["image"])
    assert len(service["profiles"]) == 1


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_loopback_only(name):
    """Nothing of ours listens on an address that another machine can reach."""
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_in_the_environment(name):
    """Variables hold settings and the paths of secrets; a value that looks like a key is nowhere."""
    for variable, value in SERVICES[name].get("environment", {}).items():
        secret = re.search(r"KEY|SECRET|PASSWORD|TOKEN|NOTIFY", variable)
        assert not secret or (variable.endswith("_FILE") and value.startswith("/run/secrets/")), variable


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - ONE_OFF))
def test_what_runs_on_is_watched(name):
    """A health check of its own, or that of its image."""
    service = SERVICES[name]
    assert "healthcheck" in service or "HEALTHCHECK" in (ROOT / service["build"]["dockerfile"]).read_text()


@pytest.mark.parametrize("mode", ["demo", "paper", "live"])
def test_modes_share_nothing(mode):
    """Each mode has a volume of its own: orders and memory of a trial never meet money."""
    for name in (name for name in SERVICES if SERVICES[name]["profiles"] == [mode] and name != "venue"):
        named = [mount.removesuffix(":ro") for mount in SERVICES[name]["volumes"]]
        mounts = [mount.rpartition(":")[0] for mount in named if mount.endswith("/app/artifacts")]
        assert mounts == [mode], name
    named = [
        mount.partition(":")[0]
        for each in SERVICES.values()
        if mode in each["profiles"]
        for mount in each.get("volumes", [])
    ]
    assert all(mode in name.split("-") for name in named if name in COMPOSE["volumes"])


def test_the_demo_reaches_no_network():
    """All of its services sit on one network without a way out, or on none."""
    assert COMPOSE["networks"] == {"inside": {"internal": True}}
    demo = [service for service in SERVICES.values() if service["profiles"] == ["demo"]]
    assert all(each.get("networks") == ["inside"] or each.get("network_mode") == "none" for each in demo)


def test_research_results_are_read_only_to_the_deployment():
    """The step that copies a policy cannot change what was trained."""
    for mode in ("demo", "paper", "live"):
        assert any(mount.endswith(":/research:ro") for mount in SERVICES[f"policy-{mode}"]["volumes"])


def test_only_the_executor_sees_its_keys_and_password():
    """Keys lie in a volume that no other service mounts; the password is handed to Hummingbot alone."""
    for name, service in SERVICES.items():
        touches = any("-keys:" in mount for mount in service.get("volumes", []))
        given = "hummingbot_password" in service.get("secrets", [])
        assert (touches, given) == (name in ("hummingbot-paper", "hummingbot-live"),) * 2, name


@pytest.mark.parametrize("mode", ["demo", "paper", "live"])
def test_the_watchdog_depends_on_nobody_and_can_write_nothing(mode):
    """A container of its own that waits for no other and sees the agent's folder read-only."""
    service = SERVICES[f"watch-{mode}"]
    assert "depends_on" not in service
    assert service["volumes"] == [f"{mode}:/app/artifacts:ro"]
    assert set(service["secrets"]) == {"notify_urls", *(["seal_key"] if mode != "demo" else [])}
    assert service["environment"]["PERPFUT_NOTIFY_URLS_FILE"] == "/run/secrets/notify_urls"


def test_console_and_watchdog_read_the_profile_that_the_agent_writes():
    """Each looks into the folder of its own mode's agent, sealed as that one's."""
    for mode in ("demo", "paper", "live"):
        wanted = SERVICES[f"agent-{mode}"]["environment"]
        for name in (f"console-{mode}", f"watch-{mode}"):
            told = SERVICES[name]["environment"]
            for variable in ("PERPFUT_PROFILE", "PERPFUT_SETTINGS", "PERPFUT_SEAL_KEY_FILE", "PERPFUT_REQUIRE_SEAL"):
                assert told.get(variable) == wanted.get(variable), (name, variable)


@pytest.mark.parametrize("name", sorted(name for name in TRADING if name.endswith("-live")))
def test_nothing_live_starts_before_the_gate(name):
    """Whatever trades with money waits for the gate to have ended well."""
    assert SERVICES[name]["depends_on"]["gate-live"] == {"condition": "service_completed_successfully"}


@pytest.mark.parametrize(
    ("said", "verdict", "code"), [("", True, 1), ("yes", True, 1), ("real-money", True, 0), ("real-money", False, 1)]
)
def test_the_gate_opens_for_one_word_and_a_healthy_agent(tmp_path, said, verdict, code):
    """The gate's own script refuses without the exact word, and hands on the doctor's verdict."""
    doctor = tmp_path / "perpfut"
    doctor.write_text(f"#!/bin/sh\n[ \"$*\" = 'agent doctor' ] && exit {0 if verdict else 1}\nexit 9\n")
    doctor.chmod(0o755)
    gate = SERVICES["gate-live"]
    script = gate["command"][0].replace("$$", "$")
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PERPFUT_LIVE": said}
    done = subprocess.run([*gate["entrypoint"], script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert ("refused" in done.stderr) == (said != "real-money")


@pytest.fixture
def pinning(tmp_path):
    """Return a function that runs a copy of pin-images with a registry client that answers as told."""

    def pin(answer):
        folder, bin_ = tmp_path / "docker", tmp_path / "bin"
        for made in (folder, bin_):
            made.mkdir(exist_ok=True)
        for file in [*(ROOT / "docker").glob("*.Dockerfile"), ROOT / "docker" / "pin-images"]:
            (folder / file.name).write_bytes(file.read_bytes())
        for client in ("docker", "skopeo"):
            (bin_ / client).write_text(f"#!/bin/sh\n{answer}\n")
            (bin_ / client).chmod(0o755)
        environment = {"PATH": f"{bin_}:{os.environ['PATH']}"}
        command = ["/bin/sh", str(folder / "pin-images")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done, {file.name: file.read_text() for file in folder.glob("*.Dockerfile")}

    return pin


def _bases(texts):
    return [line.split()[1] for text in texts.values() for line in text.splitlines() if line.startswith("FROM")]


def test_digests_come_from_the_registry(pinning):
    """Every base gets the digest that the registry tells, once; pinning again replaces it."""
    for digest in ("sha256:" + "ab" * 32, "sha256:" + "0c" * 32):
        done, texts = pinning(f"echo {digest}")
        assert done.returncode == 0, done.stderr
        assert _bases(texts)
        assert all(base.endswith(f"@{digest}") and base.count("@") == 1 for base in _bases(texts))


@pytest.mark.parametrize("answer", ["exit 1", "echo no such image", "echo sha256:1234"])
def test_no_digest_is_ever_invented(pinning, answer):
    """Without a registry, or with an answer that is no digest, every Dockerfile stays as it was."""
    done, texts = pinning(answer)
    assert done.returncode == 1
    assert "nothing changed" in done.stderr
    assert texts == {file.name: file.read_text() for file in (ROOT / "docker").glob("*.Dockerfile")}


@pytest.mark.parametrize(("engine", "used"), [(0, "docker build"), (1, "buildah bud --format docker")])
def test_images_are_built_by_whichever_engine_there_is(tmp_path, engine, used):
    """Docker where its engine answers, else buildah, with the format that keeps health checks; the commit goes in."""
    for client in ("docker", "buildah"):
        (tmp_path / client).write_text(f'#!/bin/sh\n[ "$1" = info ] && exit {engine}\necho {client} "$@"\n')
        (tmp_path / client).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = ["/bin/sh", str(ROOT / "docker" / "build-images"), "agent", "research"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.startswith(used) for line in said] == [True, True]
    assert re.search(r"--build-arg COMMIT=\w+\+? .*-f docker/agent.Dockerfile -t perpfut/agent:[\d.]+ \.$", said[0])
    assert "-f docker/research.Dockerfile -t perpfut/research:" in said[1]


@pytest.fixture
def publishing(tmp_path):
    """Return a function that runs a copy of publish-images in a repository of its own, with an engine that repeats."""
    folder, bin_ = tmp_path / "repository", tmp_path / "bin"
    (folder / "docker").mkdir(parents=True)
    bin_.mkdir()
    for file in (ROOT / "docker" / "agent.Dockerfile", ROOT / "docker" / "publish-images", ROOT / "pyproject.toml"):
        place = folder / file.relative_to(ROOT)
        place.write_text(re.sub(r"^(FROM [^ @\n]+)", rf"\1@sha256:{'ab' * 32}", file.read_text(), flags=re.M))
    (bin_ / "docker").write_text('#!/bin/sh\necho "$@"\n')
    (bin_ / "docker").chmod(0o755)
    alone = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    environment = {**alone, "PATH": f"{bin_}:{os.environ['PATH']}", "HOME": str(tmp_path)}

    def git(*command):
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", *who, *command], cwd=folder, env=environment, check=True, capture_output=True)

    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "one")

    def publish(registry="registry.example/us"):
        command = ["/bin/sh", "docker/publish-images", "agent"]
        told = environment | {"REGISTRY": registry}
        return subprocess.run(command, cwd=folder, env=told, capture_output=True, text=True, check=False)

    publish.folder, publish.commit = folder, lambda: git("commit", "-qam", "two")
    return publish


def test_images_are_published_with_provenance_and_commit(publishing):
    """One build that pushes, attests how it was made and what it holds, under version and commit."""
    done = publishing()
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "build" in line]
    assert {"--push", "--provenance=mode=max", "--sbom=true"} <= set(line.split())
    assert re.search(r"COMMIT=(\w{40}) .*-t registry.example/us/agent:\d+\.\d+\.\d+ -t \S+/agent:\1 \.$", line)


@pytest.mark.parametrize("wrong", ["registry", "changed", "unpinned"])
def test_what_could_not_be_made_again_is_not_published(publishing, wrong):
    """Without an address, from a changed tree or from a base that moves, nothing is built."""
    file = publishing.folder / "docker" / "agent.Dockerfile"
    if wrong == "changed":
        file.write_text(file.read_text() + "# changed\n")
    if wrong == "unpinned":
        file.write_text(re.sub(r"@sha256:\w+", "", file.read_text()))
        publishing.commit()
    done = publishing("" if wrong == "registry" else "registry.example/us")
    assert done.returncode == 1
    assert done.stdout == ""
    assert {"registry": "REGISTRY", "changed": "changes", "unpinned": "digest"}[wrong] in done.stderr


@pytest.mark.parametrize("name", ["agent", "hummingbot", "research"])
def test_what_an_image_copies_is_there_and_is_sent_to_the_build(name):
    """Every source exists in the repository, and ``.dockerignore`` lets it through."""
    text = (ROOT / "docker" / f"{name}.Dockerfile").read_text()
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    sources = [source for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.M) for source in line.split()[:-1]]
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert any(source == each or source.startswith(f"{each}/") for each in sent), source


def test_hummingbot_starts_with_the_settings_that_the_script_knows(tmp_path):
    """The start writes what compose says into the script's settings and hands the password on, not into a file."""
    (tmp_path / "python").write_text('#!/bin/sh\necho "$HBOT_PASSWORD $*"\n')
    (tmp_path / "python").chmod(0o755)
    (tmp_path / "password").write_text("s3cret-of-mine\n")
    told = {
        "PERPFUT_CONNECTOR": "binance_perpetual_testnet",
        "PERPFUT_PROFILE": "real-1m",
        "PERPFUT_SYMBOLS": "ETHUSDT, SOLUSDT",
    }
    environment = {
        **told,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "HUMMINGBOT_PASSWORD_FILE": str(tmp_path / "password"),
    }
    start = ["/bin/sh", str(ROOT / "docker" / "hummingbot-start")]
    done = subprocess.run(start, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "s3cret-of-mine -m hummingbot.cli.engine --name perpfut --script-config perpfut.yml\n"
    text = (tmp_path / "conf" / "scripts" / "perpfut.yml").read_text()
    assert "s3cret" not in text
    settings = yaml.safe_load(text)
    assert settings["symbols"] == ["ETHUSDT", "SOLUSDT"]
    assert settings["folder"] == "/app/artifacts/real-1m/agent"
    assert (ROOT / "agent" / "hummingbot" / settings["script_file_name"]).is_file()
    script = (ROOT / "agent" / "hummingbot" / "executor_config.py").read_text()
    assert all(re.search(rf"^    {name}: ", script, re.M) for name in settings)


@pytest.mark.parametrize("mode", ["demo", "paper", "live"])
def test_settings_of_ones_own_reach_every_mode(mode):
    """Capital, risk and policy are the operator's, without another image."""
    assert f"${{PERPFUT_{mode.upper()}_SETTINGS:-" in SERVICES[f"agent-{mode}"]["environment"]["PERPFUT_SETTINGS"]


def test_stops_are_off_on_paper_and_on_where_orders_are_real():
    """What compose passes on without a word of the operator."""
    found = {kind: SERVICES[f"hummingbot-{kind}"]["environment"]["PERPFUT_STOP_DISTANCE"] for kind in ("paper", "live")}
    assert found == {"paper": "${PERPFUT_STOP_DISTANCE:-0}", "live": "${PERPFUT_STOP_DISTANCE:-0.2}"}


@pytest.mark.parametrize("missing", ["PERPFUT_SYMBOLS", "PERPFUT_PROFILE", "HUMMINGBOT_PASSWORD_FILE"])
def test_hummingbot_does_not_start_on_half_a_configuration(tmp_path, missing):
    """A variable that is missing or empty is named, and nothing is started."""
    told = dict.fromkeys(("PERPFUT_CONNECTOR", "PERPFUT_PROFILE", "PERPFUT_SYMBOLS", "HUMMINGBOT_PASSWORD_FILE"), "x")
    environment = {**told, missing: "", "PATH": os.environ["PATH"]}
    start = ["/bin/sh", str(ROOT / "docker" / "hummingbot-start")]
    done = subprocess.run(start, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert missing in done.stderr


def test_images_and_package_have_one_version():
    """Compose starts what ``make images`` builds."""
    version = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.M)[1]
    assert {service["image"].rpartition(":")[2] for service in SERVICES.values()} == {version}


def test_no_secret_can_be_committed_or_sent_to_a_build():
    """The folder of secrets is ignored by git, and a build sees only what is listed."""
    assert "/docker/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    sent = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert sent[0] == "*"
    assert not any("secret" in line or "data" in line for line in sent)
