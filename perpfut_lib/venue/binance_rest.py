"""The door of the Binance part: weight, faults and refusals around every endpoint."""

from typing import Any

import orjson
from aiohttp import web

from perpfut_lib.venue.endpoint import Answer, Endpoint
from perpfut_lib.venue.errors import WireError
from perpfut_lib.venue.exchange import Exchange
from perpfut_lib.venue.parameters import Parameters

JSON = "application/json"


def route(exchange: Exchange, endpoint: Endpoint) -> web.RouteDef:
    """Return the aiohttp route of an endpoint."""

    async def answer(request: web.Request) -> web.Response:
        return await _answer(exchange, endpoint, request)

    return web.route(endpoint.method, endpoint.path, answer)


async def _answer(exchange: Exchange, endpoint: Endpoint, request: web.Request) -> web.Response:
    address = request.remote or "unknown"
    headers: dict[str, str] = {}
    try:
        parameters = Parameters(await _fields(request))
        _charge(exchange, endpoint, parameters, address)
        content = endpoint.answer(exchange, parameters)
        status = 200
    except WireError as error:
        content, status = {"code": error.code, "msg": error.message}, error.status
        if error.retry_after is not None:
            headers["Retry-After"] = str(error.retry_after)
    headers["X-MBX-USED-WEIGHT-1M"] = str(exchange.limiter.used(address))
    return web.Response(body=_bytes(content), status=status, content_type=JSON, headers=headers)


def _charge(exchange: Exchange, endpoint: Endpoint, parameters: Parameters, address: str) -> None:
    limiter = exchange.funding_limiter if endpoint.funding_limit else exchange.limiter
    limiter.charge(address, endpoint.weigh(parameters), exchange.wall())


async def _fields(request: web.Request) -> dict[str, str]:
    """Return query and form fields together, as Binance reads them."""
    fields = {name: str(value) for name, value in request.query.items()}
    if request.can_read_body:
        fields |= {name: str(value) for name, value in (await request.post()).items()}
    return fields


def _bytes(content: Answer | dict[str, Any]) -> bytes:
    return content if isinstance(content, bytes) else orjson.dumps(content)
