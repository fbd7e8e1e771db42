"""The running exchange: an aiohttp application, in this thread or in one of its own."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from perpfut_lib.errors import ConfigError
from perpfut_lib.types import JsonObject
from perpfut_lib.venue import (
    binance_account,
    binance_market,
    binance_sockets,
    control,
    hyperliquid_rest,
    hyperliquid_streams,
)
from perpfut_lib.venue.binance_rest import route
from perpfut_lib.venue.exchange import Exchange
from perpfut_lib.venue.faults import Drop, Latency, Status
from perpfut_lib.venue.hyperliquid_actions import Actions
from perpfut_lib.venue.matching import Matching
from perpfut_lib.venue.settings import DEFAULT_WALLET, DEFAULT_WALLET_KEY, VenueConfig
from perpfut_lib.venue.streams import Hub
from perpfut_lib.venue.tape import Tape

OTHER_FAMILIES: Final = (
    *("sapi", "sapiV2", "sapiV3", "sapiV4", "papi", "papiV2", "public", "private", "v1", "fapiData"),
    *("dapiPublic", "dapiPrivate", "dapiPrivateV2", "dapiData", "eapiPublic", "eapiPrivate"),
)
OTHER_STREAMS: Final = ("spot", "margin", "inverse", "stock", "option", "optionMarket", "optionPrivate", "papi")


@dataclass(frozen=True)
class RunningExchange:
    """An exchange that listens."""

    exchange: Exchange
    matching: Matching
    url: str
    """Address without a path, such as ``http://127.0.0.1:43017``."""

    def binance_urls(self) -> dict[str, str]:
        """Return the ``urls['api']`` entries that point ccxt's ``binanceusdm`` here, and nothing of it elsewhere."""
        versions = {"": "v1", "V2": "v2", "V3": "v3"}
        sides = ("fapiPublic", "fapiPrivate")
        ours = {f"{side}{key}": f"{self.url}/fapi/{path}" for side in sides for key, path in versions.items()}
        return {family: f"{self.url}/nowhere" for family in OTHER_FAMILIES} | ours

    def binance_settings(self) -> JsonObject:
        """Return the settings of a ccxt ``binanceusdm`` client, keys included, that trades here."""
        config = self.exchange.config
        socket = self.url.replace("http", "ws", 1)
        nowhere = f"{socket}/nowhere"
        calls = {kind: nowhere for kind in ("spot", "linear", "inverse")}
        streams = {"linear": f"{socket}/ws", "ws-api": calls, **{kind: nowhere for kind in OTHER_STREAMS}}
        urls: JsonObject = {**self.binance_urls(), "ws": streams}
        return {
            "urls": {"api": urls},
            "apiKey": config.api_key,
            "secret": config.api_secret,
            "options": {"fetchCurrencies": False},
        }

    def hyperliquid_settings(self) -> JsonObject:
        """Return the settings of a ccxt ``hyperliquid`` client, keys included, that trades here."""
        streams = {"public": self.url.replace("http", "ws", 1) + "/ws"}
        urls: JsonObject = {"public": self.url, "private": self.url, "ws": streams}
        wallet = {"walletAddress": DEFAULT_WALLET, "privateKey": DEFAULT_WALLET_KEY}
        return {"urls": {"api": urls}, **wallet, "options": {"fetchMarkets": {"types": ["swap"]}}}


def application(matching: Matching) -> web.Application:
    """Return the aiohttp application that serves an exchange and its accounts."""
    exchange = matching.exchange
    app = web.Application(client_max_size=2**20, middlewares=[transport_faults(exchange)])
    app.add_routes([route(exchange, endpoint) for endpoint in binance_market.ENDPOINTS])
    app.add_routes([route(exchange, endpoint) for endpoint in binance_account.endpoints(matching)])
    app.add_routes(control.routes(exchange))
    hub = Hub(exchange)
    app.add_routes(binance_sockets.routes(matching, hub))
    actions = Actions(matching)
    app.add_routes(hyperliquid_rest.routes(matching, actions))
    app.add_routes(hyperliquid_streams.routes(matching, actions, hub))
    app.cleanup_ctx.append(partial(_pump, hub))
    return app


async def _pump(hub: Hub, _app: web.Application) -> AsyncIterator[None]:
    """Run the hub while the application runs."""
    task = asyncio.create_task(hub.run())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def transport_faults(exchange: Exchange) -> Middleware:
    """Return the middleware that delays, drops or replaces answers while such faults are on."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        path = request.path
        if path.startswith(control.PREFIX):
            return await handler(request)
        if latency := exchange.faults.use(Latency, path):
            await asyncio.sleep(latency.milliseconds / 1000)
        if status := exchange.faults.use(Status, path):
            return web.Response(text="<html><body>upstream error</body></html>", status=status.status)
        drop = exchange.faults.use(Drop, path)
        if drop is None:
            return await handler(request)
        if drop.after:
            await handler(request)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    return middleware


@contextmanager
def serve(config: VenueConfig | None = None, tape: Tape | None = None) -> Iterator[RunningExchange]:
    """Run an exchange in a thread of its own while the block runs, and stop it gracefully.

    Parameters
    ----------
    config : VenueConfig, optional
        Settings; by default the default simulated market on a stepped clock that stands at its end, on a free port.
    tape : Tape, optional
        The market, instead of the one that ``config`` describes.

    Yields
    ------
    RunningExchange
        Listening before the block begins.
    """
    matching = Matching(Exchange.open(config or VenueConfig(), tape))
    ready: Future[str] = Future()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=_run, args=(loop, matching, ready, stop), name="venue", daemon=True)
    thread.start()
    try:
        yield RunningExchange(matching.exchange, matching, ready.result())
    finally:
        if ready.done() and not ready.exception():
            loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def _run(loop: asyncio.AbstractEventLoop, matching: Matching, ready: "Future[str]", stop: asyncio.Event) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(listen(matching, stop, ready))
    except ConfigError as error:
        ready.set_exception(error)


async def listen(matching: Matching, stop: asyncio.Event, ready: "Future[str] | None" = None) -> None:
    """Serve until ``stop`` is set; ``ready`` gets the address.

    Raises
    ------
    ConfigError
        The port is taken, or the address is not one of this machine.
    """
    config = matching.exchange.config
    runner = web.AppRunner(application(matching), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, config.host, config.port)
        try:
            await site.start()
        except OSError as error:
            found = f"{config.host}:{config.port} cannot be listened on ({error.strerror})"
            raise ConfigError(found, "a free port of this machine", "choose another port, or 0 for any") from error
        host, port = runner.addresses[0][:2]
        if ready is not None:
            ready.set_result(f"http://{host}:{port}")
        await stop.wait()
    finally:
        await runner.cleanup()


async def run(config: VenueConfig, say: Callable[[str], None]) -> None:
    """Serve until interrupted, and ``say`` where."""
    exchange = Exchange.open(config)
    stop, ready = asyncio.Event(), Future[str]()
    ready.add_done_callback(lambda address: say(f"{address.result()} serves {', '.join(exchange.tape.series)}"))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await listen(Matching(exchange), stop, ready)
