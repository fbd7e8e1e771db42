"""The engine's client and Compose, and what they lack said in words."""

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from perpfut_lib.errors import MissingInputError, PerpfutError

ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Project:
    """One set of containers under Compose."""

    name: str
    files: tuple[Path, ...]
    variables: Mapping[str, str] | None = None
    """Environment that the files are read with; none is this process's."""
    profile: str = "demo"

    def compose(self, *command: str) -> str:
        """Run Compose and return what it printed."""
        files = [part for file in self.files for part in ("-f", str(file))]
        head = ("compose", "-p", self.name, *files, "--profile", self.profile)
        return engine(*head, *command, environment=self.variables)

    def container(self, service: str) -> str:
        """Return the container of a service."""
        return f"{self.name}-{service}-1"


def engine(*command: str, environment: Mapping[str, str] | None = None) -> str:
    """Run the engine's client and return what it printed.

    Raises
    ------
    PerpfutError
        It failed.
    """
    done = subprocess.run(["docker", *command], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        found = f"docker {' '.join(command[-4:])}: {done.stderr.strip()[-600:]}"
        raise PerpfutError(found, "a command that succeeds", "look at docker compose logs")
    return done.stdout


def lacking(images: Sequence[str] = ()) -> list[str]:
    """Return what is missing to run containers here, each with what to do; empty where nothing is."""
    if shutil.which("docker") is None:
        return ["no docker command: install Docker Engine or Debian's docker.io"]
    if _fails("info"):
        return ["no Docker engine answers: start it (systemctl start docker, or dockerd), and belong to its group"]
    version = subprocess.run(["docker", "compose", "version", "--short"], capture_output=True, text=True, check=False)
    found = []
    if version.returncode or int(re.sub(r"\D.*", "", version.stdout.strip().lstrip("v")) or 0) < 2:
        found.append("no Compose 2: install docker-compose-plugin (Debian 13: docker-compose)")
    return found + [f"no image {tag}: make images" for tag in map(tagged, images) if _fails("image", "inspect", tag)]


def require_engine(images: Sequence[str] = ()) -> None:
    """Raise :class:`MissingInputError` that names what is missing."""
    found = lacking(images)
    if found:
        raise MissingInputError("; ".join(found), "an engine with Compose and the images", "nothing was started")


def tagged(image: str) -> str:
    """Return an image with this version's tag."""
    version = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.M)
    assert version is not None
    return f"{image}:{version[1]}"


def _fails(*command: str) -> bool:
    return subprocess.run(["docker", *command], capture_output=True, check=False).returncode != 0
