"""One copy of the demonstration under Compose, with the exchange outside of the engine, as a real one lies."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from engine import Project, engine

from perpfut_lib.artifacts import AgentFolder, PerfSnapshot, Signal
from perpfut_lib.errors import PerpfutError
from perpfut_lib.venue.server import RunningExchange, serve
from perpfut_lib.venue.settings import VenueConfig, read_settings
from perpfut_lib.venue.view import quote

HERE: Final = Path(__file__).resolve().parent
AGENT: Final = "agent-demo"
EXECUTOR: Final = "hummingbot-demo"
ACCOUNT: Final = "binance"
PORT: Final = 8787
VOLUME_SIZE: Final = "64m"
MARKET: Final = (
    "clock=real",
    f"port={PORT}",
    "simulation.days=37",
    "simulation.symbols=5",
    "simulation.planted_pairs=2",
)
"""The market of docker/compose.yml's exchange."""
SETTINGS: Final = (
    "agent.policy=z-score agent.risk.max_pvalue=null cointegration.formation=6h cointegration.trading=2h "
    "cointegration.min_correlation=-1 cointegration.max_pvalue=1.0 cointegration.top=2 agent.governor.pause=2m"
)
"""Those of docker/compose.yml, and a governor whose pauses end while the trial waits (default: an hour)."""
IN_LINE: Final = 0.1
"""Gap between positions and targets, as a share of gross, below which they agree: lots and prices move it."""


@dataclass
class Stack:
    """Containers, exchange and folders of one copy."""

    number: int
    """Third part of its subnet, 10.77.N.0/24."""
    folder: Path
    """Of clocks and the volume."""
    faketime: Path | None
    """The library that shifts clocks; without one they cannot be."""
    venue: RunningExchange = field(init=False)

    @property
    def name(self) -> str:
        """Return Compose's name of the project."""
        return f"perpfut-trial-{self.number}"

    @property
    def gateway(self) -> str:
        """Return the address at which the engine's host is seen from the containers."""
        return f"10.77.{self.number}.1"

    @property
    def agent_folder(self) -> AgentFolder:
        """Return the agent's folder, which the host sees, too."""
        return AgentFolder(self.folder / "volume" / "smoke" / "agent")

    def compose(self, *command: str) -> str:
        """Run Compose and return what it printed."""
        files = (HERE.parent / "compose.yml", HERE / "compose.yml")
        return Project(self.name, files, self._variables()).compose(*command)

    def container(self, service: str) -> str:
        """Return the container of a service."""
        return f"{self.name}-{service}-1"

    def network(self, verb: str, *services: str) -> None:
        """Connect services with the exchange, or disconnect them."""
        for service in services:
            engine("network", verb, f"{self.name}_inside", self.container(service))

    def shift_clock(self, service: str, seconds: int) -> None:
        """Set a service's clock so many seconds ahead of the truth."""
        (self.folder / "clocks" / service).write_text(f"{seconds:+d}\n")

    def _variables(self) -> dict[str, str]:
        library = {"TRIAL_FAKETIME": "/faketime.so", "TRIAL_LIBRARY": str(self.faketime)} if self.faketime else {}
        return {
            **os.environ,
            "TRIAL_NUMBER": str(self.number),
            "TRIAL_VOLUME": str(self.folder / "volume"),
            "TRIAL_CLOCKS": str(self.folder / "clocks"),
            "PERPFUT_DEMO_SETTINGS": SETTINGS,
            "PERPFUT_EXCHANGE": f"http://{self.gateway}:{PORT}",
            **library,
        }

    def positions(self) -> dict[str, float]:
        """Return what the exchange's account holds, in quote currency at the current middle, without zeros."""
        held = dict(self.venue.matching.account(ACCOUNT).positions)
        return {symbol: float(each.quantity) * self._middle(symbol) for symbol, each in held.items() if each.quantity}

    def targets(self) -> dict[str, float]:
        """Return what the agent's latest signal asks for, in quote currency at its prices; of an expired one, too."""
        try:
            signal = self.agent_folder.read(Signal)
        except PerpfutError:
            return {}
        wanted: dict[str, float] = {}
        for leg in signal.legs:
            wanted[leg.symbol] = wanted.get(leg.symbol, 0.0) + leg.weight * self._equity()
        return {symbol: notional for symbol, notional in wanted.items() if notional}

    def fresh(self) -> bool:
        """Return whether the latest signal has not expired."""
        try:
            return self.agent_folder.read(Signal).expires_at > time.time() * 1000
        except PerpfutError:
            return False

    def in_line(self) -> bool:
        """Return whether a fresh signal asks for positions and they are held."""
        held, wanted = self.positions(), self.targets()
        gross = sum(map(abs, wanted.values()))
        gap = sum(abs(held.get(name, 0.0) - wanted.get(name, 0.0)) for name in {*held, *wanted})
        return self.fresh() and gross > 0 and gap <= IN_LINE * gross + 10 * len(wanted)

    def reasons(self, since: float) -> list[str]:
        """Return why the signals since an instant (seconds UTC) were not the policy's own."""
        found = set[str]()
        for line in self.agent_folder.decisions.read_text().splitlines():
            with suppress(ValueError):  # a full disk tears lines
                signal = Signal.model_validate_json(line)
                if signal.created_at >= 1000 * since:
                    found |= {*signal.reasons, *(reason for pair in signal.pairs for reason in pair.reasons)}
        return sorted(map(str, found))

    def revision(self) -> str:
        """Return the commit that the agent's image was built from."""
        label = '{{index .Config.Labels "org.opencontainers.image.revision"}}'
        return engine("inspect", self.container(AGENT), "--format", label).strip()

    def fills(self) -> int:
        """Return how many fills the account has had."""
        return len(self.venue.matching.account(ACCOUNT).fills)

    def _equity(self) -> float:
        try:
            return self.agent_folder.read(PerfSnapshot).equity
        except PerpfutError:
            return float(self.venue.matching.account(ACCOUNT).wallet)

    def _middle(self, symbol: str) -> float:
        tape, now = self.venue.exchange.tape, self.venue.exchange.clock.now()
        book = quote(tape.series[symbol], tape.timeframe, now)
        assert book is not None  # the market has a price at every moment
        return (book.bid + book.ask) / 2


@contextmanager
def started(number: int, scratch: Path, faketime: Path | None) -> Iterator[Stack]:
    """Yield a stack that has been allowed to trade, and take it down with its volumes at the end."""
    stack = Stack(number, scratch / str(number), faketime)
    for part in ("volume", "clocks"):
        (stack.folder / part).mkdir(parents=True)
    for service in (AGENT, EXECUTOR):
        stack.shift_clock(service, 0)
    with ExitStack() as opened:
        volume = stack.folder / "volume"
        engine("volume", "create", "perpfut-trial-code")
        options = f"size={VOLUME_SIZE},uid=10001,gid=10001,mode=0755"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(volume)], check=True)
        opened.callback(subprocess.run, ["umount", "-l", str(volume)], check=True)
        opened.callback(stack.compose, "down", "--volumes", "--timeout", "5")
        stack.compose("up", "--no-start", "--no-deps", AGENT, EXECUTOR)  # its network, and the gateway with it
        config: VenueConfig = read_settings([*MARKET, f"host={stack.gateway}"])
        stack.venue = opened.enter_context(serve(config))
        stack.compose("run", "--rm", "--no-deps", "policy-demo")
        stack.compose("run", "--rm", "--no-deps", AGENT, "agent", "control", "run")
        stack.compose("up", "--detach", "--no-deps", AGENT, EXECUTOR)
        yield stack
