"""Ways to spoil an agent's files and clock, for the fault drill, and what each may lead to."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from agent.clock import Clock
from agent.decision.context import Desk
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
class Spoil:
    """One thing that went wrong on this side."""

    name: str
    """For the table."""
    apply: Callable[[Desk], Desk]
    """Spoils the desk's folder and returns the desk to decide at."""
    allowed: Allowed
    """What the agent may do, with a healthy exchange or without."""
    forgets: bool = False
    """Whether it takes the agent's memory."""


def _file(model: type[Document]) -> Callable[[Desk], Path]:
    return lambda desk: desk.folder.document(model)


def _memory(desk: Desk) -> Path:
    return desk.folder.memory


def _checkpoints(desk: Desk) -> Path:
    return desk.folder.checkpoints()


def _missing(file: Callable[[Desk], Path]) -> Callable[[Desk], Desk]:
    def apply(desk: Desk) -> Desk:
        file(desk).unlink(missing_ok=True)
        return desk

    return apply


def _truncated(file: Callable[[Desk], Path]) -> Callable[[Desk], Desk]:
    def apply(desk: Desk) -> Desk:
        content = file(desk).read_bytes()
        file(desk).write_bytes(content[: len(content) * 2 // 3])
        return desk

    return apply


def _flipped(file: Callable[[Desk], Path]) -> Callable[[Desk], Desk]:
    def apply(desk: Desk) -> Desk:
        content = bytearray(file(desk).read_bytes())
        content[len(content) // 2] ^= 4
        file(desk).write_bytes(bytes(content))
        return desk

    return apply


def _emptied(file: Callable[[Desk], Path]) -> Callable[[Desk], Desk]:
    def apply(desk: Desk) -> Desk:
        file(desk).write_bytes(b"")
        return desk

    return apply


def _pairs(**changes: int) -> Callable[[Desk], Desk]:
    """Return what writes sealed active pairs with other fields: a writer that is out of its mind."""

    def apply(desk: Desk) -> Desk:
        path = desk.folder.document(ActivePairs)
        document = decode(path.read_bytes(), ActivePairs)
        fields = {name: getattr(document, name) + by for name, by in changes.items()}
        path.write_bytes(encode(document.model_copy(update=fields)))
        return desk

    return apply


def _expired(desk: Desk) -> Desk:
    """Let the trading window end with its first minute, however long it is."""
    path = desk.folder.document(ActivePairs)
    document = decode(path.read_bytes(), ActivePairs)
    fields = {"seq": document.seq + 1, "valid_until": document.valid_from + desk.timeframe}
    path.write_bytes(encode(document.model_copy(update=fields)))
    return desk


def _control(**changes: object) -> Callable[[Desk], Desk]:
    def apply(desk: Desk) -> Desk:
        desk.folder.write(desk.folder.read(Control).model_copy(update=changes))
        return desk

    return apply


def _garbage(model: type[Document]) -> Callable[[Desk], Desk]:
    def apply(desk: Desk) -> Desk:
        desk.folder.document(model).write_bytes(b'{"mode": "run", "mode": "pause"}')
        return desk

    return apply


def _losses(desk: Desk) -> Desk:
    """Let the execution side report that half of the account is gone."""
    now = desk.clock.wall()
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
    desk.folder.write(snapshot)
    return desk


def _rolled_back(desk: Desk) -> Desk:
    """Put back a memory from before the last signal, seal and all."""
    from agent.state.memory import load, save

    spec = desk.brain.spec if desk.brain is not None else None
    memory = load(desk.folder.memory, spec)
    save(desk.folder.memory, replace(memory, seq=memory.seq - 1, bar_close=memory.bar_close - desk.timeframe))
    return desk


def _mindless(desk: Desk) -> Desk:
    return replace(desk, brain=None)


def _clock(by: int) -> Callable[[Desk], Desk]:
    return lambda desk: replace(desk, clock=Shifted(desk.clock, by))


SPOILS: Final = (
    Spoil("nothing", lambda desk: desk, "anything safe"),
    Spoil("control: missing", _missing(_file(Control)), "flat"),
    Spoil("control: truncated", _truncated(_file(Control)), "flat"),
    Spoil("control: bit flipped", _flipped(_file(Control)), "flat"),
    Spoil("control: old one back", _control(seq=0), "flat"),
    Spoil("control: pause", _control(pause=True, seq=2), "flat"),
    Spoil("control: kill", _control(kill=True, seq=2), "flat"),
    Spoil("governor: duplicate keys", _garbage(GovernorOrder), "flat"),
    Spoil("pairs: missing", _missing(_file(ActivePairs)), "flat"),
    Spoil("pairs: truncated", _truncated(_file(ActivePairs)), "flat"),
    Spoil("pairs: bit flipped", _flipped(_file(ActivePairs)), "flat"),
    Spoil("pairs: old one back", _pairs(seq=-1), "flat"),
    Spoil("pairs: number reused", _pairs(valid_until=60_000), "flat"),
    Spoil("pairs: from the future", _pairs(seq=1, created_at=HOUR_MS), "flat"),
    Spoil("pairs: expired", _expired, "flat"),
    Spoil("pairs: other timeframe", _pairs(seq=1, timeframe=60_000), "flat"),
    Spoil("performance: half is lost", _losses, "flat"),
    Spoil("performance: garbage", _garbage(PerfSnapshot), "anything safe"),
    Spoil("signal: truncated", _truncated(_file(Signal)), "anything safe"),
    Spoil("signal: missing", _missing(_file(Signal)), "anything safe"),
    Spoil("memory: missing", _missing(_memory), "anything safe", forgets=True),
    Spoil("memory: truncated", _truncated(_memory), "anything safe", forgets=True),
    Spoil("memory: bit flipped", _flipped(_memory), "anything safe", forgets=True),
    Spoil("memory: old one back", _rolled_back, "anything safe", forgets=True),
    Spoil("checkpoints: emptied", _emptied(_checkpoints), "anything safe"),
    Spoil("checkpoints: bit flipped", _flipped(_checkpoints), "anything safe"),
    Spoil("policy: does not fit its hash", _mindless, "flat"),
    Spoil("clock: an hour ahead", _clock(HOUR_MS), "flat"),
    Spoil("clock: an hour behind", _clock(-HOUR_MS), "flat"),
)
