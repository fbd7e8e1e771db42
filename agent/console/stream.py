"""Live updates as server-sent events: the first page, whenever something in it has changed."""

import asyncio
import json
from typing import Final

from aiohttp import web

from agent.console.keys import BOOK, OBSERVER
from perpfut_lib.types import JsonObject

EVERY_S: Final = 1.0
STREAMS: Final = 32
"""Most pages that are kept up to date at a time."""
OPEN: Final = web.AppKey("open streams", list[int])


async def events(request: web.Request) -> web.StreamResponse:
    """Send the first page now and once a second; its clock moves even when nothing else does."""
    open_streams = request.app[OPEN]
    if open_streams[0] >= STREAMS:
        return web.json_response({"error": f"{STREAMS} pages are open"}, status=503)
    open_streams[0] += 1
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    try:
        await response.prepare(request)
        while True:
            page = await asyncio.to_thread(request.app[OBSERVER].overview)
            await response.write(_event(page | {"book": request.app[BOOK]}))
            await asyncio.sleep(EVERY_S)
    except ConnectionResetError:
        return response
    finally:
        open_streams[0] -= 1


def _event(page: JsonObject) -> bytes:
    return f"event: overview\ndata: {json.dumps(page)}\n\n".encode()


ROUTES: Final = [web.get("/events", events)]
