"""Who may give orders: a token of which only a hash is kept, short sessions, and a limit on guesses."""

import base64
import hashlib
import hmac
import os
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from perpfut_lib.errors import ConfigError

HASH_VARIABLE: Final = "PERPFUT_CONSOLE_TOKEN_HASH"
SESSION_S: Final = 900.0
"""Length of a session, seconds: it ends then, whatever happens in it."""
SESSIONS: Final = 32
"""Most sessions at a time; a new one replaces the oldest."""
GUESSES: Final = 5
"""Most failed sign-ins from all addresses together in :data:`GUESSES_S`."""
GUESSES_S: Final = 60.0
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_COST: Final = {"n": 2**14, "r": 8, "p": 1}


def new_token() -> tuple[str, str]:
    """Return a new token and the hash to keep of it."""
    token = secrets.token_urlsafe(24)
    return token, hash_token(token, secrets.token_bytes(16))


def hash_token(token: str, salt: bytes) -> str:
    """Return ``scrypt:<salt>:<digest>``, both base64."""
    digest = hashlib.scrypt(token.encode(), salt=salt, **_COST)
    return ":".join(("scrypt", *(base64.urlsafe_b64encode(part).decode() for part in (salt, digest))))


def kept_hash() -> str | None:
    """Return the hash of the token from the environment or from a secret's file; none: nobody gives orders here.

    Raises
    ------
    ConfigError
        The file cannot be read, or the text is not a hash of :func:`hash_token`.
    """
    text, file = os.environ.get(HASH_VARIABLE), os.environ.get(f"{HASH_VARIABLE}_FILE")
    if text is None and file is None:
        return None
    try:
        kept = text.strip() if text is not None else Path(str(file)).read_text().strip()
    except OSError as error:
        raise ConfigError(f"{HASH_VARIABLE}_FILE: {error.strerror}", "a readable file", "check the secret") from error
    if not re.fullmatch(r"scrypt:[\w=-]{20,}:[\w=-]{80,}", kept):
        raise ConfigError(
            f"{HASH_VARIABLE} that is not a hash", "scrypt:salt:digest", "make one: perpfut console token"
        )
    return kept


@dataclass(frozen=True)
class Session:
    """A person who signed in."""

    name: str
    """Who gives the orders."""
    csrf: str
    """What every order of this session must carry beside the cookie."""
    ends: float
    """Monotonic time at which it is over, seconds."""


@dataclass
class Gatekeeper:
    """Signs people in and out.

    Parameters
    ----------
    kept : str or None
        Hash of the token; none: nobody signs in.
    clock : callable
        Monotonic seconds.
    """

    kept: str | None
    clock: Callable[[], float] = time.monotonic
    _sessions: dict[str, Session] = field(default_factory=dict)
    _failures: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sign_in(self, token: str, name: str) -> str | None:
        """Return the key of a new session; none if the token or the name is wrong.

        Raises
        ------
        TooManyGuesses
            Too many have failed of late.
        """
        with self._lock:
            now = self.clock()
            self._failures = [failed for failed in self._failures if now - failed < GUESSES_S]
            if len(self._failures) >= GUESSES:
                raise TooManyGuesses
            if self.kept is None or not NAME.fullmatch(name) or not _fits(token, self.kept):
                self._failures.append(now)
                return None
            while len(self._sessions) >= SESSIONS:
                del self._sessions[next(iter(self._sessions))]
            key = secrets.token_urlsafe(32)
            self._sessions[_digest(key)] = Session(name, secrets.token_urlsafe(24), now + SESSION_S)
            return key

    def session(self, key: str | None) -> Session | None:
        """Return the session of a key, unless it is over."""
        with self._lock:
            digest = _digest(key or "")
            found = self._sessions.get(digest)
            if found is not None and self.clock() >= found.ends:
                del self._sessions[digest]
                return None
            return found

    def sign_out(self, key: str | None) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(_digest(key or ""), None)


class TooManyGuesses(Exception):
    """Sign-in is closed for a minute."""


def _fits(token: str, kept: str) -> bool:
    salt = base64.urlsafe_b64decode(kept.split(":")[1])
    return hmac.compare_digest(hash_token(token[:200], salt), kept)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
