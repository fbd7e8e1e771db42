"""The console's web server: pages and numbers for everybody who reaches it, orders for those with the token."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from agent.console import metrics, orders_api, runs_api, stream
from agent.console.guard import guard, hosts
from agent.console.keys import BOOK, GATE, OBSERVER, TRIED
from agent.console.observer import Observer
from agent.console.tokens import Gatekeeper
from perpfut_lib.errors import ConfigError
from perpfut_lib.types import JsonObject

STATIC: Final = Path(str(files("agent.console"))) / "static"


@dataclass(frozen=True)
class Place:
    """Where the console listens."""

    host: str = "127.0.0.1"
    """Address of this machine; anything but loopback is on purpose."""
    port: int = 8800
    """Port; 0 for any free one."""
    names: tuple[str, ...] = ()
    """Further host names under which it answers."""


def application(observer: Observer, gate: Gatekeeper, names: tuple[str, ...] = (), book: str = "") -> web.Application:
    """Return the aiohttp application; ``book`` is where its faults' links to the runbook lead."""
    app = web.Application(client_max_size=2**16, middlewares=[guard(hosts(names))])
    app[OBSERVER], app[GATE], app[stream.OPEN] = observer, gate, [0]
    app[TRIED], app[BOOK] = [], book.rstrip("/")
    app.router.add_get("/", _page)
    app.router.add_get("/healthz", _health)
    for name, view in VIEWS.items():
        app.router.add_get(f"/api/{name}", _answer(view))
    app.add_routes([*orders_api.ROUTES, *runs_api.ROUTES, *metrics.ROUTES, *stream.ROUTES])
    app.router.add_static("/static", STATIC, follow_symlinks=False, show_index=False)
    return app


View = Callable[[Observer, "dict[str, str]"], JsonObject]


def _signals(observer: Observer, query: dict[str, str]) -> JsonObject:
    before = query.get("before", "")
    return observer.signals(int(before) if before.isdigit() else None, 100, query.get("reason", ""))


VIEWS: Final[dict[str, View]] = {
    "overview": lambda observer, query: observer.overview(),
    "pairs": lambda observer, query: observer.pairs(),
    "signals": _signals,
    "performance": lambda observer, query: observer.performance(),
    "log": lambda observer, query: observer.log(query.get("level", "INFO"), query.get("text", "")[:200]),
}


def _answer(view: View) -> Callable[[web.Request], Any]:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response(await asyncio.to_thread(view, request.app[OBSERVER], dict(request.query)))

    return handler


async def _page(_request: web.Request) -> web.FileResponse:
    return web.FileResponse(STATIC / "index.html")


async def _health(request: web.Request) -> web.Response:
    return web.json_response({"console": "up", "profile": request.app[OBSERVER].name})


async def listen(app: web.Application, place: Place, stop: asyncio.Event, say: Callable[[str], object]) -> None:
    """Serve until ``stop`` is set; ``say`` gets the address.

    Raises
    ------
    ConfigError
        The port is taken, or the address is not one of this machine.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, place.host, place.port).start()
        except OSError as error:
            found = f"{place.host}:{place.port} cannot be listened on ({error.strerror})"
            raise ConfigError(found, "a free port of this machine", "choose another with --port") from error
        host, port = runner.addresses[0][:2]
        say(f"http://{host}:{port}")
        await stop.wait()
    finally:
        await runner.cleanup()


@contextmanager
def serving(app: web.Application, place: Place) -> Iterator[str]:
    """Serve in a thread while the block runs; yield the address."""
    ready: Future[str] = Future()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    def work() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(listen(app, place, stop, ready.set_result))
        except ConfigError as error:
            ready.set_exception(error)

    thread = threading.Thread(target=work, name="console", daemon=True)
    thread.start()
    try:
        yield ready.result()
    finally:
        with suppress(RuntimeError):  # it never started
            loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
