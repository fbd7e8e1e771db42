"""Trace endpoints that are dead, deaf, silent or unwilling, on loopback."""

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from perpfut_lib.types import JsonObject

_PART: Final = re.compile(rb'name="(?:post|patch)\.([0-9a-f-]+)(?:\.(\w+))?"\r\n.*?\r\n\r\n([^\r]*)\r\n', re.DOTALL)
"""A part of a request: the start or the end of a run, or one field of it, as JSON."""


class Receiver(ThreadingHTTPServer):
    """Keeps what a trace client sends, and answers everything with one status."""

    daemon_threads = True

    def __init__(self, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), _Keeper)
        self.status = status
        """What it answers."""
        self.got: list[tuple[str, str, bytes]] = []
        """Method, path and body of every request."""

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.server_port}"

    def runs(self) -> list[JsonObject]:
        """Return what came of every run, its start and its end in one, in the order of the starts."""
        found: dict[bytes, JsonObject] = {}
        for _, _, body in self.got:
            for run, field, content in _PART.findall(body):
                part = json.loads(content)
                found.setdefault(run, {}).update({field.decode(): part} if field else part)
        return sorted(found.values(), key=lambda run: str(run["dotted_order"]))

    def roots(self) -> list[JsonObject]:
        """Return those that have no other above them: one a graph."""
        return [run for run in self.runs() if run.get("parent_run_id") is None]


class _Keeper(BaseHTTPRequestHandler):
    """Takes one request."""

    server: Receiver

    def answer(self) -> None:
        """Take the body and answer."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.got.append((self.command, self.path, body))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(b"{}" if self.command == "GET" else b"")

    do_GET = do_POST = do_PATCH = answer

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def receiving(status: int = 200) -> Iterator[Receiver]:
    """Run a receiver in a thread of its own."""
    server = Receiver(status)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def dead() -> Iterator[str]:
    """Yield the address of a port that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


@contextmanager
def black_hole() -> Iterator[str]:
    """Yield the address of a socket that takes requests and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as held:
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@contextmanager
def deaf() -> Iterator[str]:
    """Yield the address of a socket whose queue is full: connections to it are never established."""
    with ExitStack() as stack:
        held = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(2):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(held.getsockname())
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@contextmanager
def refusing(status: int) -> Iterator[str]:
    """Yield the address of a receiver that answers every request with an error."""
    with receiving(status) as server:
        yield server.url


ENDPOINTS: Final[dict[str, Callable[[], AbstractContextManager[str]]]] = {
    "dead": dead,
    "black hole": black_hole,
    "deaf": deaf,
    "429": partial(refusing, 429),
    "500": partial(refusing, 500),
}
"""What an endpoint may be instead of well, by name."""
