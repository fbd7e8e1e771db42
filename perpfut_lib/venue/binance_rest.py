"""The door of the Binance part: weight, faults and refusals around every endpoint."""

from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from perpfut_lib.venue.binance_signature import KEY_HEADER, authorise
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
    content: Answer
    try:
        payload, parameters = await _read(request)
        _charge(exchange, endpoint, parameters, address)
        authorise(exchange, endpoint, request.headers.get(KEY_HEADER), payload, parameters)
        if endpoint.places_order:
            exchange.order_limiter.charge(exchange.wall())
        content, status = endpoint.answer(exchange, parameters), 200
    except WireError as error:
        content, status = {"code": error.code, "msg": error.message}, error.status
        if error.retry_after is not None:
            headers["Retry-After"] = str(error.retry_after)
    if endpoint.places_order:
        headers |= exchange.order_limiter.headers(exchange.wall())
    headers["X-MBX-USED-WEIGHT-1M"] = str(exchange.limiter.used(address))
    body = content if isinstance(content, bytes) else orjson.dumps(content)
    return web.Response(body=body, status=status, content_type=JSON, headers=headers)


def _charge(exchange: Exchange, endpoint: Endpoint, parameters: Parameters, address: str) -> None:
    limiter = exchange.funding_limiter if endpoint.funding_limit else exchange.limiter
    limiter.charge(address, endpoint.weigh(parameters), exchange.wall())


async def _read(request: web.Request) -> tuple[str, Parameters]:
    """Return what the client signed, and the fields of query and form together."""
    query = request.raw_path.partition("?")[2]
    form = await request.text() if request.can_read_body else ""
    fields = parse_qsl(query, keep_blank_values=True) + parse_qsl(form, keep_blank_values=True)
    return query + form, Parameters(dict(fields))
