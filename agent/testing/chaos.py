"""Chaos: the processes that an operator starts, killed with SIGKILL at random moments and started again.

What they signalled is compared with an agent that nobody killed, by :mod:`agent.testing.chaos_verdict`.
"""

import logging
import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, Literal

from agent.replay.replay import standing_orders
from agent.state.seal_key import KEY_VARIABLE
from agent.testing.chaos_processes import PATIENCE_S, AgentProcess, ExchangeProcess, Life, Pace, free_port
from perpfut_lib.artifacts import AgentFolder, Run, read_json
from perpfut_lib.config import Profile, load_profile
from perpfut_lib.errors import PerpfutError
from perpfut_lib.types import DAY_MS

log = logging.getLogger(__name__)

Victim = Literal["agent", "agent and its slow tick", "slow tick", "exchange"]
VICTIMS: Final[dict[Victim, int]] = {"agent": 10, "agent and its slow tick": 7, "slow tick": 2, "exchange": 1}
"""What is killed, and how often out of twenty times."""
Aim = Literal["start", "tick", "bar", "any"]
DECIDED: Final = b'"pairs":[{'
"""What a signal with pairs has in its line of the log."""
TICK_S: Final = 4.0
"""A kill that is aimed at a tick comes within so many seconds of its begin: the first one of a process takes a few."""
AGENT: Final = (
    "agent.warmup=3d",  # longer than the market: symbols' recursions start at its first bar, whenever the agent does
    "agent.risk.max_pvalue=null",  # a test of a pair that a kill delays would otherwise decide later
    "agent.risk.min_notional=0",
)
"""What differs from the defaults, so that decisions depend on bars alone."""
PACED: Final = ("agent.max_clock_skew_ms=60000",)  # the exchange's clock runs faster than answers travel


@dataclass(frozen=True)
class Plan:
    """What is to be done."""

    profile: str
    """Name of a profile in ``configs/``."""
    settings: tuple[str, ...]
    """Overrides; ``name`` says where the policy lies, and where the agent's folder is made anew."""
    kills: int
    seed: int
    speed: float = 2.0
    """Seconds of the exchange per second; one runs on the machine's own clock."""
    aims: tuple[int, int, int] = (1, 2, 1)
    """Weights of kills while a process starts, while it is in a tick, and between two ticks."""
    start_s: float = 8.0
    """A kill that is aimed at a start comes within so many seconds of it: a process takes five to begin to tick."""
    longest_s: float = float("inf")
    """No kill is begun after so many seconds."""

    def overrides(self) -> tuple[str, ...]:
        """Return all overrides of the agent but the exchange's address."""
        return (*self.settings, *AGENT, *(PACED if self.speed != 1.0 else ()))

    def chosen(self) -> Profile:
        """Return the agent's settings."""
        return load_profile(self.profile, self.overrides())


@dataclass(frozen=True)
class Kill:
    """One kill."""

    victim: Victim
    aim: Aim
    delay: float
    """Seconds after the start, after the begin of a tick, or after a signal (``bar``)."""


@dataclass
class Trial:
    """What happened."""

    plan: Plan
    pace: Pace
    folder: AgentFolder
    tape_start: int
    """First bar of the exchange's market, ms UTC."""
    kills: list[Kill] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    code: int = -1
    """Exit code of the last process, which was told to stop."""
    seconds: float = 0.0


def run(plan: Plan, done: Callable[[int], None] = lambda _: None) -> Trial:
    """Start exchange and agent, kill as often as planned, let two more bars pass, stop, and return what happened.

    Parameters
    ----------
    plan : Plan
        What to do.
    done : callable
        Is told the number of kills so far.
    """
    profile, chance = plan.chosen(), random.Random(plan.seed)
    pace = _pace(profile, plan.speed)
    key = chance.randbytes(32).hex()
    folder = AgentFolder.of(Run.named(profile.name), key.encode())
    shutil.rmtree(folder.path, ignore_errors=True)
    began = time.monotonic()
    with _started(plan, profile, pace, key) as (exchange, agent):
        state = exchange.state()
        if state is None:
            raise PerpfutError("an exchange that does not answer", "one that does", "look at the machine's load")
        folder.write(standing_orders(pace.now()))
        trial = Trial(plan, pace, folder, int(state["start"]))
        agent.start()
        for number in range(plan.kills):
            if time.monotonic() - began > plan.longest_s:
                break
            trial.kills.append(_kill(_next(chance, plan, profile), trial, exchange, agent))
            done(number + 1)
        _pass_bars(2, trial, agent, of=DECIDED)
        trial.code = agent.stop()
        state = exchange.state()
        if state is None or int(state["start"]) != trial.tape_start:
            found = "a market that moved, or an exchange that is gone"
            raise PerpfutError(found, "the market of the beginning", "on the machine's clock, not across midnight UTC")
    trial.lives, trial.seconds = agent.lives, time.monotonic() - began
    return trial


