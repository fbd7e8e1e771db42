"""The console on the closed loop: on the exchange's clock, with a token of its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from agent.clock import Clock
from agent.console.limits import Limits
from agent.console.observer import Observer
from agent.console.server import Place, application, serving
from agent.console.tokens import Gatekeeper, new_token
from perpfut_lib.artifacts import AgentFolder
from perpfut_lib.config import Profile


@contextmanager
def console(profile: Profile, folder: AgentFolder, clock: Clock, say: Callable[[str], object]) -> Iterator[None]:
    """Serve the console on a free port while the block runs, and ``say`` where and with which token."""
    token, kept = new_token()
    page = application(Observer("demo", folder, Limits.of(profile), clock.wall), Gatekeeper(kept))
    with serving(page, Place(port=0)) as address:
        say(f"console: {address}  (orders: sign in with {token})")
        yield
