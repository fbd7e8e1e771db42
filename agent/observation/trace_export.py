"""Traces between ticks: while a graph runs nothing is done for its trace but to set it aside.

What a run took and gave is frozen as bytes in the thread of the graph. One other thread cleans it of secrets and hands
it to LangSmith's client as soon as no graph is running. What fails is tried once; an endpoint that goes on failing is
left alone for a while. All queues are bounded: what finds them full is lost, and counted.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from queue import Empty, Full, Queue
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
from langsmith import Client
from langsmith.utils import LangSmithConflictError, LangSmithError, LangSmithNotFoundError
from requests import RequestException

log = logging.getLogger(__name__)

SETTLED: Final = 0.02
"""Seconds without a graph after which none is expected soon: the governor's follows the fast tick's at once."""
PATIENCE: Final = 2.0
"""Longest wait for such a lull, seconds: ticks without a pause between them must not hold back traces for ever."""
WAITING: Final = 1024
"""Most operations (start or end of a run) that may wait; a tick of five pairs makes 18."""
BATCH: Final = 90
"""Operations that are handed over before it is known whether they arrived; below the limit of LangSmith's queue."""
TOLERATED: Final = 3
"""Requests that may fail in a row."""
BACK_OFF: Final = 10.0
"""Seconds for which an endpoint is then left alone."""
ROUTING: Final = frozenset(
    {"api_key", "api_url", "service_key", "tenant_id", "authorization", "cookie", "_replica_auths"}
)
"""Arguments that say where to send a run, and are no part of it."""


class IdleGate:
    """The time between graphs, which others may wait for."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running, self._over, self._hurried = False, 0.0, False

    def begin(self) -> None:
        """Note that a graph starts."""
        with self._changed:
            self._running = True

    def end(self) -> None:
        """Note that it is done."""
        with self._changed:
            self._running, self._over = False, time.monotonic()
            self._changed.notify_all()

    def hurry(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._hurried = True
            self._changed.notify_all()

    def wait(self, patience: float = PATIENCE) -> None:
        """Return once no graph has been running for a moment, at the latest after ``patience`` seconds."""
        deadline = time.monotonic() + patience
        with self._changed:
            while not self._hurried:
                due = deadline if self._running else min(deadline, self._over + SETTLED)
                remaining = due - time.monotonic()
                if remaining <= 0:
                    return
                self._changed.wait(remaining)


class Operation(NamedTuple):
    """The start or the end of a run, as it was when it was set aside."""

    send: Callable[..., None]
    """What LangSmith's client does with it."""
    kept: dict[str, Any]
    """Times, identifiers and routing."""
    frozen: bytes
    """Everything else, as JSON with all its secrets."""


