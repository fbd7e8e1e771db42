"""One process of the agent, put together: logs, key, policy, market, folder, checkpoints, tracing."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from agent.clock import SystemClock
from agent.decision.context import TickContext, open_policy, require_live_rules
from agent.feed.market import WIRES, LiveMarket
from agent.graphs.checkpoints import open_checkpoints
from agent.graphs.ticks import Ticks
from agent.observation.annotator import LocalModel
from agent.observation.logs import Redactor, start_logging
from agent.observation.tracing import tracing
from agent.operation.import_guard import install_guard
from agent.state.seal_key import seal_key
from perpfut_lib.acquire.exchange import Exchange
from perpfut_lib.artifacts import AgentFolder, Run
from perpfut_lib.config import Profile

ANNOTATOR_URL: Final = "PERPFUT_ANNOTATOR_URL"
ANNOTATOR_MODEL: Final = "PERPFUT_ANNOTATOR_MODEL"


@dataclass
class Session:
    """A running process."""

    ticks: Ticks
    clock: SystemClock
    market: LiveMarket

    def stop(self) -> None:
        """Interrupt every wait and every request that is tried again."""
        self.clock.stop.set()


def live_market(profile: Profile, clock: SystemClock) -> LiveMarket:
    """Return the exchange that a profile names; the clock's stop ends its retries too."""
    exchange = Exchange(WIRES[profile.agent.source], profile.agent.exchange)
    exchange.stopped = clock.stop
    return LiveMarket(exchange, profile.agent.timeframe)


@contextmanager
def session(profile: Profile, kind: str, *, console: bool = True) -> Iterator[Session]:
    """Open everything that a tick needs, and close it again.

    Parameters
    ----------
    profile : Profile
        Settings; the run's artifacts hold the policy.
    kind : {"fast", "slow"}
        Which graphs will run: each kind has a lock, checkpoints and a log of its own.
    console : bool
        Whether logs also go to standard error.

    Raises
    ------
    ArtifactError
        Another process of this kind is at work.
    ConfigError
        The profile's rules cannot be traded, or the seal key is not usable.
    """
    install_guard()
    require_live_rules(profile)
    run = Run.named(profile.name)
    folder = AgentFolder.of(run, seal_key())
    clock = SystemClock()
    with ExitStack() as stack:
        stack.enter_context(folder.lock(kind))
        redactor = start_logging(folder.log(kind), console=console)
        market = live_market(profile, clock)
        stack.callback(market.close)
        context = TickContext(
            profile, folder, market, clock, profile.agent.timeframe, open_policy(profile, run), _run_id(kind)
        )
        context.annotator = _annotator(redactor)
        checkpoints = stack.enter_context(open_checkpoints(folder.checkpoints(kind)))
        stack.enter_context(tracing(redactor))
        yield Session(Ticks(context, checkpoints), clock, market)


def _run_id(kind: str) -> str:
    return f"{kind}-{os.getpid()}"


def _annotator(redactor: Redactor) -> LocalModel | None:
    url = os.environ.get(ANNOTATOR_URL)
    return None if not url else LocalModel(url, os.environ.get(ANNOTATOR_MODEL, "llama3.2"), redactor)
