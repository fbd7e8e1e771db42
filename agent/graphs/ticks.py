"""One tick of each kind, from outside: never raises, and never leaves a bar without an answer where it can give one."""

import gc
import logging
from dataclasses import dataclass
from functools import cached_property

from agent.decision.context import TickContext
from agent.decision.publication import commit, publish
from agent.decision.signal_assembly import failed
from agent.graphs.checkpoints import Checkpoints, Graph
from agent.graphs.fast_tick import fast_tick_graph
from agent.graphs.governor import governor_graph
from agent.graphs.slow_tick import slow_tick_graph

log = logging.getLogger(__name__)


@dataclass
class Ticks:
    """The graphs of one agent, compiled, with the context that they run in."""

    context: TickContext
    """Ports and settings."""
    checkpoints: Checkpoints
    """Where graphs in flight are kept."""

    @cached_property
    def fast(self) -> Graph:
        """Return the fast tick's graph."""
        return self.checkpoints.compile(fast_tick_graph())

    @cached_property
    def slow(self) -> Graph:
        """Return the slow tick's graph."""
        return self.checkpoints.compile(slow_tick_graph())

    @cached_property
    def governor(self) -> Graph:
        """Return the governor's graph."""
        return self.checkpoints.compile(governor_graph())

    def fast_tick(self, bar_close: int) -> None:
        """Decide on the bar that closed at ``bar_close``; a bar that was decided on is only published again.

        Whatever goes wrong, everything goes flat: this is the one place that catches all exceptions.
        """
        if bar_close <= self.context.memory.bar_close:
            publish(self.context)
            return
        thread = f"fast-{bar_close}"
        try:
            self.checkpoints.forget_others(thread)
            self.checkpoints.run(self.fast, thread, {"bar_close": bar_close}, self.context)
        except Exception:
            log.exception("the fast tick failed", extra={"bar_close": bar_close})
            if self.context.memory.bar_close < bar_close:
                self._go_flat(bar_close)

    def _go_flat(self, bar_close: int) -> None:
        """Signal flat for a tick that failed; where nothing can be written, the last signal runs out, which is flat."""
        try:
            commit(self.context, failed(self.context, bar_close))
        except OSError:
            log.exception("flat cannot be signalled", extra={"bar_close": bar_close})

    def slow_tick(self, bar_close: int) -> bool:
        """Select or test pairs as of ``bar_close``; return whether it worked.

        Without fresh pairs the fast tick goes flat when the old ones expire, so a failure is logged and no more.
        """
        thread = f"slow-{bar_close}"
        try:
            self.checkpoints.forget_others(thread)
            self.checkpoints.run(self.slow, thread, {"bar_close": bar_close}, self.context)
        except Exception:
            log.exception("the slow tick failed", extra={"bar_close": bar_close})
            return False
        return True

    @staticmethod
    def settle() -> None:
        """Exempt what the first tick loaded from garbage collection, which would delay a tick."""
        gc.collect()
        gc.freeze()

    def govern(self, now: int) -> bool:
        """Run the governor once; return whether it worked. If it did not, its last order stands."""
        thread = f"governor-{now}"
        try:
            self.checkpoints.forget_others(thread)
            self.checkpoints.run(self.governor, thread, {"faults": []}, self.context)
        except Exception:
            log.exception("the governor failed", extra={"now": now})
            return False
        return True
