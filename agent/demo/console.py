"""The console on the closed loop: on the exchange's clock, with a token of its own."""

import os
import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from agent.clock import Clock
from agent.console.limits import Limits
from agent.console.observer import Observer
from agent.console.server import Place, application, serving
from agent.console.tokens import Gatekeeper, new_token
from perpfut_lib.artifacts import AgentFolder
from perpfut_lib.config import Profile

Announce = Callable[[str, str], object]
"""Gets the console's address and the token for its orders."""


@contextmanager
def console(profile: Profile, folder: AgentFolder, clock: Clock, announce: Announce) -> Iterator[None]:
    """Serve the console on a free port while the block runs, and ``announce`` where and with which token."""
    token, kept = new_token()
    page = application(Observer("demo", folder, Limits.of(profile), clock.wall), Gatekeeper(kept))
    with serving(page, Place(port=0)) as address:
        announce(address, token)
        yield


def visit(address: str) -> bool:
    """Open an address in the person's browser; return whether there is a display to open it on."""
    if not (sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    return webbrowser.open(address)
