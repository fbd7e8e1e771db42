"""Tracing that only observes: LangSmith when the environment asks for it, and nothing on the wire otherwise.

A trace endpoint may be dead, slow or absent. Requests have short time-outs and no retries, the queue is bounded,
threads are daemons, and the flush at the end has a deadline, so neither a tick nor the exit waits for it.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from agent.logs import Redactor

log = logging.getLogger(__name__)

TIMEOUT_MS: Final = (500, 1_000)  # connect, read
FLUSH_SECONDS: Final = 1.0
QUEUE: Final = "200"
SWITCHES: Final = ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING_V2", "LANGCHAIN_TRACING")


def wanted() -> bool:
    """Return whether the environment switches tracing on."""
    return any(os.environ.get(name, "").lower() == "true" for name in SWITCHES)


@contextmanager
def tracing(redactor: Redactor) -> Iterator[Any]:
    """Trace the graphs that run inside the block, if the environment asks for it.

    Parameters
    ----------
    redactor : Redactor
        Cleans everything that leaves.

    Yields
    ------
    langsmith.Client or None
        None: tracing is off, and no client exists that could send anything.
    """
    from langsmith import tracing_context

    if not wanted():
        with tracing_context(enabled=False):
            yield None
        return
    client = bounded_client(redactor)
    try:
        with tracing_context(enabled=True, client=client):
            yield client
    finally:
        client.close(timeout=FLUSH_SECONDS)


def bounded_client(redactor: Redactor) -> Any:
    """Return a LangSmith client that can neither hold up its process nor send a secret."""
    os.environ.setdefault("LANGSMITH_USE_DAEMON", "true")
    os.environ.setdefault("LANGSMITH_TRACING_QUEUE_MAX_SIZE", QUEUE)
    from langsmith import Client
    from urllib3.util.retry import Retry

    def failed(error: Exception) -> None:
        log.debug("a trace was not delivered: %s", type(error).__name__)

    return Client(
        timeout_ms=TIMEOUT_MS,
        retry_config=Retry(0),
        anonymizer=redactor.tree,
        hide_metadata=redactor.tree,
        omit_traced_runtime_info=True,
        tracing_error_callback=failed,
    )
