"""Private files of the agent: compact JSON with its own SHA-256, so that rot is noticed instead of acted on."""

import hashlib
import json
from pathlib import Path

from perpfut_lib.artifacts import write_bytes
from perpfut_lib.artifacts.atomic import parse_json
from perpfut_lib.artifacts.contract_io import read_content
from perpfut_lib.errors import ArtifactError
from perpfut_lib.types import Json


def write_sealed(path: Path, tree: Json) -> None:
    """Replace a file by ``tree``: atomic, floats to the last bit, NaN refused."""
    seal_content(path, json.dumps(tree, separators=(",", ":"), allow_nan=False).encode())


def seal_content(path: Path, content: bytes) -> None:
    """Replace a file by compact JSON that the caller has made of finite numbers."""
    write_bytes(path, b'{"seal":"%s","content":%s}\n' % (hashlib.sha256(content).hexdigest().encode(), content))


def read_sealed(path: Path) -> Json:
    """Return what :func:`write_sealed` wrote.

    Raises
    ------
    MissingInputError
        There is no such file.
    ArtifactError
        It is not what was written.
    """
    try:
        content = read_content(path)
        tree = parse_json(content)
        inner = content[content.index(b'"content":') + 10 : -2]
        if tree["seal"] != hashlib.sha256(inner).hexdigest():
            raise ValueError("its seal does not fit")
        return tree["content"]
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path.name}: {str(error)[:300]}", "the file as written", "look at the disk") from error
