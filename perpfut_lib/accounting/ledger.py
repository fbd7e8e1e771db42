"""The two-leg ledger: price P&L, funding, fees and slippage, which sum to the change in equity.

One jitted step, :func:`settle_step`, is what the environment, the evaluation and :func:`settle` (its scan) all run, so
none of them can account differently from the others. Equity is marked at fill times.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from perpfut_lib.accounting.step import Costs, Holding, StepPrices, equity_at, flatten_step, settle_step
from perpfut_lib.errors import SchemaError
from perpfut_lib.types import Float2D, Float3D


class Market(NamedTuple):
    """The arrays behind :class:`StepPrices` for E episodes of L decisions; legs y and x on the last axis."""

    fills: Float3D
    """Price at which decision j trades; row L holds the flattening prices, (E, L+1, 2)."""
    marks: Float3D
    """Last price known at decision j, (E, L, 2)."""
    funding: Float3D
    """Funding that one long unit pays over (t_j, t_j+1], t the fill times, (E, L, 2)."""
    impact: Float3D
    """Market impact coefficient of each fill, (E, L+1, 2); zeros for none."""


@dataclass(frozen=True)
class Ledger:
    """Per-step accounts of E episodes of L decisions; the last step includes the flattening's costs."""

    price: Float2D
    """Price P&L, (E, L)."""
    funding: Float2D
    """Funding received (negative: paid), (E, L)."""
    fees: Float2D
    """Fees paid, (E, L), never negative."""
    slippage: Float2D
    """Slippage paid, (E, L), never negative."""
    equity: Float2D
    """Equity at fill times before costs; column L is after the flattening and its costs, (E, L+1)."""
    weights: Float3D
    """Signed notional of each leg held after fill j as a share of equity, (E, L, 2)."""
    turnover: Float2D
    """Traded notional as a share of equity, drift and flattening included, (E, L)."""

    def returns(self) -> Float2D:
        """Return the net return of each step on equity at its start, (E, L)."""
        returns: Float2D = self.equity[:, 1:] / self.equity[:, :-1] - 1.0
        return returns

    def residual(self) -> float:
        """Return the largest |price + funding - fees - slippage - Δequity|: zero but for rounding."""
        explained = self.price + self.funding - self.fees - self.slippage
        return float(np.abs(explained - np.diff(self.equity, axis=1)).max(initial=0.0))


@njit(cache=True)
def prices_at(market: Market, episode: int, step: int) -> StepPrices:
    """Return the prices of one step of one episode."""
    fills, marks, funding, impact = market.fills, market.marks, market.funding, market.impact
    return StepPrices(
        marks[episode, step, 0],
        marks[episode, step, 1],
        fills[episode, step, 0],
        fills[episode, step, 1],
        fills[episode, step + 1, 0],
        fills[episode, step + 1, 1],
        funding[episode, step, 0],
        funding[episode, step, 1],
        impact[episode, step, 0],
        impact[episode, step, 1],
    )


@njit(cache=True)
def flattening_at(market: Market, episode: int) -> StepPrices:
    """Return the prices of the last step of an episode with the impact of the flattening fill."""
    length = market.marks.shape[1]
    last = prices_at(market, episode, length - 1)
    impact = market.impact
    return StepPrices(
        last.mark_y,
        last.mark_x,
        last.fill_y,
        last.fill_x,
        last.next_y,
        last.next_x,
        last.funding_y,
        last.funding_x,
        impact[episode, length, 0],
        impact[episode, length, 1],
    )


@njit(cache=True)
def _scan(targets: Float3D, market: Market, costs: Costs, initial: float, out: tuple[Float2D, ...]) -> None:
    price, funding, fees, slippage, equity, turnover, weights = out
    episodes, length = targets.shape[0], targets.shape[1]
    for episode in range(episodes):
        holding = Holding(0.0, 0.0, initial)
        equity[episode, 0] = initial
        for step in range(length):
            prices = prices_at(market, episode, step)
            before = equity_at(holding, prices.fill_y, prices.fill_x)
            holding, flow = settle_step(holding, targets[episode, step, 0], targets[episode, step, 1], prices, costs)
            if before > 0.0:
                weights[episode, step, 0] = holding.quantity_y * prices.fill_y / before
                weights[episode, step, 1] = holding.quantity_x * prices.fill_x / before
            price[episode, step], funding[episode, step] = flow.price, flow.funding
            fees[episode, step], slippage[episode, step] = flow.fees, flow.slippage
            turnover[episode, step] = flow.turnover
            equity[episode, step + 1] = equity_at(holding, prices.next_y, prices.next_x)
        holding, flow = flatten_step(holding, flattening_at(market, episode), costs)
        fees[episode, length - 1] += flow.fees
        slippage[episode, length - 1] += flow.slippage
        turnover[episode, length - 1] += flow.turnover
        equity[episode, length] = holding.cash


def settle(weights: Float3D, market: Market, costs: Costs, *, initial_equity: float = 1.0) -> Ledger:
    """Account for target weights decided in advance: the scan of :func:`settle_step`.

    Parameters
    ----------
    weights : ndarray, (E, L, 2)
        Target weights of legs y and x at each decision, signed shares of the pair's equity; no NaN.
    market : Market
        Prices, funding and impact of the same episodes.
    costs : Costs
        Fee and slippage.
    initial_equity : float
        Equity at the start of each episode.

    Returns
    -------
    Ledger
        Flattened and charged at the end of each episode.

    Raises
    ------
    SchemaError
        Shapes do not fit each other.
    """
    episodes, length = weights.shape[:2]
    check_market(market, episodes, length)
    price, funding, fees, slippage, turnover = (np.zeros((episodes, length)) for _ in range(5))
    equity, held = np.empty((episodes, length + 1)), np.zeros(weights.shape)
    out = (price, funding, fees, slippage, equity, turnover, held)
    _scan(np.asarray(weights, np.float64), market, costs, initial_equity, out)
    return Ledger(price, funding, fees, slippage, equity, held, turnover)


def make_market(fills: Float3D, marks: Float3D, funding: Float3D, impact: Float3D | None = None) -> Market:
    """Return a :class:`Market` of contiguous float64 arrays; no ``impact`` means zeros."""
    zeros = np.zeros(np.shape(fills)) if impact is None else impact
    return Market(*(np.ascontiguousarray(array, np.float64) for array in (fills, marks, funding, zeros)))


def check_market(market: Market, episodes: int, length: int) -> None:
    """Raise :class:`SchemaError` unless the arrays hold ``episodes`` episodes of ``length`` decisions."""
    long, short = (episodes, length + 1, 2), (episodes, length, 2)
    wanted = Market(long, short, short, long)  # type: ignore[arg-type]
    for name, array, shape in zip(Market._fields, market, wanted, strict=True):
        if array.shape != shape:
            raise SchemaError(f"{name} of shape {array.shape}", f"shape {shape}", "build the market with make_market")
