"""What stands before every request: the host it names, its rate, and the headers of every answer."""

import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from perpfut_lib.errors import PerpfutError

log = logging.getLogger(__name__)

PER_MINUTE: Final = 600
"""Most requests of one address; a page that shows everything needs about 60."""
ADDRESSES: Final = 256
"""Most addresses remembered."""
LOCAL: Final = ("127.0.0.1", "localhost", "[::1]")
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def hosts(extra: tuple[str, ...]) -> frozenset[str]:
    """Return the host names under which the console answers, without ports."""
    return frozenset((*LOCAL, *extra))


def guard(allowed: frozenset[str], clock: Callable[[], float] = time.monotonic) -> Middleware:
    """Return the middleware; a foreign host name (DNS rebinding) or a foreign origin gets nothing.

    Parameters
    ----------
    allowed : frozenset
        See :func:`hosts`.
    clock : callable
        Monotonic seconds.
    """
    seen: OrderedDict[str, deque[float]] = OrderedDict()

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.host.rpartition(":")[0] not in allowed and request.host not in allowed:
            return _refusal(421, "this console does not answer under that host name")
        if _too_many(seen, request.remote or "", clock()):
            return _refusal(429, "too many requests; wait a minute")
        if request.method not in ("GET", "HEAD") and not _same_origin(request):
            return _refusal(403, "orders come from the console's own page only")
        try:
            response = await handler(request)
        except web.HTTPException as error:
            response = _refusal(error.status, error.reason)
        except PerpfutError as error:
            log.warning("a request failed", extra={"path": request.path, "cause": str(error)})
            response = _refusal(500, error.found)
        if not response.prepared:
            response.headers.update(HEADERS)
        return response

    return middleware


def _refusal(status: int, why: str) -> web.Response:
    return web.json_response({"error": why}, status=status, headers=HEADERS)


def _same_origin(request: web.Request) -> bool:
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    return origin in (f"http://{request.host}", f"https://{request.host}") and site == "same-origin"


def _too_many(seen: OrderedDict[str, deque[float]], address: str, now: float) -> bool:
    times = seen.setdefault(address, deque())
    seen.move_to_end(address)
    while len(seen) > ADDRESSES:
        seen.popitem(last=False)
    while times and now - times[0] > 60.0:
        times.popleft()
    if len(times) >= PER_MINUTE:
        return True
    times.append(now)
    return False
