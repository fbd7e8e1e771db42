"""Request weight per address and window, answered as Binance answers: 429 beyond the limit, 418 for those who go on."""

from dataclasses import dataclass, field

from perpfut_lib.venue.errors import WireError

TEN_SECONDS = 10.0
MINUTE = 60.0


@dataclass
class _Usage:
    window: int = -1
    weight: int = 0
    refused: int = 0
    banned_until: float = 0.0


@dataclass
class WeightLimiter:
    """Counts weight in fixed windows of real time; every address has its own count."""

    limit: int
    window: float
    """Seconds."""
    ban_after: int
    ban_seconds: float
    usage: dict[str, _Usage] = field(default_factory=dict)
    total: int = 0
    """Weight granted since the start, all addresses together."""

    def charge(self, address: str, weight: int, now: float) -> int:
        """Charge ``weight`` to ``address`` at ``now`` (Unix seconds) and return what it has used in this window.

        Raises
        ------
        WireError
            429 while the window's limit is used up, 418 during a ban; both say when to come back.
        """
        usage = self.usage.setdefault(address, _Usage())
        if now < usage.banned_until:
            raise _ban(address, usage.banned_until, now)
        current = int(now // self.window)
        if usage.window != current:
            usage.window, usage.weight, usage.refused = current, 0, 0
        if usage.weight + weight > self.limit:
            usage.refused += 1
            if usage.refused > self.ban_after:
                usage.banned_until = now + self.ban_seconds
                raise _ban(address, usage.banned_until, now)
            raise self._refusal(address, now)
        usage.weight += weight
        self.total += weight
        return usage.weight

    def used(self, address: str) -> int:
        """Return the weight that an address has used in its latest window."""
        return self.usage.get(address, _Usage()).weight

    def reset(self) -> None:
        """Forget all counts and bans."""
        self.usage.clear()

    def _refusal(self, address: str, now: float) -> WireError:
        wait = int(self.window - now % self.window) + 1
        text = (
            f"Too many requests; current limit of IP({address}) is {self.limit} requests per minute. "
            "Please use the websocket for live updates to avoid polling the API."
        )
        return WireError(429, -1003, text, retry_after=wait)


@dataclass
class OrderLimiter:
    """Counts new orders of the account in two windows of real time, ten seconds and a minute."""

    most: dict[float, int]
    """Orders allowed by length of the window in seconds."""
    counts: dict[float, tuple[int, int]] = field(default_factory=dict)
    """By length of the window: its number and the orders in it."""

    def charge(self, now: float) -> None:
        """Count an order at ``now`` (Unix seconds).

        Raises
        ------
        WireError
            429 with code -1015 while a window is full; the order is not counted then.
        """
        current = {length: (int(now // length), self._count(length, now) + 1) for length in self.most}
        for length, most in self.most.items():
            if current[length][1] > most:
                name = "TEN_SECONDS" if length == TEN_SECONDS else "MINUTE"
                text = f"Too many new orders; current limit is {most} orders per {name}."
                raise WireError(429, -1015, text, retry_after=int(length - now % length) + 1)
        self.counts = current

    def headers(self, now: float) -> dict[str, str]:
        """Return the headers that tell a client its counts."""
        names = {length: "10S" if length == TEN_SECONDS else "1M" for length in self.most}
        return {f"X-MBX-ORDER-COUNT-{names[length]}": str(self._count(length, now)) for length in self.most}

    def _count(self, length: float, now: float) -> int:
        window, count = self.counts.get(length, (-1, 0))
        return count if window == int(now // length) else 0


def _ban(address: str, until: float, now: float) -> WireError:
    text = (
        f"Way too many requests; IP({address}) banned until {int(until * 1000)}. "
        "Please use the websocket for live updates to avoid bans."
    )
    return WireError(418, -1003, text, retry_after=int(until - now) + 1)
