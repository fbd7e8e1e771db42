"""Messages on their way: redacted, tried again with growing pauses, bounded, and never in the way of the next look."""

import logging
import os
from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

from agent.console.messages import Message
from agent.observation.logs import Redactor
from perpfut_lib.errors import ConfigError

log = logging.getLogger(__name__)

URLS_VARIABLE: Final = "PERPFUT_NOTIFY_URLS"
FIRST_PAUSE_MS: Final = 5_000
LONGEST_PAUSE_MS: Final = 600_000
KEPT: Final = 50
"""Most messages that wait; the oldest gives way."""


class Sender(Protocol):
    """Brings one message to people."""

    def send(self, message: Message) -> bool:
        """Return whether every receiver took it."""
        ...


class AppriseSender:
    """Sends by apprise: Telegram, Slack, e-mail, ntfy, a webhook and whatever else it knows.

    Parameters
    ----------
    urls : sequence of str
        Addresses as apprise writes them; they hold secrets and are never logged.

    Raises
    ------
    ConfigError
        apprise is not installed, there is no address, or one of them is not understood.
    """

    def __init__(self, urls: list[str]) -> None:
        try:
            import apprise
        except ImportError as error:
            raise ConfigError("no apprise", "the library that sends messages", "pip install apprise") from error
        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its messages name addresses
        self._apprise = apprise.Apprise()
        self._kinds = {"critical": apprise.NotifyType.FAILURE, "warning": apprise.NotifyType.WARNING}
        self._kinds["over"] = apprise.NotifyType.SUCCESS
        self._other = apprise.NotifyType.INFO
        understood = [self._apprise.add(url) for url in urls]
        if not urls or not all(understood):
            wrong = f"{understood.count(False)} of {len(urls)} notification addresses not understood"
            found = wrong if urls else "no notification address"
            raise ConfigError(found, f"apprise addresses in {URLS_VARIABLE}", "see github.com/caronc/apprise")

    def send(self, message: Message) -> bool:
        """Return whether every receiver took it."""
        kind = self._kinds.get(message.severity, self._other)
        return bool(self._apprise.notify(title=message.title, body=message.body, notify_type=kind))


def notify_urls() -> list[str]:
    """Return the addresses from the environment or from a secret's file, separated by white space.

    Raises
    ------
    ConfigError
        The file cannot be read.
    """
    text, file = os.environ.get(URLS_VARIABLE), os.environ.get(f"{URLS_VARIABLE}_FILE")
    try:
        return (text if text is not None else Path(file).read_text() if file else "").split()
    except OSError as error:
        raise ConfigError(f"{URLS_VARIABLE}_FILE: {error.strerror}", "a readable file", "check the secret") from error


@dataclass
class Outbox:
    """Messages that wait for their receiver.

    Parameters
    ----------
    sender : Sender
        Brings them.
    redactor : Redactor
        Blots out secrets.
    """

    sender: Sender
    redactor: Redactor
    _waiting: deque[Message] = field(default_factory=lambda: deque(maxlen=KEPT))
    _pause: int = FIRST_PAUSE_MS
    _next: int = 0

    def put(self, message: Message) -> None:
        """Add a message, redacted."""
        title, body = self.redactor.text(message.title), self.redactor.text(message.body)
        self._waiting.append(replace(message, title=title, body=body))

    def deliver(self, now: int) -> int:
        """Send what waits, oldest first, and return how many arrived; after a failure wait, longer each time."""
        arrived = 0
        while self._waiting and now >= self._next:
            if self.sender.send(self._waiting[0]):
                self._waiting.popleft()
                self._pause, arrived = FIRST_PAUSE_MS, arrived + 1
            else:
                log.warning("a message was not taken", extra={"waiting": len(self._waiting), "pause_ms": self._pause})
                self._next, self._pause = now + self._pause, min(2 * self._pause, LONGEST_PAUSE_MS)
        return arrived

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)
