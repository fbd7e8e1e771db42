"""What rules without training earn before costs on recorded minutes, from the published cost frontier.

Their thresholds were chosen on other periods. The best of many looks good by chance, so an edge is reported twice: with
its own 95 % interval, and with one that is widened for the number of rules (Bonferroni).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Final

from perpfut_lib.frontier import CHOSEN, Row, frontier_rows
from perpfut_lib.report.frontier import published_frontier

MINUTE: Final = 1
TAIL: Final = 0.025


@dataclass(frozen=True)
class RuleEdges:
    """The edges of all rules at one delay of their fills, basis points per side."""

    rules: int
    days: float
    shown: int
    """Rules whose interval lies above the cost."""
    counted: int
    """The same with intervals that are widened for the number of rules."""
    best: tuple[float, float, float]
    """Estimate and interval of the rule with the largest estimate."""


def rule_edges(delay: int, cost: float = 0.0, rows: Iterable[Row] | None = None) -> RuleEdges | None:
    """Return how many rules earn more than a cost (bps per side), filled so many bars after the next open.

    None where no frontier of recorded minutes is published.
    """
    chosen = [row for row in (_rows() if rows is None else rows) if row.rule == CHOSEN and row.delay == delay]
    own = [row for row in chosen if row.bar == MINUTE and not row.simulated]
    if not own:
        return None
    edges = [row.break_even for row in own]
    wider = NormalDist().inv_cdf(1.0 - TAIL / len(own)) / NormalDist().inv_cdf(1.0 - TAIL)
    best = max(edges, key=lambda edge: edge.estimate)
    return RuleEdges(
        rules=len(own),
        days=max(row.days for row in own),
        shown=sum(edge.lower > cost for edge in edges),
        counted=sum(edge.estimate - wider * (edge.estimate - edge.lower) > cost for edge in edges),
        best=(best.estimate, best.lower, best.upper),
    )


@lru_cache(maxsize=1)
def _rows() -> tuple[Row, ...]:
    """Return the rows of the published frontier; it has some ten thousand cells, so they are made once."""
    periods = published_frontier()
    minutes = {name: one for name, one in periods.items() if one["bar"] == MINUTE and not one["simulated"]}
    return tuple(frontier_rows(minutes))
