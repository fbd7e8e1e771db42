"""Experiments over HTTP: what `perpfut runs` prints."""

import asyncio
from typing import Final

from aiohttp import web

from agent.console.keys import OBSERVER
from perpfut_lib import experiments
from perpfut_lib.errors import ConfigError, MissingInputError
from perpfut_lib.types import JsonObject


async def listing(request: web.Request) -> web.Response:
    """Tell every run beside the observed agent's own."""
    root = request.app[OBSERVER].folder.path.parent.parent
    found = await asyncio.to_thread(experiments.experiments, root)
    return web.json_response({"runs": [each.row() for each in found]})


async def comparison(request: web.Request) -> web.Response:
    """Tell where two runs differ."""
    root, query = request.app[OBSERVER].folder.path.parent.parent, request.query
    try:
        found: JsonObject = await asyncio.to_thread(experiments.compare, query.get("a", ""), query.get("b", ""), root)
    except (ConfigError, MissingInputError) as error:
        return web.json_response({"error": str(error)}, status=404)
    return web.json_response(found)


async def learning(request: web.Request) -> web.Response:
    """Tell a run's learning curves, as far as they are."""
    root, name = request.app[OBSERVER].folder.path.parent.parent, request.query.get("run", "")
    try:
        found = await asyncio.to_thread(experiments.learning_curves, name, root)
    except (ConfigError, MissingInputError) as error:
        return web.json_response({"error": str(error)}, status=404)
    return web.json_response({"agents": found})


ROUTES: Final = [
    web.get("/api/runs", listing),
    web.get("/api/compare", comparison),
    web.get("/api/learning", learning),
]
