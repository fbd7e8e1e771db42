"""One step of the two-leg ledger, jitted: what a decision earns and costs until the next fill."""

from typing import NamedTuple

import numpy as np
from numba import njit

BPS = 1e-4


class Costs(NamedTuple):
    """What a unit of traded notional costs, per side."""

    fee: float
    """Exchange fee, fraction of traded notional."""
    slippage: float
    """Slippage that does not depend on size, fraction of traded notional."""


class Holding(NamedTuple):
    """What one pair holds just before a fill."""

    quantity_y: float
    """Signed units of leg y."""
    quantity_x: float
    """Signed units of leg x."""
    equity: float
    """Equity marked at the prices of the coming fill, before its costs."""


class StepPrices(NamedTuple):
    """What the market does around one decision; only the accountant sees it whole."""

    mark_y: float
    """Last price of leg y known at the decision: orders are sized with it."""
    mark_x: float
    """Same for leg x."""
    fill_y: float
    """Price at which leg y trades."""
    fill_x: float
    """Same for leg x."""
    next_y: float
    """Fill price of leg y at the next decision (or at the flattening)."""
    next_x: float
    """Same for leg x."""
    funding_y: float
    """Funding that one long unit of leg y pays over (this fill, next fill], quote currency."""
    funding_x: float
    """Same for leg x."""
    impact_y: float
    """Market impact of leg y: slippage fraction per square root of traded notional (see :func:`trade_cost`)."""
    impact_x: float
    """Same for leg x."""


class Flow(NamedTuple):
    """Where the change in equity of one step came from; equity units, costs positive."""

    price: float
    """Price P&L of the position held after the fill."""
    funding: float
    """Funding received (negative: paid)."""
    fees: float
    """Fees paid."""
    slippage: float
    """Slippage paid."""
    turnover: float
    """Traded notional of both legs as a share of equity."""


@njit(cache=True)
def held_weights(holding: Holding, prices: StepPrices) -> tuple[float, float, float]:
    """Return the weights of the position held before a decision and its equity, all at the decision's marks.

    Nothing here depends on the coming fill: equity at the marks is the cash beside the position plus the position at
    the marks. A ruined pair (equity not above zero) holds nothing.
    """
    value_y = holding.quantity_y * prices.mark_y
    value_x = holding.quantity_x * prices.mark_x
    cash = holding.equity - holding.quantity_y * prices.fill_y - holding.quantity_x * prices.fill_x
    equity = cash + value_y + value_x
    if equity <= 0.0:
        return 0.0, 0.0, 0.0
    return value_y / equity, value_x / equity, equity


@njit(cache=True)
def trade_cost(notional: float, impact: float, costs: Costs) -> tuple[float, float]:
    """Return fees and slippage of trading ``notional`` (not negative) in one leg."""
    return costs.fee * notional, (costs.slippage + impact * np.sqrt(notional)) * notional


@njit(cache=True)
def settle_step(
    holding: Holding, weight_y: float, weight_x: float, prices: StepPrices, costs: Costs
) -> tuple[Holding, Flow]:
    """Trade to target weights, hold to the next fill, and account for it.

    Parameters
    ----------
    holding : Holding
        Position and equity just before the fill.
    weight_y, weight_x : float
        Target weights: signed shares of the pair's equity, sized at the decision's marks.
    prices : StepPrices
        The step's market.
    costs : Costs
        Fee and slippage.

    Returns
    -------
    holding : Holding
        Position and equity just before the next fill.
    flow : Flow
        What changed equity: ``price + funding - fees - slippage`` is its change.
    """
    _, _, sizing = held_weights(holding, prices)
    quantity_y = weight_y * sizing / prices.mark_y
    quantity_x = weight_x * sizing / prices.mark_x
    traded_y = abs(quantity_y - holding.quantity_y) * prices.fill_y
    traded_x = abs(quantity_x - holding.quantity_x) * prices.fill_x
    fee_y, slip_y = trade_cost(traded_y, prices.impact_y, costs)
    fee_x, slip_x = trade_cost(traded_x, prices.impact_x, costs)
    price = quantity_y * (prices.next_y - prices.fill_y) + quantity_x * (prices.next_x - prices.fill_x)
    funding = -(quantity_y * prices.funding_y + quantity_x * prices.funding_x)
    fees, slippage = fee_y + fee_x, slip_y + slip_x
    turnover = (traded_y + traded_x) / holding.equity if holding.equity > 0.0 else 0.0
    equity = holding.equity + price + funding - fees - slippage
    return Holding(quantity_y, quantity_x, equity), Flow(price, funding, fees, slippage, turnover)


@njit(cache=True)
def flatten_step(holding: Holding, prices: StepPrices, costs: Costs) -> tuple[Holding, Flow]:
    """Sell whatever is held at the *next* fill prices of the last step (``impact_*`` are those of that fill)."""
    traded_y = abs(holding.quantity_y) * prices.next_y
    traded_x = abs(holding.quantity_x) * prices.next_x
    fee_y, slip_y = trade_cost(traded_y, prices.impact_y, costs)
    fee_x, slip_x = trade_cost(traded_x, prices.impact_x, costs)
    fees, slippage = fee_y + fee_x, slip_y + slip_x
    turnover = (traded_y + traded_x) / holding.equity if holding.equity > 0.0 else 0.0
    equity = holding.equity - fees - slippage
    return Holding(0.0, 0.0, equity), Flow(0.0, 0.0, fees, slippage, turnover)
