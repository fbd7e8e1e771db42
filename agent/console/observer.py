"""What every part of the console shares: one look at the folder per second, however many people watch."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from agent.console.break_even import booked_break_even, break_even, policy_fee
from agent.console.faults import Fault, faults
from agent.console.limits import Limits
from agent.console.log_page import log_page
from agent.console.overview import overview
from agent.console.pairs import pair_views, thin
from agent.console.reading import Reading, read_folder
from agent.console.signal_log import SignalLog
from agent.console.trades import TradeLog
from agent.console.trail import PerformanceTrail
from agent.observation.logs import Redactor
from perpfut_lib.artifacts import AgentFolder
from perpfut_lib.types import JsonObject

FRESH_S: Final = 0.9
"""How long one look serves everybody, seconds."""


@dataclass(frozen=True)
class Look:
    """A reading and what is wrong in it."""

    reading: Reading
    wrong: list[Fault]


class Observer:
    """Reads an agent's folder for everybody who asks; thread-safe, bounded, and without any effect on the agent.

    Parameters
    ----------
    name : str
        Name of the profile.
    folder : AgentFolder
        Where the agent's files lie.
    limits : Limits
        From where on something is wrong.
    clock : callable
        The time, ms UTC: this machine's, or a local exchange's in a demo.
    policy : str
        Name of the policy, for what the run's evaluation says of it.
    """

    def __init__(
        self, name: str, folder: AgentFolder, limits: Limits, clock: Callable[[], int], policy: str = ""
    ) -> None:
        self.name, self.folder, self.clock = name, folder, clock
        self._fee, self._booked = policy_fee(policy), list[float | None]()
        self.limits = limits
        self._trades = TradeLog(folder.trail)
        self._signals = SignalLog(folder.decisions)
        self._trail = PerformanceTrail()
        self.redactor = Redactor()
        self._lock, self._tail_lock = threading.Lock(), threading.Lock()
        self._last: Look | None = None
        self._looked = 0.0

    def look(self, *, anew: bool = False) -> Look:
        """Return the present state, at most a second old; ``anew`` for one that was read after this call."""
        with self._lock:
            if self._last is None or anew or time.monotonic() - self._looked > FRESH_S:
                reading = replace(read_folder(self.folder, self.clock()), ledger=self._trades.follow())
                self._trail.take(reading)
                self._last = Look(reading, faults(reading, self.limits))
                self._looked = time.monotonic()
            return self._last

    def overview(self) -> JsonObject:
        """Return the first page."""
        look = self.look()
        return self.redactor.tree({"profile": self.name, **overview(look.reading, look.wrong)})

    def pairs(self) -> JsonObject:
        """Return the active pairs with their curves."""
        return {"pairs": pair_views(self.look().reading, self._tail())}

    def signals(self, before: int | None, limit: int, reason: str) -> JsonObject:
        """Return a page of signals, and the counts of reason codes and the exposure over the recent ones."""
        tail = self._tail()
        counts: dict[str, int] = {}
        for row in tail:
            codes = {*row["reasons"], *(code for pair in row["pairs"] for code in pair["reasons"])}
            for code in codes:
                counts[code] = counts.get(code, 0) + 1
        curve = [[row["bar_close"], row["gross"], row["delay_ms"]] for row in thin(tail)]
        rows = self._signals.page(before, limit, reason)
        return {"rows": rows, "more": len(rows) == limit, "counts": counts, "of": len(tail), "curve": curve}

    def _tail(self) -> list[JsonObject]:
        """Return the recent signals; the first page does without them, so that it is quick after a start."""
        with self._tail_lock:
            self._signals.follow()
            return list(self._signals.tail)

    def performance(self) -> JsonObject:
        """Return the account over time, and its break-even cost beside the one of the evaluation."""
        reading = self.look().reading
        if not self._booked:  # once, and not for the first page: it loads pandas
            self._booked = [booked_break_even(self.folder.path.parent, self._fee)]
        costs = break_even(reading.performance.document, reading.ledger, self._booked[0])
        with self._lock:
            return self._trail.curves() | {"break_even": costs}

    def log(self, level: str, text: str) -> JsonObject:
        """Return the newest log lines."""
        return {"rows": log_page(self.folder, self.redactor, level=level, text=text)}
