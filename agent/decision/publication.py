"""The end of a tick: one commit, then publication that may be repeated.

The memory's file holds the signal; replacing it is the moment at which the tick has happened. ``signal.json`` and the
log of signals follow from it, and are brought up to date by the next reader that finds them behind.
"""

import json
import logging
import os
from pathlib import Path
from typing import BinaryIO

from agent.decision.context import TickContext
from agent.state.memory import Memory, save
from perpfut_lib.artifacts import Signal
from perpfut_lib.errors import PerpfutError

log = logging.getLogger(__name__)

MAX_LOG_BYTES = 20 * 2**20
OLDER_LOGS = 2
LONGEST_LINE = 2**17
"""Bytes from the end of the log of signals in which its last line begins."""


def commit(context: TickContext, memory: Memory) -> None:
    """Make a tick happen: replace the memory, then publish its signal."""
    save(context.folder.memory, memory)
    context.remember(memory)
    publish(context, new=True)


def publish(context: TickContext, *, new: bool = False) -> None:
    """Bring ``signal.json`` and the log of signals up to the committed memory; a signal that ran out stays away.

    Parameters
    ----------
    context : TickContext
        Folder, memory, clock.
    new : bool
        The signal has just been committed: nobody can have published it, so nothing need be read back.
    """
    signal = context.memory.signal
    if signal is None:
        return
    if context.clock.wall() < signal.expires_at and (new or _published(context) != signal.seq):
        context.folder.write(signal)
        log.info("signal", extra=summary(signal))
    if (new and context.logged) or last_logged(context.folder.decisions) < signal.seq:
        _append(context.folder.decisions, signal)
        context.logged = True


def summary(signal: Signal) -> dict[str, object]:
    """Return a signal as the log describes it."""
    status = {report.pair: report.status for report in signal.pairs}
    gross = round(sum(abs(leg.weight) for leg in signal.legs), 6)
    reasons = [reason.value for reason in signal.reasons]
    return {
        "seq": signal.seq,
        "bar_close": signal.bar_close,
        "gross": gross,
        "reasons": reasons,
        "pairs": status,
        "kill": signal.kill,
    }


def last_logged(path: Path) -> int:
    """Return the sequence number of the last whole line of the log of signals, -1 if there is none."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - LONGEST_LINE))
            lines = stream.read().splitlines(keepends=True)
    except FileNotFoundError:
        return -1
    for line in reversed(lines):
        try:
            return int(json.loads(line)["seq"]) if line.endswith(b"\n") else -1
        except (ValueError, KeyError, TypeError):
            continue
    return -1


def _published(context: TickContext) -> int:
    try:
        return context.folder.read(Signal).seq
    except PerpfutError:
        return -1


def _append(path: Path, signal: Signal) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
        _rotate(path)
    line = json.dumps(signal.model_dump(mode="json"), separators=(",", ":"), allow_nan=False) + "\n"
    with path.open("a+b") as stream:
        _cut_torn_line(stream)
        stream.write(line.encode())


def _cut_torn_line(stream: BinaryIO) -> None:
    """Cut off what a kill or a full disk left of a line; the memory holds the signal."""
    end = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, end - 1))
    if stream.read() in (b"", b"\n"):
        return
    start = stream.seek(max(0, end - LONGEST_LINE))
    stream.truncate(start + stream.read().rfind(b"\n") + 1)


def _rotate(path: Path) -> None:
    for number in range(OLDER_LOGS, 0, -1):
        source = path if number == 1 else path.with_suffix(f".{number - 1}.jsonl")
        if source.exists():
            os.replace(source, path.with_suffix(f".{number}.jsonl"))
