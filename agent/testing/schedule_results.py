"""What schedules of the simulation come to: one by one, and together."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Outcome:
    """What one schedule came to."""

    seed: int
    violations: list[str] = field(default_factory=list)
    ticks: int = 0
    orders: int = 0
    stops: int = 0
    crashes: int = 0
    shocks: dict[str, int] = field(default_factory=dict)
    """What the exchange did by itself to positions and prices, by kind."""
    longest_ms: int = 0
    """Longest time for which a pair was out of proportion while the executor was up."""
    bare_ms: int = 0
    """Longest time for which a position had no stop behind all of it while the executor was up."""
    digest: str = ""
    """Of the audit trail: equal for equal seeds."""


@dataclass(frozen=True)
class Result:
    """Many schedules together."""

    schedules: int
    first_seed: int
    violations: dict[int, list[str]]
    """By seed."""
    ticks: int
    orders: int
    stops: int
    crashes: int
    shocks: dict[str, int]
    longest_unhedged_s: float
    bound_s: float
    longest_bare_s: float
    bare_bound_s: float
    digest: str
    """Of all audit trails."""


def summed(outcomes: Sequence[Outcome], bounds_ms: tuple[int, int]) -> Result:
    """Return what schedules of consecutive seeds come to together, beside the bounds without a hedge and a stop."""
    return Result(
        len(outcomes),
        outcomes[0].seed,
        {one.seed: one.violations for one in outcomes if one.violations},
        sum(one.ticks for one in outcomes),
        sum(one.orders for one in outcomes),
        sum(one.stops for one in outcomes),
        sum(one.crashes for one in outcomes),
        dict(sorted(sum((Counter(one.shocks) for one in outcomes), Counter[str]()).items())),
        max((one.longest_ms for one in outcomes), default=0) / 1_000,
        bounds_ms[0] / 1_000,
        max((one.bare_ms for one in outcomes), default=0) / 1_000,
        bounds_ms[1] / 1_000,
        hashlib.sha256("".join(one.digest for one in outcomes).encode()).hexdigest()[:16],
    )
