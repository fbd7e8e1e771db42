"""The control endpoint, which no real exchange has: move the clock, switch faults, look behind the counter.

It answers this machine alone, and no page that a browser shows: a request with an ``Origin``, or for another host than
loopback, is refused, whatever address the exchange listens on.
"""

import ipaddress
from collections.abc import Awaitable, Callable
from functools import wraps

import orjson
from aiohttp import web

from perpfut_lib.errors import ConfigError
from perpfut_lib.types import JsonObject
from perpfut_lib.venue.exchange import Exchange
from perpfut_lib.venue.faults import read_fault

PREFIX = "/control"
Handler = Callable[[web.Request], Awaitable[web.Response]]


def routes(exchange: Exchange) -> list[web.RouteDef]:
    """Return the routes under ``/control``."""

    async def state(_request: web.Request) -> web.Response:
        return _json(_state(exchange))

    async def clock(request: web.Request) -> web.Response:
        try:
            step = orjson.loads(await request.read())["advance"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            step = None
        if type(step) is not int or step < 0:
            return _json({"error": f"found advance = {step!r}; expected whole milliseconds, not negative"}, 400)
        return _json({"now": exchange.clock.advance(step)})

    async def add_fault(request: web.Request) -> web.Response:
        try:
            exchange.add_fault(read_fault(await request.read()))
        except ConfigError as error:
            return _json({"error": str(error)}, 400)
        return _json(_state(exchange))

    async def clear_faults(_request: web.Request) -> web.Response:
        exchange.clear_faults()
        return _json(_state(exchange))

    async def reset_limits(_request: web.Request) -> web.Response:
        exchange.limiter.reset()
        exchange.funding_limiter.reset()
        return _json(_state(exchange))

    return [
        web.get(f"{PREFIX}/state", _for_this_machine(state)),
        web.post(f"{PREFIX}/clock", _for_this_machine(clock)),
        web.post(f"{PREFIX}/faults", _for_this_machine(add_fault)),
        web.delete(f"{PREFIX}/faults", _for_this_machine(clear_faults)),
        web.post(f"{PREFIX}/limits", _for_this_machine(reset_limits)),
    ]


def _for_this_machine(handler: Handler) -> Handler:
    """Return a handler that refuses requests from elsewhere and from pages of other origins."""

    @wraps(handler)
    async def guarded(request: web.Request) -> web.Response:
        host = (request.url.host or "").strip("[]")
        if "Origin" in request.headers or not _loopback(host) or not _loopback(request.remote or ""):
            found = f"host {host}, from {request.remote}, origin {request.headers.get('Origin')}"
            return _json({"error": f"found {found}; expected a program on this machine"}, 403)
        return await handler(request)

    return guarded


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _state(exchange: Exchange) -> JsonObject:
    return {
        "now": exchange.clock.now(),
        "start": exchange.tape.start,
        "end": exchange.tape.end,
        "symbols": list(exchange.tape.series),
        "weight": exchange.limiter.total,
        "faults": [fault.model_dump(mode="json") for fault in exchange.faults.active()],
    }


def _json(value: JsonObject, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")
