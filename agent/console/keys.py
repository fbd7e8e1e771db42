"""What the handlers find in their application."""

from typing import Final

from aiohttp import web

from agent.console.observer import Observer
from agent.console.tokens import Gatekeeper

OBSERVER: Final = web.AppKey("observer", Observer)
GATE: Final = web.AppKey("gate", Gatekeeper)
TRIED: Final = web.AppKey("times of test messages", list[float])
BOOK: Final = web.AppKey("address of the book", str)
