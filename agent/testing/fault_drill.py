"""The fault drill: every fault of the exchange against every corruption of a file, and what the agent makes of it.

Each case starts from the same healthy agent, some bars into a window. The fault is switched on, the file is
corrupted, and a new process decides on one bar. What it signals is judged against an agent of the same memory that
nothing happened to: a pair may be decided on alike, held, or flat. Anything else is unsafe.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pandas as pd

from agent.decision.context import TickContext, TradingPolicy
from agent.graphs.checkpoints import open_checkpoints
from agent.graphs.ticks import Ticks
from agent.replay.replay import Stand, replay_stand, standing_orders, walk
from agent.testing.fault_injection import FAULT_INJECTIONS, Allowed, FaultInjection
from perpfut_lib.artifacts import AgentFolder, Leg, Signal
from perpfut_lib.config import Profile
from perpfut_lib.errors import ArtifactError, PerpfutError
from perpfut_lib.progress import track
from perpfut_lib.store.panel import Panel
from perpfut_lib.venue.faults import AnyFault, Delist, Drop, Gap, Late, Latency, Revise, Skew, Status

BARS_BEFORE: Final = 4
KLINES: Final = "/fapi/v1/klines"

ChosenCase = tuple[tuple[str, AnyFault | None], FaultInjection]


@dataclass(frozen=True)
class Case:
    """One cell of the drill."""

    exchange: str
    """Fault of the exchange."""
    file: str
    """What was done to which file, or to the clock."""
    outcome: str
    """``decided`` (as an undisturbed agent), ``held``, ``flat``, ``none`` (no new signal), or ``UNSAFE`` and why."""
    reasons: str
    """Codes of the signal."""


def exchange_faults(symbol: str) -> dict[str, AnyFault | None]:
    """Return the faults of the exchange by name; one that concerns a symbol concerns this one."""
    return {
        "none": None,
        "slow answers": Latency(path=KLINES, milliseconds=150),
        "connections drop": Drop(path=KLINES),
        "every second one drops": Drop(path=KLINES, every=2),
        "500": Status(path=KLINES, status=500),
        "503": Status(path=KLINES, status=503),
        "429": Status(path=KLINES, status=429),
        "418 (banned)": Status(path=KLINES, status=418),
        "451 (refused)": Status(path=KLINES, status=451),
        "bars missing": Gap(rows=1),
        "published late": Late(milliseconds=120_000),
        "newest bar revised": Revise(milliseconds=30_000),
        "clock wrong": Skew(milliseconds=3_600_000),
        "delisted": Delist(symbol=symbol),
    }


def drill(
    profile: Profile, panel: Panel, policy: TradingPolicy, start: int, scratch: Path, *, share: float = 1.0
) -> pd.DataFrame:
    """Run every case and return one row each.

    Parameters
    ----------
    profile : Profile
        Settings; requests are made impatient here, so that the drill does not wait.
    panel : Panel
        The market.
    policy : TradingPolicy
        The policy.
    start : int
        Start of a trading window with pairs, ms UTC.
    scratch : Path
        An empty folder to work in.
    share : float
        Share of the cases in which two things go wrong at once, drawn evenly; where only one does, all are run.

    Returns
    -------
    DataFrame
        Columns of :class:`Case`.
    """
    profile = _impatient(profile)
    healthy, bar_close = AgentFolder(scratch / "healthy"), start + BARS_BEFORE * panel.timeframe
    with replay_stand(profile, panel, healthy, start, policy) as stand:
        healthy.write(standing_orders(start))
        walk(stand, range(start, bar_close, panel.timeframe))
        symbol = next(iter(stand.context.memory.followed_pairs.values())).legs[0]
        stand.clock.reach(bar_close + profile.agent.grace_ms)
        honest = {forget: _honest(stand, healthy, bar_close, forget=forget) for forget in (False, True)}
        chosen = track(_chosen(exchange_faults(symbol), share), label="drill", unit="case")
        cases = [_run(stand, case, honest[case[1].forgets], scratch / "case", bar_close) for case in chosen]
    return pd.DataFrame([vars(case) for case in cases])


def _run(stand: Stand, case: ChosenCase, honest: Signal, folder: Path, bar_close: int) -> Case:
    """Run one case in a copy of the agent's folder and judge its signal."""
    (name, fault), bad = case
    expected = Expected(honest, stand.context.memory.signal, bad.allowed, isinstance(fault, Revise))
    with _fault(stand, fault):
        signal = _ticked(bad.apply(_copied(stand.context, folder)), bar_close)
    return Case(name, bad.name, judge(signal, expected), " ".join(signal.reasons if signal else ()))


