"""Sign-in and orders over HTTP."""

import asyncio
import json
import logging
import time
from typing import Final

from aiohttp import web
from pydantic import ValidationError

from agent.console.delivery import AppriseSender, notify_urls
from agent.console.keys import GATE, OBSERVER, TRIED
from agent.console.orders import Request, give
from agent.console.overview import consequence, orders
from agent.console.tokens import SESSION_S, Session, TooManyGuesses
from agent.console.watch import trial
from perpfut_lib.errors import ArtifactError, ConfigError
from perpfut_lib.types import JsonObject

log = logging.getLogger(__name__)

COOKIE: Final = "perpfut_console"
CSRF: Final = "X-Perpfut-Csrf"
TRIAL_S: Final = 10.0
"""Least time between two test messages, seconds."""


def _cookie(request: web.Request) -> str:
    """Return the cookie's name: browsers send one host's cookies to every port of it, and each console has its own."""
    return f"{COOKIE}_{request.url.port}"


def _session(request: web.Request) -> Session | None:
    return request.app[GATE].session(request.cookies.get(_cookie(request)))


async def who(request: web.Request) -> web.Response:
    """Tell whether orders can be given here at all, and who is signed in."""
    session = _session(request)
    known = {"name": session.name, "csrf": session.csrf} if session else {"name": None, "csrf": None}
    return web.json_response({"possible": request.app[GATE].kept is not None, **known})


async def sign_in(request: web.Request) -> web.Response:
    """Open a short session for whoever knows the token."""
    body = await _body(request)
    token, name = str(body.get("token", "")), str(body.get("name", ""))
    try:
        key = await asyncio.to_thread(request.app[GATE].sign_in, token, name)
    except TooManyGuesses:
        return web.json_response({"error": "too many failed sign-ins; wait a minute"}, status=429)
    if key is None:
        log.warning("a sign-in failed", extra={"address": request.remote})
        return web.json_response({"error": "wrong token or name"}, status=401)
    log.info("signed in", extra={"person": name})
    response = web.json_response({"name": name})
    cookie, secure = _cookie(request), request.secure
    response.set_cookie(cookie, key, max_age=int(SESSION_S), httponly=True, samesite="Strict", secure=secure, path="/")
    return response


async def sign_out(request: web.Request) -> web.Response:
    """End the session."""
    request.app[GATE].sign_out(request.cookies.get(_cookie(request)))
    response = web.json_response({})
    response.del_cookie(_cookie(request), path="/")
    return response


async def preview(request: web.Request) -> web.Response:
    """Say what an order would do now."""
    look = await asyncio.to_thread(request.app[OBSERVER].look)
    text = consequence(request.query.get("order", "run"), look.reading.performance.document)
    return web.json_response({"text": text})


def _signed_in(request: web.Request) -> Session | web.Response:
    """Return the session of a request that carries its CSRF token, or the refusal."""
    session = _session(request)
    if session is None:
        return web.json_response({"error": "sign in first; sessions end after 15 minutes"}, status=401)
    if request.headers.get(CSRF) != session.csrf:
        return web.json_response({"error": "the page is out of date; load it again"}, status=403)
    return session


async def trial_message(request: web.Request) -> web.Response:
    """Send a test message to the addresses in the console's environment; needs a session, once in ten seconds."""
    session, tried = _signed_in(request), request.app[TRIED]
    if isinstance(session, web.Response):
        return session
    if tried and time.monotonic() - tried[-1] < TRIAL_S:
        return web.json_response({"error": f"one test message in {TRIAL_S:g} s"}, status=429)
    tried[:] = [time.monotonic()]
    try:
        taken = await asyncio.to_thread(_send_trial, request.app[OBSERVER].name)
    except ConfigError as error:
        return web.json_response({"error": f"{error.found}; expected {error.expected}"}, status=409)
    log.info("test message", extra={"person": session.name, "taken": taken})
    if not taken:
        return web.json_response({"error": "a receiver did not take it"}, status=502)
    return web.json_response({"text": "The test message was taken by every receiver."})


def _send_trial(name: str) -> bool:
    return AppriseSender(notify_urls()).send(trial(name))


async def order(request: web.Request) -> web.Response:
    """Write orders; needs a session and its CSRF token."""
    session = _signed_in(request)
    if isinstance(session, web.Response):
        return session
    observer = request.app[OBSERVER]
    try:
        wanted = Request.model_validate_json(await request.text())
        written = await asyncio.to_thread(give, observer.folder, wanted, session.name, observer.clock())
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        return web.json_response({"error": wrong[:300]}, status=422)
    except ArtifactError as error:
        return web.json_response({"error": str(error)}, status=409)
    log.info("orders given", extra={"person": session.name, "order": wanted.order, "seq": written.seq})
    await asyncio.to_thread(observer.look, anew=True)
    return web.json_response({"orders": orders(written)})


async def _body(request: web.Request) -> JsonObject:
    try:
        body = json.loads(await request.text())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(reason="not a JSON object")
    return body


ROUTES: Final = [
    web.get("/api/session", who),
    web.post("/api/session", sign_in),
    web.delete("/api/session", sign_out),
    web.get("/api/preview", preview),
    web.post("/api/orders", order),
    web.post("/api/trial", trial_message),
]
