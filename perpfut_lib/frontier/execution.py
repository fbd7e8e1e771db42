"""Execution as a choice: the same sides sent as market orders, or as limit orders that fill only when traded through.

A limit order is placed at the touch when a decision is made: half a price step from the last close, on its own side. It
is filled at its price in the first bar that trades *through* it, by a whole step at least, so that everybody before it
in the queue has been served; a bar that only touches it does not fill it. What is not filled when the next decision is
due goes to the market at the next open. Nothing is known of the book but the bars: adverse selection is in the prices
that follow a fill, not in a parameter.
"""

from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from numba import njit

from perpfut_lib.accounting import Ledger, Market, target_weights
from perpfut_lib.env.impact import LEGS
from perpfut_lib.env.stage import decision_rows, leg_prices
from perpfut_lib.store.halts import carried
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import Bool1D, Float1D, Float2D, Float3D, Int1D

Execution = Literal["taker/taker", "maker/taker", "maker/maker"]
EXECUTIONS: Final[tuple[Execution, ...]] = ("taker/taker", "maker/taker", "maker/maker")
"""First leg, second leg. With maker/taker the second leg goes to the market at the open after the first one's fill."""
THROUGH: Final = 0.99
"""Price steps beyond a limit that a bar must trade: a whole one, to rounding."""
BUYS, SELLS = 0, 1

Float4D = npt.NDArray[np.float64]
Bool4D = npt.NDArray[np.bool_]


class Quotes(NamedTuple):
    """What an order of each decision fills at, (E, L+1, 2 legs, 2): by whether the first leg buys or sells."""

    price: Float4D
    maker: Bool4D
    """Whether a limit order was filled."""
    opposite: Bool1D
    """Whether the legs trade on opposite sides, (E,)."""
    follows: bool
    """Whether the second leg is sent when the first one is filled; otherwise each is sent on its own side at once."""


class Executed(NamedTuple):
    """What sides came to before fees, each (E,), in units of a pair's capital."""

    gross: Float1D
    """P&L, funding included."""
    traded: Float1D
    """Notional, both legs."""
    maker: Float1D
    """Notional that limit orders traded."""


class Bars(NamedTuple):
    """Bars of each episode's legs from the one that opens at its first decision, (E, L+K, 2) each."""

    open: Float3D
    high: Float3D
    low: Float3D
    before: Float3D
    """The close before."""
    step: Float2D
    """Price step of each leg, (E, 2)."""


def price_step(close: Float1D) -> float:
    """Return the smallest difference between two closes: never smaller than the exchange's price step."""
    prices = np.unique(close[np.isfinite(close)])
    steps = np.diff(prices)
    return float(steps[steps > 1e-9 * prices[1:]].min())


def cut_bars(panel: Panel, pair_days: pd.DataFrame, patience: int) -> Bars:
    """Return the bars that orders of ``patience`` bars may meet; behind a window's end its last row is repeated."""
    rows = decision_rows(panel, pair_days)
    wide = np.minimum(rows[:, :1] + np.arange(rows.shape[1] + patience), rows[:, -1:])
    whole = carried(panel)

    def of_legs(prices: Float2D, at: Int1D) -> Float3D:
        return np.stack([leg_prices(prices, whole, pair_days[leg], at) for leg in LEGS], axis=2)

    steps = {symbol: price_step(panel.close[:, panel.column(symbol)]) for symbol in panel.symbols}
    step = np.array([[steps[symbol] for symbol in pair_days[leg]] for leg in LEGS]).T
    high, low = of_legs(whole.high, wide), of_legs(whole.low, wide)
    return Bars(of_legs(whole.open, wide), high, low, of_legs(whole.close, wide - 1), step)


def quotes(bars: Bars, hedge_ratio: Float1D, execution: Execution, patience: int) -> Quotes:
    """Return what orders fill at.

    Parameters
    ----------
    bars : Bars
        From :func:`cut_bars` with the same patience.
    hedge_ratio : ndarray, (E,)
        Its sign says whether the legs trade on opposite sides.
    execution : Execution
        Which legs wait as limit orders.
    patience : int
        Bars that a limit order waits for; afterwards the rest goes to the market.
    """
    count, length, opposite = bars.open.shape[0], bars.open.shape[1] - patience, hedge_ratio >= 0.0
    if execution == "taker/taker":
        price = np.repeat(bars.open[:, :length, :, None], 2, axis=3)
        return Quotes(price, np.zeros(price.shape, np.bool_), opposite, follows=False)
    shape = (count, length, 2, 2)
    price, maker = np.empty(shape), np.zeros(shape, np.bool_)
    for first in (BUYS, SELLS):
        price[:, :, 0, first], waited, maker[:, :, 0, first] = _limit(bars, 0, np.full(count, first), patience)
        if execution == "maker/taker":
            place = np.arange(length) + waited
            price[:, :, 1, first] = np.take_along_axis(bars.open[:, :, 1], place, axis=1)
        else:
            second = np.where(opposite, 1 - first, first)
            price[:, :, 1, first], _, maker[:, :, 1, first] = _limit(bars, 1, second, patience)
    return Quotes(price, maker, opposite, follows=execution == "maker/taker")


