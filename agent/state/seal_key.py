"""The key that seals documents, shared by the agent and its readers."""

import os
from pathlib import Path
from typing import Final

from perpfut_lib.errors import ConfigError

KEY_VARIABLE: Final = "PERPFUT_SEAL_KEY"
REQUIRED_VARIABLE: Final = "PERPFUT_REQUIRE_SEAL"
"""Set by compose for paper and live: without a key anybody who can write the folder can trade."""


def seal_key(*, required: bool = False) -> bytes | None:
    """Return the key that seals documents: from ``PERPFUT_SEAL_KEY``, or from the file ``PERPFUT_SEAL_KEY_FILE``.

    Parameters
    ----------
    required : bool
        Whether none is an error, as it is wherever ``PERPFUT_REQUIRE_SEAL`` is set.

    Raises
    ------
    ConfigError
        The file is named but cannot be read, the key is shorter than 16 bytes, or a required one is missing.
    """
    text, file = os.environ.get(KEY_VARIABLE), os.environ.get(f"{KEY_VARIABLE}_FILE")
    if text is None and file is None:
        if required or os.environ.get(REQUIRED_VARIABLE):
            remedy = f"make one (openssl rand -hex 32) and set {KEY_VARIABLE}_FILE"
            raise ConfigError("no seal key: a forged signal would be followed", "one where orders are real", remedy)
        return None
    try:
        key = text.encode() if text is not None else Path(str(file)).read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"{KEY_VARIABLE}_FILE: {error.strerror}", "a readable file", "check the secret") from error
    if len(key) < 16:
        raise ConfigError(f"a seal key of {len(key)} bytes", "at least 16", "make one: openssl rand -hex 32")
    return key
