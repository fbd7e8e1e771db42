"""Ways to corrupt an agent's files and clock, for the fault drill, and what each may lead to."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from agent.clock import Clock
from agent.decision.context import TickContext
from perpfut_lib.artifacts import ActivePairs, Control, GovernorOrder, PerfSnapshot, Signal, decode, encode
from perpfut_lib.artifacts.contract import SCHEMA_VERSION, Document
from perpfut_lib.types import HOUR_MS

Allowed = Literal["anything safe", "flat"]


@dataclass(frozen=True)
class Shifted:
    """A clock that is wrong."""

    clock: Clock
    by: int
    """ms."""

    def wall(self) -> int:
        """Return the wrong time."""
        return self.clock.wall() + self.by

    def monotonic(self) -> int:
        """Return the machine's monotonic clock, which nobody sets."""
        return self.clock.monotonic()

    def wait(self, milliseconds: int) -> bool:
        """Wait as the other clock does."""
        return self.clock.wait(milliseconds)


@dataclass(frozen=True)
class FaultInjection:
    """One thing that went wrong on this side."""

    name: str
    """For the table."""
    apply: Callable[[TickContext], TickContext]
    """Injects the fault into the context's folder and returns the context to decide in."""
    allowed: Allowed
    """What the agent may do, with a healthy exchange or without."""
    forgets: bool = False
    """Whether it takes the agent's memory."""


def _file(model: type[Document]) -> Callable[[TickContext], Path]:
    return lambda context: context.folder.document(model)


def _memory(context: TickContext) -> Path:
    return context.folder.memory


def _checkpoints(context: TickContext) -> Path:
    return context.folder.checkpoints()


def _missing(file: Callable[[TickContext], Path]) -> Callable[[TickContext], TickContext]:
    def apply(context: TickContext) -> TickContext:
        file(context).unlink(missing_ok=True)
        return context

    return apply


