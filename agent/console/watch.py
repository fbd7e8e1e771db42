"""The watchdog beside the agent: looks, tells people, and depends on nothing of the agent but its files."""

import logging
from pathlib import Path
from typing import Final

from agent.clock import Clock
from agent.console.delivery import Outbox, Sender
from agent.console.messages import Message, MessageGroups
from agent.console.observer import Observer

log = logging.getLogger(__name__)

EVERY_MS: Final = 10_000


class Watchdog:
    """One look at a time.

    Parameters
    ----------
    observer : Observer
        Reads the agent's folder.
    sender : Sender
        Brings messages to people.
    book : str
        Address of the built book, for links.
    """

    def __init__(self, observer: Observer, sender: Sender, book: str = "") -> None:
        self._observer = observer
        self._groups = MessageGroups(observer.name, book)
        self._outbox = Outbox(sender, observer.redactor)

    def look(self, now: int) -> int:
        """Look once, send what is to be sent, and return how many messages arrived."""
        for message in self._groups.take(self._observer.look(anew=True).wrong, now):
            log.info("message", extra={"title": message.title})
            self._outbox.put(message)
        daily = self._groups.summary(self._observer.overview(), now)
        if daily is not None:
            self._outbox.put(daily)
        return self._outbox.deliver(now)

    def run(self, clock: Clock, alive: Path | None = None) -> None:
        """Look every ten seconds until the clock is stopped; ``alive`` is touched after each look."""
        while True:
            self.look(clock.wall())
            if alive is not None:
                alive.touch()
            if clock.wait(EVERY_MS):
                return


def trial(name: str) -> Message:
    """Return the message of a test."""
    body = "This is a test: nothing happened. Messages of this agent arrive here."
    return Message(f"{name}: test message", body, "summary")
