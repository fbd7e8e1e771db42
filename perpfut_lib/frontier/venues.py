"""One coin's perpetual on two venues as a pair: prices and funding of both, the carry rule, and what it came to."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from perpfut_lib.accounting import STILL, Ledger, Sizing
from perpfut_lib.acquire.listings import match_names
from perpfut_lib.config import Profile
from perpfut_lib.env import Episodes
from perpfut_lib.env.stage import cut_market
from perpfut_lib.errors import SchemaError
from perpfut_lib.features.settlement import settlements
from perpfut_lib.frontier.execution import units_of
from perpfut_lib.statistics import DAYS_PER_YEAR
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import DAY_MS, MINUTE_MS, Float1D, Float2D, Float3D, Float32, Int1D

Pairs = tuple[tuple[str, str], ...]
"""Symbols of one coin on the first venue and on the second."""
ADVANTAGE: Final = "advantage"
KEEPING: Final = Sizing(band=STILL)
"""Of a policy that reads what is held and answers with it."""
LEAST_HELD: Final = 0.01
"""Exposure below which nothing is held: a position is closed to the edge of the band, not to zero."""


class Days(NamedTuple):
    """What a rule earned and traded on each of D days, as shares of the capital; every coin has an equal part of it."""

    price: Float1D
    """Price P&L: one venue's price moving towards the other's, (D,)."""
    funding: Float1D
    """Funding received, (D,)."""
    traded: Float2D
    """Notional traded on each venue, (D, 2)."""


@dataclass(frozen=True)
class CarryRule:
    """Hold the side that collected more funding while the difference exceeds a threshold.

    It sees one feature, the difference in thresholds: in beyond one, out below ``exit``. What is held stays as it is,
    in units, until then; only an exposure that prices have carried beyond one is brought back to it.
    """

    exit: float = 0.5
    sizing: Sizing = KEEPING

    def act(self, observation: Float32) -> Float1D:
        """Return the exposure for each row: positive is long on the first venue and short on the second."""
        advantage = observation[:, -4].astype(np.float64)
        held = observation[:, -3].astype(np.float64) - observation[:, -2]
        side = np.where(np.abs(held) > LEAST_HELD, np.sign(held), 0.0)
        stays = (side != 0.0) & (side * advantage > self.exit)
        wanted = np.where(np.abs(advantage) > 1.0, np.sign(advantage), np.where(stays, side, 0.0))
        return np.where(wanted == side, np.clip(held, -1.0, 1.0), wanted)


def joined_panel(first: Panel, second: Panel) -> tuple[Panel, Pairs]:
    """Return both venues' candles on one panel, and the coins that both have.

    Raises
    ------
    SchemaError
        The panels have other bars, a symbol is on both, or no coin is.
    """
    if not np.array_equal(first.open_time, second.open_time) or set(first.symbols) & set(second.symbols):
        found = f"panels of {len(first.open_time)} and {len(second.open_time)} bars"
        raise SchemaError(found, "the same bars, and names of each venue's own", "set data.start and data.end alike")
    coins = match_names(second.symbols, first.symbols)
    if not coins:
        raise SchemaError("no coin on both venues", "one at least", "check data.files of both profiles")
    order = np.argsort([*first.symbols, *second.symbols])
    names = np.array([*first.symbols, *second.symbols])[order].tolist()
    fields = ("open", "high", "low", "close", "volume", "filled")
    parts = {name: np.concatenate([getattr(one, name) for one in (first, second)], axis=1)[:, order] for name in fields}
    funding = {**first.funding, **second.funding}
    panel = Panel(first.open_time, tuple(names), first.timeframe, funding=funding, **parts)
    return panel, tuple(sorted(coins.items()))


def funding_advantage(panel: Panel, pairs: Pairs, times: Int1D, days: int) -> Float2D:
    r"""Return what a long on the first venue and a short on the second were paid for funding lately, per year, (E, L).

    .. math:: d_t = \frac{365}{N} \sum_{t - N < \tau \le t} (f^{(2)}_\tau - f^{(1)}_\tau)

    Parameters
    ----------
    panel : Panel
        For its settlements; one that is missing counts as zero.
    pairs : tuple
        Symbols (first venue, second venue).
    times : ndarray of int64, (L,)
        Times of the decisions, ms UTC: a settlement at such a time is known.
    days : int
        N.
    """

    def collected(symbol: str) -> Float1D:
        stamps, rates = settlements(panel.funding.get(symbol))
        due = (stamps + MINUTE_MS // 2) // MINUTE_MS * MINUTE_MS
        total = np.concatenate([[0.0], np.cumsum(rates)])
        ends = (np.searchsorted(due, moment, side="right") for moment in (times, times - days * DAY_MS))
        after, before = (total[end] for end in ends)
        difference: Float1D = after - before
        return difference

    return DAYS_PER_YEAR / days * np.array([collected(second) - collected(first) for first, second in pairs])


def venue_episodes(panel: Panel, pairs: Pairs, span: tuple[int, int], advantage: Float2D, profile: Profile) -> Episodes:
    """Return one episode per coin, long notional on one venue equal to the short on the other.

    Parameters
    ----------
    panel, pairs
        From :func:`joined_panel`.
    span : tuple of int
        First decision and flattening, ms UTC.
    advantage : ndarray, (E, L)
        What :class:`CarryRule` sees, in thresholds.
    profile : Profile
        Fills, halts and funding.
    """
    legs = pd.DataFrame(pairs, columns=["y", "x"]).assign(start=span[0], end=span[1], beta=1.0)
    market, times = cut_market(panel, legs, profile)
    features = np.ascontiguousarray(advantage[:, :, None], np.float32)
    return Episodes(legs, features, market, times, np.ones(len(pairs)), (ADVANTAGE,), 1)


def traded_by_leg(book: Ledger, fills: Float3D) -> Float3D:
    """Return the notional traded in each leg and step, the flattening in the last one, (E, L, 2)."""
    held = units_of(book, fills)
    before = np.concatenate([np.zeros_like(held[:, :1]), held[:, :-1]], axis=1)
    traded: Float3D = np.abs(held - before) * fills[:, :-1]
    traded[:, -1] += np.abs(held[:, -1]) * fills[:, -1]
    return traded


def by_day(book: Ledger, episodes: Episodes) -> Days:
    """Return what all coins together came to on each day; a step belongs to the day in which it ends."""
    coins, times = len(episodes), episodes.fill_times[0]
    day = (times[1:] - 1) // DAY_MS - times[0] // DAY_MS

    def total(flow: Float2D) -> Float1D:
        return np.bincount(day, weights=flow.sum(axis=0)).astype(np.float64) / coins

    traded = traded_by_leg(book, episodes.fills)
    legs = np.stack([total(traded[:, :, leg]) for leg in range(2)], axis=1)
    return Days(total(book.price), total(book.funding), legs)
