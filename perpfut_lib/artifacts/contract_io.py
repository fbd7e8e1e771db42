"""Reading and writing contract documents: strict, atomic, sealed against bit rot or, with a key, against forgery."""

import hashlib
import hmac
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from perpfut_lib.artifacts.atomic import parse_json, write_bytes
from perpfut_lib.artifacts.contract import SCHEMA_VERSION, ActivePairs, Control, Document, Signal
from perpfut_lib.artifacts.contract_feedback import GovernorOrder, PerfSnapshot, RetrainRequest
from perpfut_lib.errors import ArtifactError, MissingInputError
from perpfut_lib.types import Json

D = TypeVar("D", bound=Document)

KINDS: Mapping[type[Document], str] = {
    ActivePairs: "active_pairs",
    Signal: "signal",
    PerfSnapshot: "perf_snapshot",
    Control: "control",
    GovernorOrder: "governor",
    RetrainRequest: "retrain_request",
}
MAX_BYTES = 16 * 2**20  # a file beyond this is not one of ours, and reading it would stall a tick


def encode(document: Document, key: bytes | None = None) -> bytes:
    """Return the document as JSON bytes, sealed by SHA-256 or, with a ``key``, by HMAC; equal ones are equal."""
    content = document.model_dump(mode="json")
    content["seal"] = _seal(content, key)
    return (json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def decode(content: bytes, model: type[D], key: bytes | None = None) -> D:
    """Return the document in ``content``.

    Parameters
    ----------
    content : bytes
        JSON as :func:`encode` writes it.
    model : type
        Kind of document that is expected.
    key : bytes, optional
        The shared key, where there is one.

    Raises
    ------
    ArtifactError
        Not strict JSON, another schema or kind, an unknown key, a wrong type, a contradiction, a missing or wrong
        seal. Only a control file, which people edit, may lack the seal, and only where there is no key.
    """
    kind = KINDS[model]
    expected = f"a {kind} document of schema version {SCHEMA_VERSION}"
    remedy = "do not act on it; look at who wrote it"
    if len(content) > MAX_BYTES:
        raise ArtifactError(f"{len(content)} bytes", f"{kind} of at most {MAX_BYTES} bytes", remedy)
    try:
        tree = parse_json(content)
        document = model.model_validate_json(content)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc'])) or 'document'}: {item['msg']}" for item in error.errors())
        raise ArtifactError(wrong[:500], expected, remedy) from error
    except ValueError as error:
        raise ArtifactError(str(error)[:500], f"strict JSON with {expected}", remedy) from error
    edited = isinstance(document, Control) and document.seal is None and key is None
    if not edited and not hmac.compare_digest(_seal(tree, key), document.seal or ""):
        raise ArtifactError(f"{kind} with a missing or wrong seal", "one that fits content and key", remedy)
    return document


def read_document(path: Path, model: type[D], key: bytes | None = None) -> D:
    """Return the document in a file.

    Parameters
    ----------
    path : Path
        A regular file.
    model, key
        As in :func:`decode`.

    Raises
    ------
    MissingInputError
        There is no such file.
    ArtifactError
        It cannot be read, or is not what it should be.
    """
    return decode(read_content(path), model, key)


def read_content(path: Path) -> bytes:
    """Return the bytes of a file, at most one more than a document may have; errors as for :func:`read_document`.

    Anything but a regular file is refused: a pipe would block its reader until somebody writes.
    """
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise ArtifactError(f"{path.name} is not a file", "a regular file", "look at who put it there")
            return stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise MissingInputError(f"no {path.name}", f"a file {path}", "start whoever writes it") from error
    except OSError as error:
        raise ArtifactError(f"{path.name}: {error.strerror}", "a readable file", "check its permissions") from error


def write_document(path: Path, document: Document, key: bytes | None = None) -> None:
    """Put the document in the place of whatever is at ``path``: a reader sees the old one or the new one, whole.

    It is sealed as by :func:`encode`, with the ``key`` where there is one.
    """
    write_bytes(path, encode(document, key))


def content_digest(document: Document) -> str:
    """Return the SHA-256 (hex) of the document without its seal."""
    return _seal(document.model_dump(mode="json"), None)


def _seal(content: Mapping[str, Json], key: bytes | None) -> str:
    unsealed = {name: value for name, value in content.items() if name != "seal"}
    text = json.dumps(unsealed, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    return hashlib.sha256(text).hexdigest() if key is None else hmac.new(key, text, hashlib.sha256).hexdigest()
