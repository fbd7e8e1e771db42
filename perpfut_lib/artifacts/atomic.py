"""Writes that a crash or a concurrent reader can never see half done."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from perpfut_lib.errors import ArtifactError, MissingInputError
from perpfut_lib.types import Json, JsonObject


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``: temporary file, fsync, rename, fsync of the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_json(path: Path, value: Json) -> None:
    """Write ``value`` as indented JSON with sorted keys; NaN and infinities are refused."""
    write_bytes(path, (json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> Json:
    """Read strict JSON: NaN and duplicate keys are refused.

    Raises
    ------
    MissingInputError
        There is no such file.
    ArtifactError
        The file is not strict JSON.
    """
    try:
        return parse_json(path.read_bytes())
    except FileNotFoundError as error:
        raise MissingInputError(f"no {path.name}", f"a file {path}", "run the stage that writes it") from error
    except ValueError as error:
        raise ArtifactError(f"{path}: {error}", "strict JSON", "delete the file and run its stage again") from error


def kept_json(path: Path, make: Callable[[], Json]) -> Json:
    """Read ``path``, or write what ``make`` returns to it first: work that was done once is not done again."""
    if not path.is_file():
        write_json(path, make())
    return read_json(path)


def parse_json(content: bytes) -> Json:
    """Parse strict JSON: a :class:`ValueError` on NaN, duplicate keys, bad UTF-8 or nesting without end."""
    try:
        return json.loads(content.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk, so that a rename in it survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"the constant {text} is not JSON")


def _unique(pairs: list[tuple[str, Json]]) -> JsonObject:
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError(f"duplicate keys in {sorted({key for key in keys if keys.count(key) > 1})}")
    return dict(pairs)