class PatientClient(Client):
    """A LangSmith client that works while no graph does.

    Parameters
    ----------
    clean : callable
        Returns a tree of JSON without secrets. What it fails on is lost, never sent as it is.
    idle : IdleGate
        Told when graphs start and end; waited for.
    **settings
        As for :class:`langsmith.Client`.
    """

    def __init__(self, clean: Callable[[Any], Any], idle: IdleGate, **settings: Any) -> None:
        self.lost = 0
        """Operations that were dropped."""
        self._clean, self._idle = clean, idle
        self._aside: Queue[Operation | None] = Queue(WAITING)
        self._failures, self._shut_until, self._closing = 0, 0.0, threading.Event()
        super().__init__(**settings)
        threading.Thread(target=self._work, name="traces", daemon=True).start()

    def create_run(self, name: str, inputs: dict[str, Any], run_type: Any, **rest: Any) -> None:
        """Set the start of a run aside."""
        if rest.get("parent_run_id") is None:
            self._idle.begin()
        self._set_aside(super().create_run, rest | {"name": name, "inputs": inputs, "run_type": run_type})

    def update_run(self, run_id: Any, **rest: Any) -> None:
        """Set the end of a run aside."""
        self._set_aside(super().update_run, rest | {"run_id": run_id})
        if rest.get("parent_run_id") is None:
            self._idle.end()

    def request_with_retries(self, /, method: Any, pathname: str, **rest: Any) -> Any:
        """Send one request between graphs: once, with the client's own time-outs, and not to one that keeps failing."""
        self._idle.wait()
        rest["request_kwargs"] = {**(rest.get("request_kwargs") or {}), "timeout": self._timeout}
        try:
            answer = super().request_with_retries(method, pathname, **(rest | {"stop_after_attempt": 1}))
        except (LangSmithConflictError, LangSmithNotFoundError):
            raise
        except (LangSmithError, RequestException) as error:
            self._failed(type(error).__name__)
            # The client tries a batch three times on errors that it knows better than this one.
            raise LangSmithError("the endpoint did not take it") from error
        self._failures = 0
        return answer

    def flush(self, timeout: float | None = None) -> None:
        """Wait until everything has been sent, at most ``timeout`` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._aside.all_tasks_done:
            self._aside.all_tasks_done.wait_for(lambda: not self._aside.unfinished_tasks, timeout)
        super().flush(None if deadline is None else max(0.0, deadline - time.monotonic()))

    def close(self, timeout: float | None = None) -> None:
        """Send what waits within ``timeout`` seconds, whether graphs are running or not, and stop."""
        self._closing.set()
        self._idle.hurry()
        super().close(timeout)
        try:
            self._aside.put_nowait(None)
        except Full:
            log.debug("the endpoint is still at work on the last traces")
        if self.lost:
            log.warning("traces lost", extra={"operations": self.lost})

    def _set_aside(self, send: Callable[..., None], fields: dict[str, Any]) -> None:
        """Freeze an operation, so that nothing that happens to the run later changes it, and queue it."""
        kept = {name: value for name, value in fields.items() if name in ROUTING or isinstance(value, UUID | datetime)}
        rest = {name: value for name, value in fields.items() if name not in kept}
        try:
            frozen = orjson.dumps(rest, default=repr, option=orjson.OPT_NON_STR_KEYS)
            self._aside.put_nowait(Operation(send, kept, frozen))
        except (orjson.JSONEncodeError, Full):
            self.lost += 1

    def _work(self) -> None:
        """Hand over one batch after the other, each at the next lull, until the client is closed."""
        while not (self._closing.is_set() and self._aside.empty()):
            operation = self._aside.get()
            self._closing.wait(max(0.0, self._shut_until - time.monotonic()))
            done = self._hand_over(operation)
            super().flush(PATIENCE + sum(self._timeout))
            for _ in range(done):
                self._aside.task_done()

    def _hand_over(self, operation: Operation | None) -> int:
        """Give this operation and those behind it to LangSmith's client; return how many."""
        deadline = time.monotonic() + PATIENCE
        for done in range(1, BATCH + 1):
            self._idle.wait(deadline - time.monotonic())
            self._deliver(operation)
            try:
                operation = self._aside.get_nowait() if done < BATCH else None
            except Empty:
                break
        return done

    def _deliver(self, operation: Operation | None) -> None:
        """Clean an operation and give it to LangSmith's client; none only wakes the thread up."""
        if operation is None:
            return
        if time.monotonic() < self._shut_until:
            self.lost += 1
            return
        try:
            operation.send(**operation.kept, **self._clean(orjson.loads(operation.frozen)))
        except Exception as error:  # noqa: BLE001 - what cannot be cleaned is not sent, and must not end the thread
            self.lost += 1
            log.debug("a trace was dropped: %s", type(error).__name__)

    def _failed(self, cause: str) -> None:
        self._failures += 1
        if self._failures >= TOLERATED:
            self._shut_until = time.monotonic() + BACK_OFF
        if self._failures == TOLERATED:
            log.warning("traces do not arrive", extra={"cause": cause, "tried again after s": BACK_OFF})