def _truncated(file: Callable[[TickContext], Path]) -> Callable[[TickContext], TickContext]:
    def apply(context: TickContext) -> TickContext:
        content = file(context).read_bytes()
        file(context).write_bytes(content[: len(content) * 2 // 3])
        return context

    return apply


def _flipped(file: Callable[[TickContext], Path]) -> Callable[[TickContext], TickContext]:
    def apply(context: TickContext) -> TickContext:
        content = bytearray(file(context).read_bytes())
        content[len(content) // 2] ^= 4
        file(context).write_bytes(bytes(content))
        return context

    return apply


def _emptied(file: Callable[[TickContext], Path]) -> Callable[[TickContext], TickContext]:
    def apply(context: TickContext) -> TickContext:
        file(context).write_bytes(b"")
        return context

    return apply


def _pairs(**changes: int) -> Callable[[TickContext], TickContext]:
    """Return what writes sealed active pairs with other fields: a writer that is out of its mind."""

    def apply(context: TickContext) -> TickContext:
        path = context.folder.document(ActivePairs)
        document = decode(path.read_bytes(), ActivePairs)
        fields = {name: getattr(document, name) + by for name, by in changes.items()}
        path.write_bytes(encode(document.model_copy(update=fields)))
        return context

    return apply


def _expired(context: TickContext) -> TickContext:
    """Let the trading window end with its first minute, however long it is."""
    path = context.folder.document(ActivePairs)
    document = decode(path.read_bytes(), ActivePairs)
    fields = {"seq": document.seq + 1, "valid_until": document.valid_from + context.timeframe}
    path.write_bytes(encode(document.model_copy(update=fields)))
    return context


def _control(**changes: object) -> Callable[[TickContext], TickContext]:
    def apply(context: TickContext) -> TickContext:
        context.folder.write(context.folder.read(Control).model_copy(update=changes))
        return context

    return apply


def _garbage(model: type[Document]) -> Callable[[TickContext], TickContext]:
    def apply(context: TickContext) -> TickContext:
        context.folder.document(model).write_bytes(b'{"mode": "run", "mode": "pause"}')
        return context

    return apply


def _losses(context: TickContext) -> TickContext:
    """Let the execution side report that half of the account is gone."""
    now = context.clock.wall()
    snapshot = PerfSnapshot(
        schema_version=SCHEMA_VERSION,
        kind="perf_snapshot",
        seq=1,
        run_id="drill",
        created_at=now,
        signal_seq=1,
        equity=5_000.0,
        peak_equity=10_000.0,
        price_pnl=-5_000.0,
        funding=0.0,
        fees=0.0,
        slippage_bps=0.0,
        fills=1,
        rejects=0,
        fill_latency_ms=1.0,
        positions=(),
    )
    context.folder.write(snapshot)
    return context


def _rolled_back(context: TickContext) -> TickContext:
    """Put back a memory from before the last signal, seal and all."""
    from agent.state.memory import load, save

    spec = context.policy.spec if context.policy is not None else None
    memory = load(context.folder.memory, spec)
    save(context.folder.memory, replace(memory, seq=memory.seq - 1, bar_close=memory.bar_close - context.timeframe))
    return context


def _without_policy(context: TickContext) -> TickContext:
    return replace(context, policy=None)


def _clock(by: int) -> Callable[[TickContext], TickContext]:
    return lambda context: replace(context, clock=Shifted(context.clock, by))


FAULT_INJECTIONS: Final = (
    FaultInjection("nothing", lambda context: context, "anything safe"),
    FaultInjection("control: missing", _missing(_file(Control)), "flat"),
    FaultInjection("control: truncated", _truncated(_file(Control)), "flat"),
    FaultInjection("control: bit flipped", _flipped(_file(Control)), "flat"),
    FaultInjection("control: old one back", _control(seq=0), "flat"),
    FaultInjection("control: pause", _control(pause=True, seq=2), "flat"),
    FaultInjection("control: kill", _control(kill=True, seq=2), "flat"),
    FaultInjection("governor: duplicate keys", _garbage(GovernorOrder), "flat"),
    FaultInjection("pairs: missing", _missing(_file(ActivePairs)), "flat"),
    FaultInjection("pairs: truncated", _truncated(_file(ActivePairs)), "flat"),
    FaultInjection("pairs: bit flipped", _flipped(_file(ActivePairs)), "flat"),
    FaultInjection("pairs: old one back", _pairs(seq=-1), "flat"),
    FaultInjection("pairs: number reused", _pairs(valid_until=60_000), "flat"),
    FaultInjection("pairs: from the future", _pairs(seq=1, created_at=HOUR_MS), "flat"),
    FaultInjection("pairs: expired", _expired, "flat"),
    FaultInjection("pairs: other timeframe", _pairs(seq=1, timeframe=60_000), "flat"),
    FaultInjection("performance: half is lost", _losses, "flat"),
    FaultInjection("performance: garbage", _garbage(PerfSnapshot), "anything safe"),
    FaultInjection("signal: truncated", _truncated(_file(Signal)), "anything safe"),
    FaultInjection("signal: missing", _missing(_file(Signal)), "anything safe"),
    FaultInjection("memory: missing", _missing(_memory), "anything safe", forgets=True),
    FaultInjection("memory: truncated", _truncated(_memory), "anything safe", forgets=True),
    FaultInjection("memory: bit flipped", _flipped(_memory), "anything safe", forgets=True),
    FaultInjection("memory: old one back", _rolled_back, "anything safe", forgets=True),
    FaultInjection("checkpoints: emptied", _emptied(_checkpoints), "anything safe"),
    FaultInjection("checkpoints: bit flipped", _flipped(_checkpoints), "anything safe"),
    FaultInjection("policy: does not fit its hash", _without_policy, "flat"),
    FaultInjection("clock: an hour ahead", _clock(HOUR_MS), "flat"),
    FaultInjection("clock: an hour behind", _clock(-HOUR_MS), "flat"),
)
