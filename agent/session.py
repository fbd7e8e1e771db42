"""One process of the agent, put together: logs, key, policy, market, folder, checkpoints, tracing."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.annotate import LocalModel
from agent.checkpoint import open_checkpoints
from agent.clock import SystemClock
from agent.desk import Desk, open_brain, require_live_rules
from agent.guard import install_guard
from agent.logs import Redactor, start_logging
from agent.market import WIRES, LiveMarket
from agent.observe import tracing
from agent.ticks import Ticks
from perpfut_lib.acquire.exchange import Exchange
from perpfut_lib.artifacts import AgentFolder, Run
from perpfut_lib.config import Profile
from perpfut_lib.errors import ConfigError

KEY_VARIABLE: Final = "PERPFUT_SEAL_KEY"
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


def seal_key() -> bytes | None:
    """Return the key that seals documents: from ``PERPFUT_SEAL_KEY``, or from the file ``PERPFUT_SEAL_KEY_FILE``.

    Raises
    ------
    ConfigError
        The file is named but cannot be read, or the key is shorter than 16 bytes.
    """
    text, file = os.environ.get(KEY_VARIABLE), os.environ.get(f"{KEY_VARIABLE}_FILE")
    if text is None and file is None:
        return None
    try:
        key = text.encode() if text is not None else Path(str(file)).read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"{KEY_VARIABLE}_FILE: {error.strerror}", "a readable file", "check the secret") from error
    if len(key) < 16:
        raise ConfigError(f"a seal key of {len(key)} bytes", "at least 16", "make one: openssl rand -hex 32")
    return key


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
        desk = Desk(profile, folder, market, clock, profile.agent.timeframe, open_brain(profile, run), _run_id(kind))
        desk.annotator = _annotator(redactor)
        checkpoints = stack.enter_context(open_checkpoints(folder.checkpoints(kind)))
        stack.enter_context(tracing(redactor))
        yield Session(Ticks(desk, checkpoints), clock, market)


def _run_id(kind: str) -> str:
    return f"{kind}-{os.getpid()}"


def _annotator(redactor: Redactor) -> LocalModel | None:
    url = os.environ.get(ANNOTATOR_URL)
    return None if not url else LocalModel(url, os.environ.get(ANNOTATOR_MODEL, "llama3.2"), redactor)