def _limit(bars: Bars, leg: int, side: Int1D, patience: int) -> tuple[Float2D, Int1D, npt.NDArray[np.bool_]]:
    """Return price, bars until the open behind the fill, and whether a limit order was filled, (E, L+1) each."""
    length = bars.open.shape[1] - patience
    sign = np.where(side == BUYS, 1.0, -1.0)[:, None]
    step = bars.step[:, leg, None]
    limit = bars.before[:, :length, leg] - sign * 0.5 * step
    price, waited = bars.open[:, patience:, leg].copy(), np.full(limit.shape, patience)
    filled = np.zeros(limit.shape, np.bool_)
    for bar in range(patience):
        ahead = slice(bar, bar + length)
        extreme = np.where(sign > 0.0, bars.low[:, ahead, leg], bars.high[:, ahead, leg])
        now = ~filled & (sign * (limit - extreme) >= THROUGH * step)
        price[now], waited[now] = limit[now], bar + 1
        filled |= now
    return price, waited, filled


def execute(held: Float2D, market: Market, hedge_ratio: Float1D, quoted: Quotes) -> Executed:
    """Return what sides (E, L) come to, flattened at the market behind the last one.

    Units stay as they are until the side changes, when both legs are sized at the marks; capital is not compounded.
    """
    weights = np.stack(target_weights(1.0, hedge_ratio), axis=1)
    wanted = held[..., None] * weights[:, None] / market.marks
    before = np.concatenate([np.zeros((len(held), 1)), held[:, :-1]], axis=1)
    changed = np.maximum.accumulate(np.where(held != before, np.arange(held.shape[1]), 0), axis=1)
    return execute_units(np.take_along_axis(wanted, changed[..., None], axis=1), market, quoted)


def execute_units(units: Float3D, market: Market, quoted: Quotes) -> Executed:
    """Return what positions decided in advance come to, flattened at the market behind the last decision.

    Parameters
    ----------
    units : ndarray, (E, L, 2)
        Signed units of both legs wanted at each decision. Whoever decided believed that they are had at once.
    market : Market
        Funding, and the prices of the flattening.
    quoted : Quotes
        From :func:`quotes`.
    """
    price, maker = quoted.price.copy(), quoted.maker.copy()
    price[:, -1], maker[:, -1] = market.fills[:, -1, :, None], False
    return Executed(*_walk(units, market.funding, price, maker, (quoted.opposite, quoted.follows)))


def units_of(book: Ledger, fills: Float3D) -> Float3D:
    """Return the signed units of both legs that a ledger holds after each fill, (E, L, 2).

    Parameters
    ----------
    book : Ledger
        E episodes of L decisions.
    fills : ndarray, (E, L+1, 2)
        The prices that it was settled at.
    """
    units: Float3D = book.weights * book.equity[:, :-1, None] / fills[:, :-1]
    return units


@njit(cache=True)
def _walk(
    units: Float3D, funding: Float3D, price: Float4D, maker: Bool4D, legs: tuple[Bool1D, bool]
) -> tuple[Float1D, Float1D, Float1D]:
    opposite, follows = legs
    count, length = units.shape[:2]
    gross, traded, waited = np.zeros(count), np.zeros(count), np.zeros(count)
    change, held = np.zeros(2), np.zeros(2)
    for e in range(count):
        held[:] = 0.0
        for t in range(length + 1):
            for leg in range(2):
                change[leg] = (units[e, t, leg] if t < length else 0.0) - held[leg]
            second = BUYS if (change[1] > 0.0) != opposite[e] else SELLS  # where quotes have the second leg's own side
            first = (BUYS if change[0] > 0.0 else SELLS) if change[0] != 0.0 else second
            for leg in range(2):
                if change[leg] != 0.0:
                    side = first if leg == 0 or follows else second
                    gross[e] -= change[leg] * price[e, t, leg, side]
                    notional = abs(change[leg]) * price[e, t, leg, side]
                    traded[e] += notional
                    waited[e] += notional if maker[e, t, leg, side] else 0.0
                    held[leg] = units[e, t, leg] if t < length else 0.0
            if t < length:
                gross[e] -= held[0] * funding[e, t, 0] + held[1] * funding[e, t, 1]
    return gross, traded, waited
