"""The key that seals documents, shared by the agent and whoever reads them."""

import os
from pathlib import Path
from typing import Final

from perpfut_lib.errors import ConfigError

KEY_VARIABLE: Final = "PERPFUT_SEAL_KEY"


def seal_key() -> bytes | None:
    """Return the key that seals documents: from ``PERPFUT_SEAL_KEY``, or from the file ``PERPFUT_SEAL_KEY_FILE``.

    Raises
    ------
    ConfigError
        The file is named but cannot be read, or the key is shorter than 16 bytes.
    """
    text, file = os.environ.get(KEY_VARIABLE), os.environ.get(f"{KEY_VARIABLE}_FILE")
    if text is None and file is None:
        return None
    try:
        key = text.encode() if text is not None else Path(str(file)).read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"{KEY_VARIABLE}_FILE: {error.strerror}", "a readable file", "check the secret") from error
    if len(key) < 16:
        raise ConfigError(f"a seal key of {len(key)} bytes", "at least 16", "make one: openssl rand -hex 32")
    return key
