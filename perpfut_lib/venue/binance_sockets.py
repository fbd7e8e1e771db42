"""Where the websockets of Binance USD-M futures are: the paths of the real exchange, and those of older clients."""

from typing import Final

from aiohttp import web

from perpfut_lib.venue.binance_account import LISTEN_KEY
from perpfut_lib.venue.binance_private import PrivateSubscriber
from perpfut_lib.venue.binance_streams import MarketSubscriber
from perpfut_lib.venue.matching import Matching
from perpfut_lib.venue.streams import Hub

PLAIN: Final = ("/public/ws", "/market/ws")
COMBINED: Final = ("/public/stream", "/market/stream", "/stream")


def routes(matching: Matching, hub: Hub) -> list[web.RouteDef]:
    """Return the websocket routes.

    ``/public`` and ``/market`` take subscriptions, or stream names in the path (``/public/ws/NAME``) or in
    ``?streams=A/B``; ``/private/ws`` takes the listen key in its path or as ``?listenKey=``.
    """

    async def plain(request: web.Request) -> web.WebSocketResponse:
        subscriber = MarketSubscriber(matching.exchange, combined=False)
        subscriber.subscribe([request.match_info.get("name", "")])
        return await hub.serve(request, subscriber)

    async def combined(request: web.Request) -> web.WebSocketResponse:
        subscriber = MarketSubscriber(matching.exchange, combined=True)
        subscriber.subscribe(request.query.get("streams", "").split("/"))
        return await hub.serve(request, subscriber)

    async def private(request: web.Request) -> web.WebSocketResponse:
        key = request.match_info.get("key") or request.query.get("listenKey")
        if key != LISTEN_KEY:
            raise web.HTTPForbidden(text="unknown listen key")
        subscriber = PrivateSubscriber(matching)
        try:
            return await hub.serve(request, subscriber)
        finally:
            subscriber.close()

    return [
        *(web.get(path, plain) for path in PLAIN),
        *(web.get(f"{path}/{{name}}", plain) for path in PLAIN),
        *(web.get(path, combined) for path in COMBINED),
        web.get("/private/ws", private),
        web.get("/private/ws/{key}", private),
    ]
