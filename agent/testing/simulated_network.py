"""A network on a virtual clock: what is sent comes late, twice, in another order or never, as a seed has it."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

TICK_MS = 1_000
IN_A_ROW = 2
"""Most losses in a row of one kind of message: a bound in time needs a bound on losses."""


@dataclass(frozen=True)
class NetworkFaults:
    """How bad it is; shares of messages."""

    loss: float = 0.0
    repeat: float = 0.0
    delay: int = 0
    """Longest delay, ticks; messages that are delayed differently change places."""


@dataclass
class Network:
    """Messages under way."""

    rng: np.random.Generator
    faults: NetworkFaults = field(default_factory=NetworkFaults)
    now: int = 0
    """ms."""

    def __post_init__(self) -> None:
        self._under_way: list[tuple[int, int, Callable[[], None]]] = []
        self._lost: dict[str, int] = {}
        self._number = 0

    def loses(self, kind: str) -> bool:
        """Return whether the next message of a kind is lost."""
        lost = self._lost.get(kind, 0) < IN_A_ROW and self.rng.uniform() < self.faults.loss
        self._lost[kind] = self._lost.get(kind, 0) + 1 if lost else 0
        return bool(lost)

    def post(self, kind: str, deliver: Callable[[], None], after: int = 0) -> bool:
        """Send a message that is delivered ``after`` ticks and a delay; return whether it will arrive."""
        if self.loses(kind):
            return False
        self.surely(deliver, after)
        if self.rng.uniform() < self.faults.repeat:
            self.surely(deliver, after + 1)
        return True

    def surely(self, deliver: Callable[[], None], after: int = 0) -> None:
        """Send a message that is delivered once, late at most."""
        self._number += 1
        due = self.now + TICK_MS * (after + int(self.rng.integers(0, self.faults.delay + 1)))
        self._under_way.append((due, self._number, deliver))

    def advance(self) -> None:
        """Let a tick pass and deliver what is due."""
        self.now += TICK_MS
        due = sorted((one for one in self._under_way if one[0] <= self.now), key=lambda one: one[:2])
        self._under_way = [one for one in self._under_way if one[0] > self.now]
        for _, _, deliver in due:
            deliver()
