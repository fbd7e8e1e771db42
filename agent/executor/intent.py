"""What the executor shall do: follow the last good signal, or be flat, by signal, control and three kinds of age.

The agent's words are taken only while they are whole, in order and young. A file that is missing, torn, forged, old or
repeated lets the last good signal stand for a hold time, never beyond that signal's own end; then everything is flat.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal, Self, TypeVar

from perpfut_lib.artifacts import Clocks, Control, Freshness, Seen, Signal, Tolerance, assess, read_document
from perpfut_lib.artifacts.contract import Leg
from perpfut_lib.errors import ArtifactError, PerpfutError
from perpfut_lib.types import Json, JsonObject

D = TypeVar("D", Signal, Control)


@dataclass(frozen=True)
class Patience:
    """How long the executor bears with what is wrong, ms."""

    hold_ms: int = 15_000
    """While files are missing, unreadable or out of order, the last good signal stands for so long."""
    expiry_hold_ms: int = 0
    """A signal that has expired stands for so long; the contract asks for none."""
    tolerance: Tolerance = field(default_factory=Tolerance)
    """Skew of the writer's clock, and the longest time without a new signal."""
    max_gross: float = 3.0
    """A signal whose legs add up to more than this multiple of equity is not believed."""
    require_control: bool = True
    """Whether a control file must be there: without the operator's word nothing is held."""
    symbols: frozenset[str] | None = None
    """Symbols that a signal may name; none: any. One that names another could be carried out in part only."""


@dataclass(frozen=True)
class ReadState:
    """What is remembered from one look at the files to the next; times are monotonic ms."""

    seen: Seen = field(default_factory=Seen)
    """Newest signal by number."""
    control_seq: int = -1
    """Newest control by number."""
    killed: bool = False
    """Whether the operator's kill stands: a control with a higher number alone lifts it."""
    good: Signal | None = None
    """Last signal that was fresh; none after a kill or a pause, and at the start."""
    ordered: bool = False
    """Whether anything was understood since the start: what is held then is no longer left alone."""
    wrong_since: int | None = None
    """Since when the files have been wrong."""

    def to_json(self) -> JsonObject:
        """Return what must survive a restart as plain JSON; ages start anew, since clocks may."""
        return {"seen": asdict(self.seen), "control_seq": self.control_seq, "killed": self.killed}

    @classmethod
    def from_json(cls, tree: Mapping[str, Json], now: int) -> Self:
        """Return what :meth:`to_json` wrote, for a monotonic clock that stands at ``now``."""
        return cls(Seen(**{**tree["seen"], "since": now}), int(tree["control_seq"]), bool(tree["killed"]))


@dataclass(frozen=True)
class Intent:
    """What to aim for."""

    mode: Literal["follow", "wait", "flat"]
    """``wait``: nothing has been heard yet, so what is held stays for the hold time."""
    reason: str
    """``ok``, or what is wrong."""
    signal: Signal | None = None
    """The signal to follow."""
    legs: tuple[Leg, ...] = field(default=())
    """Its targets; none where everything shall be flat."""


def look(
    folder_files: tuple[Path, Path], key: bytes | None, read_state: ReadState, clocks: Clocks, patience: Patience
) -> tuple[ReadState, Intent]:
    """Read signal and control and return what they come to.

    Parameters
    ----------
    folder_files : tuple of Path
        ``signal.json`` and ``control.json``.
    key : bytes or None
        The key that seals them.
    read_state : ReadState
        What the last look returned; ``ReadState()`` at the start.
    clocks : Clocks
        Now.
    patience : Patience
        Settings.

    Returns
    -------
    read_state : ReadState
        For the next look.
    intent : Intent
        What to aim for.
    """
    signal, control = _read(folder_files[0], Signal, key), _read(folder_files[1], Control, key)
    return judge(signal, control, read_state, clocks, patience)


def judge(
    signal: Signal | PerpfutError,
    control: Control | PerpfutError,
    read_state: ReadState,
    clocks: Clocks,
    patience: Patience,
) -> tuple[ReadState, Intent]:
    """Return what a signal and a control come to; the pure part of :func:`look`."""
    read_state, order = _ordered(control, read_state, patience)
    read_state, freshness = _verdict(signal, read_state, clocks, patience)
    killed = isinstance(signal, Signal) and freshness == Freshness.FRESH and signal.kill
    if order == "kill" or killed or order == "pause":
        flat = Intent("flat", "paused" if order == "pause" and not killed else "killed")
        return replace(read_state, good=None, ordered=True, wrong_since=None), flat
    wrong = freshness if freshness != Freshness.FRESH else order
    if wrong == "run":
        assert isinstance(signal, Signal)
        read_state = replace(read_state, good=signal, ordered=True, wrong_since=None)
        return read_state, _following(signal, "ok")
    since = clocks.monotonic if read_state.wrong_since is None else read_state.wrong_since
    read_state = replace(read_state, wrong_since=since)
    return read_state, _bearing(read_state, wrong, clocks, patience)


def _bearing(read_state: ReadState, wrong: str, clocks: Clocks, patience: Patience) -> Intent:
    """Return what to do while something is wrong."""
    assert read_state.wrong_since is not None
    hold = patience.expiry_hold_ms if wrong == Freshness.EXPIRED else patience.hold_ms
    if clocks.monotonic - read_state.wrong_since >= hold or (read_state.good is None and read_state.ordered):
        return Intent("flat", wrong)
    if read_state.good is None:
        return Intent("wait", wrong)
    if clocks.wall >= read_state.good.expires_at + patience.expiry_hold_ms:
        return Intent("flat", Freshness.EXPIRED.value)
    return _following(read_state.good, wrong)


def _following(signal: Signal, reason: str) -> Intent:
    return Intent("follow", reason, signal, signal.legs)


def _ordered(control: Control | PerpfutError, read_state: ReadState, patience: Patience) -> tuple[ReadState, str]:
    """Return the operator's order: ``run``, ``pause``, ``kill``, or what is wrong with it."""
    if isinstance(control, PerpfutError):
        unheard = "control_unreadable" if patience.require_control else "run"
        return read_state, "kill" if read_state.killed else unheard
    newest = read_state.control_seq
    killed = control.kill or (read_state.killed and control.seq <= newest)
    read_state = replace(read_state, control_seq=max(newest, control.seq), killed=killed)
    if killed:
        return read_state, "kill"
    if control.seq < newest:
        return read_state, "control_replayed"
    return read_state, "pause" if control.pause else "run"


def _verdict(
    signal: Signal | PerpfutError, read_state: ReadState, clocks: Clocks, patience: Patience
) -> tuple[ReadState, str]:
    """Return ``fresh``, or what is wrong with the signal."""
    if isinstance(signal, PerpfutError):
        return read_state, "unreadable" if isinstance(signal, ArtifactError) else "missing"
    if sum(abs(leg.weight) for leg in signal.legs) > patience.max_gross:
        return read_state, "too_large"
    if patience.symbols is not None and any(leg.symbol not in patience.symbols for leg in signal.legs):
        return read_state, "unlisted"
    freshness, seen = assess(signal, signal.expires_at, read_state.seen, clocks, patience.tolerance)
    return replace(read_state, seen=seen), freshness.value


def _read(path: Path, model: type[D], key: bytes | None) -> D | PerpfutError:
    try:
        return read_document(path, model, key)
    except PerpfutError as error:
        return error
