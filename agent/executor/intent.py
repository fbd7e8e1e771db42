"""What the executor shall do: follow the last good signal, or be flat, by signal, control and three kinds of age.

The agent's words are taken only while they are whole, in order and young. A file that is missing, torn, forged, old or
repeated lets the last good signal stand for a hold time, never beyond that signal's own end; then everything is flat.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from perpfut_lib.artifacts import Clocks, Control, Seen, Signal, Tolerance, Verdict, assess, read_document
from perpfut_lib.artifacts.contract import Leg
from perpfut_lib.errors import ArtifactError, PerpfutError

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


@dataclass(frozen=True)
class Heard:
    """What is remembered from one look at the files to the next; times are monotonic ms."""

    seen: Seen = field(default_factory=Seen)
    """Newest signal by number."""
    control_seq: int = -1
    """Newest control by number."""
    good: Signal | None = None
    """Last signal that was fresh; none after a kill or a pause, and at the start."""
    ordered: bool = False
    """Whether anything was understood since the start: what is held then is no longer left alone."""
    wrong_since: int | None = None
    """Since when the files have been wrong."""

    def to_json(self) -> dict[str, Any]:
        """Return what must survive a restart as plain JSON; ages start anew, since clocks may."""
        return {"seen": asdict(self.seen), "control_seq": self.control_seq}

    @classmethod
    def from_json(cls, tree: Mapping[str, Any], now: int) -> Self:
        """Return what :meth:`to_json` wrote, for a monotonic clock that stands at ``now``."""
        return cls(Seen(**{**tree["seen"], "since": now}), tree["control_seq"])


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
    folder_files: tuple[Path, Path], key: bytes | None, heard: Heard, clocks: Clocks, patience: Patience
) -> tuple[Heard, Intent]:
    """Read signal and control and return what they come to.

    Parameters
    ----------
    folder_files : tuple of Path
        ``signal.json`` and ``control.json``.
    key : bytes or None
        The key that seals them.
    heard : Heard
        What the last look returned; ``Heard()`` at the start.
    clocks : Clocks
        Now.
    patience : Patience
        Settings.

    Returns
    -------
    heard : Heard
        For the next look.
    intent : Intent
        What to aim for.
    """
    signal, control = _read(folder_files[0], Signal, key), _read(folder_files[1], Control, key)
    return judge(signal, control, heard, clocks, patience)


def judge(
    signal: Signal | PerpfutError,
    control: Control | PerpfutError,
    heard: Heard,
    clocks: Clocks,
    patience: Patience,
) -> tuple[Heard, Intent]:
    """Return what a signal and a control come to; the pure part of :func:`look`."""
    heard, order = _ordered(control, heard, patience)
    heard, verdict = _verdict(signal, heard, clocks, patience)
    killed = isinstance(signal, Signal) and verdict == Verdict.FRESH and signal.kill
    if order == "kill" or killed or order == "pause":
        flat = Intent("flat", "paused" if order == "pause" and not killed else "killed")
        return replace(heard, good=None, ordered=True, wrong_since=None), flat
    wrong = verdict if verdict != Verdict.FRESH else order
    if wrong == "run":
        assert isinstance(signal, Signal)
        heard = replace(heard, good=signal, ordered=True, wrong_since=None)
        return heard, _following(signal, "ok")
    since = clocks.monotonic if heard.wrong_since is None else heard.wrong_since
    heard = replace(heard, wrong_since=since)
    return heard, _bearing(heard, wrong, clocks, patience)


def _bearing(heard: Heard, wrong: str, clocks: Clocks, patience: Patience) -> Intent:
    """Return what to do while something is wrong."""
    assert heard.wrong_since is not None
    hold = patience.expiry_hold_ms if wrong == Verdict.EXPIRED else patience.hold_ms
    if clocks.monotonic - heard.wrong_since >= hold or (heard.good is None and heard.ordered):
        return Intent("flat", wrong)
    if heard.good is None:
        return Intent("wait", wrong)
    if clocks.wall >= heard.good.expires_at + patience.expiry_hold_ms:
        return Intent("flat", Verdict.EXPIRED.value)
    return _following(heard.good, wrong)


def _following(signal: Signal, reason: str) -> Intent:
    return Intent("follow", reason, signal, signal.legs)


def _ordered(control: Control | PerpfutError, heard: Heard, patience: Patience) -> tuple[Heard, str]:
    """Return the operator's order: ``run``, ``pause``, ``kill``, or what is wrong with it."""
    if isinstance(control, PerpfutError):
        return heard, "control_unreadable" if patience.require_control else "run"
    if control.kill:
        return heard, "kill"
    if control.seq < heard.control_seq:
        return heard, "control_replayed"
    return replace(heard, control_seq=control.seq), "pause" if control.pause else "run"


def _verdict(signal: Signal | PerpfutError, heard: Heard, clocks: Clocks, patience: Patience) -> tuple[Heard, str]:
    """Return ``fresh``, or what is wrong with the signal."""
    if isinstance(signal, PerpfutError):
        return heard, "unreadable" if isinstance(signal, ArtifactError) else "missing"
    if sum(abs(leg.weight) for leg in signal.legs) > patience.max_gross:
        return heard, "too_large"
    verdict, seen = assess(signal, signal.expires_at, heard.seen, clocks, patience.tolerance)
    return replace(heard, seen=seen), verdict.value


def _read(path: Path, model: type[D], key: bytes | None) -> D | PerpfutError:
    try:
        return read_document(path, model, key)
    except PerpfutError as error:
        return error
