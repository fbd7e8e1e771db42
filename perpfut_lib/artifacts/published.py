"""Small results that are kept in git: ``artifacts/published/<name>.json``, what the book quotes beyond its own run."""

from pathlib import Path

from perpfut_lib.artifacts.atomic import read_json, write_json
from perpfut_lib.config import project_root
from perpfut_lib.errors import ArtifactError
from perpfut_lib.types import Json

FOLDER = Path("artifacts") / "published"


def publish(name: str, content: Json) -> Path:
    """Write a result, ``name`` such as ``bench/kalman``, and return its path; the old one stays whole until then."""
    path = _path(name)
    write_json(path, content)
    return path


def read_published(name: str) -> Json:
    """Return a published result; :class:`ArtifactError` where there is none of that name."""
    path = _path(name)
    if not path.is_file():
        raise ArtifactError(
            f"no published result {name!r}", f"the file {path.name}", "run the command that publishes it"
        )
    return read_json(path)


def list_published(folder: str = "") -> list[str]:
    """Return the names of the results in a folder of the published ones, in order; empty where there is none."""
    root = project_root() / FOLDER
    return sorted(str(path.relative_to(root).with_suffix("")) for path in (root / folder).glob("*.json"))


def _path(name: str) -> Path:
    return project_root() / FOLDER / f"{name}.json"