def _chosen(faults: dict[str, AnyFault | None], share: float) -> list[ChosenCase]:
    """Return the cases to run: all single faults, and every 1/share-th of the double ones."""
    work = [(fault, bad) for fault in faults.items() for bad in FAULT_INJECTIONS]
    single = [case for case in work if case[0][1] is None or case[1] is FAULT_INJECTIONS[0]]
    double = [case for case in work if case not in single]
    drawn = {int(number / share) for number in range(int(share * len(double)))}
    return single + [case for number, case in enumerate(double) if number in drawn]


def matrix(cases: pd.DataFrame) -> pd.DataFrame:
    """Return the outcomes, a row per corrupted file, a column per fault of the exchange; empty where not run."""
    table = cases.pivot(index="file", columns="exchange", values="outcome")
    return table.loc[cases["file"].unique(), cases["exchange"].unique()].fillna("")


def unsafe(cases: pd.DataFrame) -> pd.DataFrame:
    """Return the cases that should not be."""
    return cases[cases["outcome"].str.startswith("UNSAFE")]


@dataclass(frozen=True)
class Expected:
    """What a signal is judged against."""

    honest: Signal
    """Of an agent with the same memory that nothing happened to."""
    before: Signal | None
    """The last one before the fault."""
    allowed: Allowed
    """What the corrupted file allows."""
    early: bool
    """The exchange showed a newest bar that it corrects later: decisions on it may differ."""


def judge(signal: Signal | None, expected: Expected) -> str:
    """Return the outcome of one case."""
    if signal is None:
        return "none"
    before = expected.before
    if before is not None and signal.seq <= before.seq:
        return f"UNSAFE: number {signal.seq} again"
    if expected.allowed == "flat" and any(leg.weight for leg in signal.legs):
        return "UNSAFE: not flat"
    states = {report.status for report in signal.pairs}
    wrong = [report.pair for report in signal.pairs if not _explained(report.pair, signal, expected)]
    if wrong:
        return f"UNSAFE: {wrong[0]} decided otherwise"
    return "held" if "held" in states else "decided" if "active" in states else "flat"


def _explained(pair: str, signal: Signal, expected: Expected) -> bool:
    """Return whether a pair's target is the honest one, the last one, or none."""
    status = next(report.status for report in signal.pairs if report.pair == pair)
    legs = _legs(signal, pair)
    if status == "flat":
        return all(leg.weight == 0.0 for leg in legs)
    if status == "held":
        return expected.before is not None and legs == _legs(expected.before, pair)
    return expected.early or legs == _legs(expected.honest, pair)


def _legs(signal: Signal, pair: str) -> list[Leg]:
    return [leg for leg in signal.legs if leg.pair == pair]


def _honest(stand: Stand, healthy: AgentFolder, bar_close: int, *, forget: bool) -> Signal:
    """Return the signal of an undisturbed agent with the same memory, or with none but its last signal."""
    context = _copied(stand.context, healthy.path.with_name("honest"))
    if forget:
        context.folder.memory.unlink()
    signal = _ticked(context, bar_close)
    if signal is None:
        raise ArtifactError("no signal of the undisturbed agent", "one at every bar", "look at its log")
    return signal


def _ticked(context: TickContext, bar_close: int) -> Signal | None:
    """Let a new process decide on one bar and return its signal, or none if there is no new one that can be read."""
    with open_checkpoints(context.folder.checkpoints()) as checkpoints:
        Ticks(context, checkpoints).fast_tick(bar_close)
    try:
        signal = context.folder.read(Signal)
    except PerpfutError:
        return None
    return signal if signal.bar_close == bar_close else None


def _copied(context: TickContext, path: Path) -> TickContext:
    """Return the context of a new process in a copy of the folder."""
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(context.folder.path, path)
    return context.restarted(replace(context.folder, path=path))


@contextmanager
def _fault(stand: Stand, fault: AnyFault | None) -> Iterator[None]:
    if fault is not None:
        stand.venue.exchange.add_fault(fault)
    try:
        yield
    finally:
        stand.venue.exchange.clear_faults()


def _impatient(profile: Profile) -> Profile:
    """Return the profile with requests that give up at once: in the drill they fail for good."""
    exchange = profile.agent.exchange.model_copy(update={"retries": 1, "backoff": 0.01, "timeout": 2.0})
    update = {"exchange": exchange, "patience_ms": 0, "deadline_ms": 3_000}
    return profile.model_copy(update={"agent": profile.agent.model_copy(update=update)})
