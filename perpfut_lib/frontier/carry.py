"""Funding carry between two venues, its thresholds chosen on earlier days only."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Final, NamedTuple

import numpy as np

from perpfut_lib.accounting import BPS, Costs
from perpfut_lib.config import Profile, format_time
from perpfut_lib.errors import SplitError
from perpfut_lib.evaluate.measure import holding_bars
from perpfut_lib.evaluate.rollout import Rollout, rollout
from perpfut_lib.frontier.sums import brief
from perpfut_lib.frontier.venues import CarryRule, Days, Pairs, by_day, funding_advantage, traded_by_leg, venue_episodes
from perpfut_lib.progress import track
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import DAY_MS, Float1D, Float2D, Int1D, JsonObject

LOOKBACKS: Final = (1, 3, 7, 14)
"""Days over which the funding of both venues is compared."""
THRESHOLDS: Final = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Difference of funding, fraction of notional per year, beyond which a position is opened. All were fixed before any
result was looked at, as were the lengths below."""
FIRST_DAYS: Final = 56
"""Days that only choose."""
BLOCK_DAYS: Final = 28
"""Days from one choice to the next."""
FREE: Final = Costs(0.0, 0.0)

Candidate = tuple[int, float]
"""Look-back in days and threshold."""


class Fees(NamedTuple):
    """Fee per side on each venue, basis points of traded notional."""

    first: float
    second: float


class Ground(NamedTuple):
    """What every run of the rule shares."""

    panel: Panel
    pairs: Pairs
    profile: Profile
    times: Int1D
    """Times of the decisions, (L,), ms UTC."""
    end: int
    """When everything is flattened, ms UTC."""
    advantages: dict[int, Float2D]
    """By look-back, (E, L)."""


def study_carry(panel: Panel, pairs: Pairs, profile: Profile, regimes: Sequence[Fees]) -> JsonObject:
    """Return what the rule earns when, block by block, look-back and threshold are those that earned most before.

    Where none of them earned anything on earlier days, the rule stays out.

    Parameters
    ----------
    panel, pairs
        From :func:`perpfut_lib.frontier.venues.joined_panel`.
    profile : Profile
        Fills (``env.latency``), halts and funding.
    regimes : sequence of Fees
        Fees to choose and to pay by.

    Returns
    -------
    dict
        ``start``, ``end`` (ISO dates of the days tested on), ``days``, ``chosen_from`` (first day that chooses),
        ``coins``, ``latency``, ``lookbacks`` and ``thresholds`` that were tried, and ``rows``: one per regime with
        ``fees_bps``, ``chosen`` (block by block look-back and threshold, or null), per day ``price``, ``funding`` and
        ``traded`` on the first and second venue, all as shares of the capital, ``exposure`` (mean gross position),
        ``holding_days`` and ``by_coin`` (net, of its own capital).

    Raises
    ------
    SplitError
        The panel is too short.
    """
    ground = _ground(panel, pairs, profile)
    first = int(ground.times[0])
    begin = first + FIRST_DAYS * DAY_MS
    days = -(-(ground.end - begin) // DAY_MS)
    if days < 2 * BLOCK_DAYS:
        found = f"{days + FIRST_DAYS} days behind the longest look-back"
        raise SplitError(found, f"{FIRST_DAYS + 2 * BLOCK_DAYS} days or more", "take longer data")
    earned = {candidate: _tried(ground, candidate) for candidate in track(_candidates(), label="carry", unit="rule")}
    return {
        "start": format_time(begin)[:10],
        "end": format_time(ground.end - 1)[:10],
        "days": days,
        "chosen_from": format_time(first)[:10],
        "coins": [symbol for symbol, _ in pairs],
        "latency": profile.env.latency,
        "lookbacks": list(LOOKBACKS),
        "thresholds": list(THRESHOLDS),
        "rows": [_row(ground, begin, fees, earned) for fees in regimes],
    }


def net_of_fees(days: Days, fees: Fees) -> Float1D:
    """Return net P&L per day, (D,): each venue's fee is paid on what was traded there."""
    net: Float1D = days.price + days.funding - days.traded @ (BPS * np.array(fees))
    return net


def choices(earned: dict[Candidate, Days], blocks: Sequence[int], fees: Fees) -> Iterator[Candidate | None]:
    """Yield for each block the candidate with the highest net P&L on the days before it; None if none gained.

    Parameters
    ----------
    earned : dict
        Days of every candidate before fees, all from the same day on.
    blocks : sequence of int
        Number of the day that each block starts with.
    fees : Fees
        Paid by all.
    """
    net = {candidate: net_of_fees(days, fees) for candidate, days in earned.items()}
    for block in blocks:
        best = max(net, key=lambda candidate: float(net[candidate][:block].sum()))
        yield best if net[best][:block].sum() > 0.0 else None


def _candidates() -> list[Candidate]:
    return list(product(LOOKBACKS, THRESHOLDS))


def _ground(panel: Panel, pairs: Pairs, profile: Profile) -> Ground:
    first = int(panel.open_time[0]) + max(LOOKBACKS) * DAY_MS
    end = int(panel.open_time[-1])
    times = panel.open_time[panel.row(first) : panel.row(end)]
    advantages = {days: funding_advantage(panel, pairs, times, days) for days in LOOKBACKS}
    return Ground(panel, pairs, profile, times, end, advantages)


def _tried(ground: Ground, candidate: Candidate) -> Days:
    """Return the days of one candidate over all of the data, before fees."""
    lookback, threshold = candidate
    span = int(ground.times[0]), ground.end
    episodes = venue_episodes(ground.panel, ground.pairs, span, ground.advantages[lookback] / threshold, ground.profile)
    return by_day(rollout(episodes, CarryRule(), FREE).ledger, episodes)


def _row(ground: Ground, begin: int, fees: Fees, earned: dict[Candidate, Days]) -> JsonObject:
    starts = np.arange(begin, ground.end, BLOCK_DAYS * DAY_MS)
    chosen = list(choices(earned, ((starts - ground.times[0]) // DAY_MS).tolist(), fees))
    tested = ground.times >= begin
    block = np.searchsorted(starts, ground.times[tested], side="right") - 1
    seen = np.zeros((len(ground.pairs), len(block)))
    for number, candidate in enumerate(chosen):
        if candidate is not None:
            own = block == number
            seen[:, own] = ground.advantages[candidate[0]][:, tested][:, own] / candidate[1]
    episodes = venue_episodes(ground.panel, ground.pairs, (begin, ground.end), seen, ground.profile)
    # Sizes follow from equity, which pays the mean of both fees; what is charged below is each venue's own.
    done = rollout(episodes, CarryRule(), Costs(BPS * float(np.mean(fees)), 0.0))
    days, traded = by_day(done.ledger, episodes), traded_by_leg(done.ledger, episodes.fills)
    paid = traded.sum(axis=1) @ (BPS * np.array(fees))
    held = holding_bars(done.target) * ground.panel.timeframe / DAY_MS
    return {
        "fees_bps": list(fees),
        "chosen": chosen,
        "price": brief(days.price),
        "funding": brief(days.funding),
        "traded": [brief(days.traded[:, leg]) for leg in range(2)],
        "exposure": _exposure(done),
        "holding_days": held if np.isfinite(held) else None,
        "by_coin": brief((done.ledger.price + done.ledger.funding).sum(axis=1) - paid),
    }


def _exposure(done: Rollout) -> float:
    """Return the mean gross notional held as a share of equity, all coins and hours together."""
    return float(np.abs(done.ledger.weights).sum(axis=2).mean())
