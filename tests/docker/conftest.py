"""The engine that ``make test-docker`` needs: found and used, never installed or started."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAME = "perpfut-test"


@pytest.fixture(scope="session")
def trials_engine():
    """Return the module of docker/trials that speaks with the engine."""
    path = ROOT / "docker" / "trials" / "engine.py"
    spec = importlib.util.spec_from_file_location("perpfut_trials_engine", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def secrets_folder(tmp_path_factory):
    """Return a folder with secrets that open nothing, as the runbook has them made."""
    folder = tmp_path_factory.mktemp("secrets")
    texts = {
        "seal_key": "5a" * 32,
        "console_token_hash": "none",
        "notify_urls": "json://127.0.0.1:9/",
        "hummingbot_password": "of-a-test",
    }
    for name, text in texts.items():
        (folder / name).write_text(f"{text}\n")
        if os.getuid() == 0:
            os.chown(folder / name, 10001, 10001)
        (folder / name).chmod(0o400 if os.getuid() == 0 else 0o444)
    return folder


@pytest.fixture(scope="session")
def project(trials_engine, secrets_folder):
    """Return a function that gives the Compose project of a profile; everything of it is removed at the end."""
    missing = trials_engine.lacking(("perpfut/agent", "perpfut/hummingbot"))
    if missing:
        pytest.fail("make test-docker lacks, and does not install: " + "; ".join(missing), pytrace=False)

    def opened(profile, **variables):
        environment = {**os.environ, "PERPFUT_SECRETS": str(secrets_folder), **variables}
        return trials_engine.Project(NAME, (ROOT / "docker" / "compose.yml",), environment, profile)

    yield opened
    for profile in ("demo", "observe", "watch", "paper", "live"):
        opened(profile).compose("down", "--volumes", "--remove-orphans", "--timeout", "5")
