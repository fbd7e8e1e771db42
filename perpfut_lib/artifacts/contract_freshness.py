"""Whether a document may still be acted on: by sequence, by wall clock, and by monotonic age.

Each of the three alone can be fooled: a replayed file carries a valid clock window, a stepped wall clock makes an old
file young, and a reader that has just started has no age to compare with.
"""

from dataclasses import dataclass
from enum import StrEnum

from perpfut_lib.artifacts.contract import Document
from perpfut_lib.artifacts.contract_io import content_digest


class Freshness(StrEnum):
    """Fresh, or the one reason why not."""

    FRESH = "fresh"
    REPLAYED = "replayed"
    """Its sequence number is lower than one seen before."""
    REUSED = "reused"
    """Its sequence number was seen with other content."""
    FUTURE = "future"
    """It was written later than now, beyond the allowed skew."""
    EXPIRED = "expired"
    """Its time is over by the wall clock."""
    AGED = "aged"
    """It has been the latest for too long by the monotonic clock."""


@dataclass(frozen=True)
class Clocks:
    """The reader's two clocks at one moment."""

    wall: int
    """Wall clock, ms UTC."""
    monotonic: int
    """Monotonic clock of this machine, ms."""


@dataclass(frozen=True)
class Seen:
    """What a reader remembers of the newest document that it met."""

    seq: int = -1
    """Its sequence number."""
    digest: str = ""
    """SHA-256 of its content."""
    since: int = 0
    """Monotonic clock when it was first met, ms."""


@dataclass(frozen=True)
class Tolerance:
    """What a reader accepts."""

    skew: int = 2_000
    """Largest amount by which the writer's wall clock may run ahead, ms."""
    max_age: int = 180_000
    """Longest time for which one document may stay the newest, ms."""


def assess(
    document: Document, expires_at: int, seen: Seen, clocks: Clocks, tolerance: Tolerance, digest: str | None = None
) -> tuple[Freshness, Seen]:
    """Judge a document that was read and return what to remember.

    Parameters
    ----------
    document : Document
        As read; its form is valid already.
    expires_at : int
        End of its validity by the wall clock, ms UTC.
    seen : Seen
        What the last call returned; ``Seen()`` at the start.
    clocks : Clocks
        Now.
    tolerance : Tolerance
        Skew and age.
    digest : str, optional
        SHA-256 of the document's content, where it is known already.

    Returns
    -------
    freshness : Freshness
        ``FRESH``, or why the document must not be acted on.
    seen : Seen
        Hand it to the next call. A refused sequence number never replaces a newer one.
    """
    digest = digest or content_digest(document)
    if document.seq < seen.seq:
        return Freshness.REPLAYED, seen
    if document.seq == seen.seq and digest != seen.digest:
        return Freshness.REUSED, seen
    if document.created_at > clocks.wall + tolerance.skew:
        return Freshness.FUTURE, seen
    if document.seq > seen.seq:
        seen = Seen(document.seq, digest, clocks.monotonic)
    if clocks.wall >= expires_at:
        return Freshness.EXPIRED, seen
    aged = clocks.monotonic - seen.since >= tolerance.max_age
    return Freshness.AGED if aged else Freshness.FRESH, seen
