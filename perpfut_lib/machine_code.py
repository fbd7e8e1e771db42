"""Where numba keeps compiled code: a folder of its own for every version of the compiled sources.

numba looks for changes in the file that a function is written in. A function whose callee, or a constant, changed in
another file would silently run its old machine code: research and live could differ, and so could two runs.
"""

import hashlib
import os
import shutil
import sys
import time
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
VARIABLE = "NUMBA_CACHE_DIR"
PREFIX = "numba-"
KEPT_SECONDS = 7 * 86_400


def use_fresh_cache() -> None:
    """Point numba to the folder of this version; a folder that the user names stays, a read-only package too."""
    given = Path(os.environ.get(VARIABLE, ""))
    if given.name and not given.name.startswith(PREFIX):
        return
    folder = PACKAGE / "__pycache__" / (PREFIX + sources_hash()[:16])
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            _drop_old(folder)
    except OSError:
        return
    os.environ[VARIABLE] = str(folder)  # also for the processes started from here
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = str(folder)


def sources_hash() -> str:
    """Return the SHA-256 over every source file that numba compiles something of."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        source = path.read_bytes()
        if b"njit" in source:
            digest.update(str(path.relative_to(PACKAGE)).encode() + b"\0" + source + b"\0")
    return digest.hexdigest()


def _drop_old(folder: Path) -> None:
    """Remove folders of versions that nobody has used for a week."""
    for other in folder.parent.glob(f"{PREFIX}*"):
        if time.time() - other.stat().st_mtime > KEPT_SECONDS:
            shutil.rmtree(other, ignore_errors=True)