def _pace(profile: Profile, speed: float) -> Pace:
    """Return the time of the trial: this machine's, or from 20 minutes after the market's first day on."""
    epoch = time.time_ns() // 1_000_000
    if speed == 1.0:
        return Pace(epoch, epoch, 1.0)
    first = datetime.combine(profile.data.simulation.start, datetime.min.time(), UTC)
    return Pace(epoch, int(first.timestamp() * 1000) + DAY_MS + 20 * profile.agent.timeframe, speed)


@contextmanager
def _started(plan: Plan, profile: Profile, pace: Pace, key: str) -> Iterator[tuple[ExchangeProcess, AgentProcess]]:
    """Yield a running exchange, and an agent that is to be started on it; end whatever is left of both."""
    exchange = ExchangeProcess(profile, pace, free_port())
    settings = (*plan.overrides(), f"agent.exchange.url={exchange.url}")
    agent = AgentProcess(plan.profile, settings, pace, {KEY_VARIABLE: key})
    try:
        exchange.start()
        yield exchange, agent
    finally:
        agent.kill(group=True)
        exchange.kill()


def _next(chance: random.Random, plan: Plan, profile: Profile) -> Kill:
    """Draw the next kill."""
    victim = chance.choices(list(VICTIMS), list(VICTIMS.values()))[0]
    bar = profile.agent.timeframe / 1000 / plan.speed
    if victim == "exchange":
        return Kill(victim, "any", chance.uniform(0.0, bar / 2))
    if victim == "slow tick":
        return Kill(victim, "start", chance.uniform(0.0, plan.start_s))
    longest: dict[Aim, float] = {"start": plan.start_s, "tick": TICK_S, "bar": bar}
    aim = chance.choices(list(longest), plan.aims)[0]
    return Kill(victim, aim, chance.uniform(0.0, longest[aim]))


def _kill(kill: Kill, trial: Trial, exchange: ExchangeProcess, agent: AgentProcess) -> Kill:
    """Wait for the moment, kill, start again, and return the kill as it was done."""
    if kill.victim == "slow tick":
        return _kill_slow_tick(kill, trial, agent)
    if kill.aim == "tick":
        _await(lambda: _ticking(trial, agent), trial, agent)
    if kill.aim == "bar":
        _pass_bars(1, trial, agent)
    time.sleep(kill.delay)  # the moment that was drawn
    if kill.victim == "exchange":
        exchange.kill()
        exchange.start()
    else:
        agent.kill(group=kill.victim != "agent")
    _revive(agent)
    return kill


def _kill_slow_tick(kill: Kill, trial: Trial, agent: AgentProcess) -> Kill:
    """Kill the slow tick that a process begins with; if it has ended by the moment that was drawn, its parent."""
    if not agent.slow_ticks():
        agent.kill(group=True)
        agent.start()
        _await(lambda: bool(agent.slow_ticks()), trial, agent)
    time.sleep(kill.delay)  # the moment that was drawn
    found = agent.slow_ticks()
    for process in found:
        process.kill()
    if not found:
        agent.kill(group=True)
    _revive(agent)
    return kill if found else replace(kill, victim="agent")


def _revive(agent: AgentProcess) -> None:
    """Start the agent if it is dead; one that has ended by itself is entered among its lives, too."""
    if not agent.running():
        agent.kill(group=True)
        agent.start()


def _ticking(trial: Trial, agent: AgentProcess) -> bool:
    """Return whether the scheduler of the present process says that it is in a tick."""
    try:
        beat = read_json(trial.folder.heartbeat)
        return bool(beat["doing"] == "ticking" and beat["time"] >= trial.pace.at(agent.started))
    except (PerpfutError, KeyError):
        return False


def _await(reached: Callable[[], bool], trial: Trial, agent: AgentProcess, bars: int = 3) -> None:
    """Wait for something that happens within a few bars; an agent that ends meanwhile is started again."""
    patience = trial.plan.chosen().agent.timeframe * bars / 1000 / trial.pace.speed + PATIENCE_S
    end = time.monotonic() + patience
    while not reached() and agent.running():
        if time.monotonic() > end:
            raise PerpfutError(f"nothing within {patience:.0f} s", "a tick of the agent", "read its log")
        time.sleep(0.01)


def _pass_bars(count: int, trial: Trial, agent: AgentProcess, *, of: bytes = b"\n") -> None:
    """Let the agent signal so many bars in peace; ``of`` is in the log of each that counts."""
    file = trial.folder.decisions

    def lines() -> int:
        return file.read_bytes().count(of) if file.exists() else 0

    wanted = lines() + count
    _await(lambda: lines() >= wanted, trial, agent, bars=count + 3)
