"""The doors of the Hyperliquid part, ``POST /info`` and ``POST /exchange``: weights and refusals around the answers."""

from typing import Final

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from perpfut_lib.types import Json
from perpfut_lib.venue import hyperliquid_account, hyperliquid_market
from perpfut_lib.venue.errors import WireError
from perpfut_lib.venue.hyperliquid_actions import Actions
from perpfut_lib.venue.hyperliquid_market import UnknownRequest
from perpfut_lib.venue.limits import WeightLimiter
from perpfut_lib.venue.matching import Matching

LIGHT: Final = {"l2Book", "allMids", "clearinghouseState", "orderStatus", "spotClearinghouseState", "exchangeStatus"}
ROWS_PER_WEIGHT: Final = {
    "candleSnapshot": 60,
    "fundingHistory": 20,
    "userFills": 20,
    "userFillsByTime": 20,
    "userFunding": 20,
    "historicalOrders": 20,
}


def info(matching: Matching, ask: Json) -> Json:
    """Return the answer to a request of ``/info``.

    Raises
    ------
    UnknownRequest
        There is no such request.
    """
    kind = ask.get("type") if isinstance(ask, dict) else None
    try:
        if kind in hyperliquid_market.ANSWERS:
            return hyperliquid_market.ANSWERS[str(kind)](matching.exchange, ask)
        if kind in hyperliquid_account.ANSWERS:
            return hyperliquid_account.ANSWERS[str(kind)](matching, ask)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError, WireError) as error:
        raise UnknownRequest("Failed to deserialize the JSON body into the target type") from error
    raise UnknownRequest("Failed to deserialize the JSON body into the target type")


def routes(matching: Matching, actions: Actions) -> list[web.RouteDef]:
    """Return the two routes."""
    config, exchange = matching.exchange.config, matching.exchange
    limiter = WeightLimiter(config.hyperliquid_weight_limit, config.weight_window, config.ban_after, config.ban_seconds)

    def charge(request: web.Request, weight: int) -> None:
        limiter.charge(request.remote or "unknown", weight, exchange.wall())

    async def answer_info(request: web.Request) -> web.Response:
        ask = _json(await request.read())
        kind = str(ask.get("type")) if isinstance(ask, dict) else ""
        charge(request, 2 if kind in LIGHT else 20)
        answer = info(matching, ask)
        if kind in ROWS_PER_WEIGHT and isinstance(answer, list):
            charge(request, len(answer) // ROWS_PER_WEIGHT[kind])
        return _response(answer)

    async def answer_exchange(request: web.Request) -> web.Response:
        charge(request, 1)
        return _response(actions.answer(_json(await request.read())))

    return [web.post("/info", _guarded(answer_info)), web.post("/exchange", _guarded(answer_exchange))]


def _guarded(handler: Handler) -> Handler:
    """Return the handler with its refusals put into Hyperliquid's form."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            response = await handler(request)
        except UnknownRequest as error:
            return web.Response(text=str(error), status=422)
        except WireError as error:
            if error.status not in {418, 429}:
                return web.Response(text=error.message, status=422)
            return web.Response(text="null", status=429, content_type="application/json")
        return response

    return guarded


def _json(body: bytes) -> Json:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UnknownRequest("Failed to parse the request body as JSON") from error


def _response(answer: Json) -> web.Response:
    return web.Response(body=orjson.dumps(answer), content_type="application/json")
