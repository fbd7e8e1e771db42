"""One step of the two-leg ledger, jitted: what a decision earns and costs until the next fill."""

from typing import Any, NamedTuple

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
    """What one pair holds; no price is in it, so nothing in it depends on what comes next."""

    quantity_y: float
    """Signed units of leg y."""
    quantity_x: float
    """Signed units of leg x."""
    cash: float
    """Cash beside the legs, quote currency; costs and funding of the past are in it."""


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
def equity_at(holding: Holding, price_y: float, price_x: float) -> float:
    """Return cash plus both legs at these prices."""
    return (holding.cash + holding.quantity_y * price_y) + holding.quantity_x * price_x


@njit(cache=True)
def target_weights(action: Any, hedge_ratio: Any) -> tuple[Any, Any]:
    r"""Return the leg weights of gross ``|action|``; scalars or arrays alike.

    .. math:: w_y = \frac{a}{1+|\beta|}, \qquad w_x = \frac{-a\beta}{1+|\beta|}
    """
    weight_y = action / (1.0 + np.abs(hedge_ratio))
    return weight_y, -weight_y * hedge_ratio


@njit(cache=True)
def held_weights(holding: Holding, prices: StepPrices) -> tuple[float, float, float]:
    """Return the weights of the position held before a decision and its equity, all at the decision's marks."""
    return weights_at(holding, prices.mark_y, prices.mark_x)


@njit(cache=True)
def weights_at(holding: Holding, price_y: float, price_x: float) -> tuple[float, float, float]:
    """Return the weights of a position and its equity at these prices; a ruined pair (no equity) holds nothing."""
    equity = equity_at(holding, price_y, price_x)
    if not equity > 0.0:
        return 0.0, 0.0, 0.0
    return holding.quantity_y * price_y / equity, holding.quantity_x * price_x / equity, equity


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
        Position and cash before the fill.
    weight_y, weight_x : float
        Target weights: signed shares of the pair's equity, sized at the decision's marks.
    prices : StepPrices
        The step's market.
    costs : Costs
        Fee and slippage.

    Returns
    -------
    holding : Holding
        Position and cash before the next fill.
    flow : Flow
        What changed equity: ``price + funding - fees - slippage`` is its change.
    """
    _, _, sizing = held_weights(holding, prices)
    quantity_y = weight_y * sizing / prices.mark_y
    quantity_x = weight_x * sizing / prices.mark_x
    bought_y = (quantity_y - holding.quantity_y) * prices.fill_y
    bought_x = (quantity_x - holding.quantity_x) * prices.fill_x
    traded_y, traded_x = abs(bought_y), abs(bought_x)
    fee_y, slip_y = trade_cost(traded_y, prices.impact_y, costs)
    fee_x, slip_x = trade_cost(traded_x, prices.impact_x, costs)
    price = quantity_y * (prices.next_y - prices.fill_y) + quantity_x * (prices.next_x - prices.fill_x)
    funding = -(quantity_y * prices.funding_y + quantity_x * prices.funding_x)
    fees, slippage = fee_y + fee_x, slip_y + slip_x
    turnover = _share(traded_y + traded_x, equity_at(holding, prices.fill_y, prices.fill_x))
    cash = holding.cash - bought_y - bought_x + funding - fees - slippage
    return Holding(quantity_y, quantity_x, cash), Flow(price, funding, fees, slippage, turnover)


@njit(cache=True)
def flatten_step(holding: Holding, prices: StepPrices, costs: Costs) -> tuple[Holding, Flow]:
    """Sell whatever is held at the *next* fill prices of the last step (``impact_*`` are those of that fill)."""
    sold_y, sold_x = holding.quantity_y * prices.next_y, holding.quantity_x * prices.next_x
    traded_y, traded_x = abs(sold_y), abs(sold_x)
    fee_y, slip_y = trade_cost(traded_y, prices.impact_y, costs)
    fee_x, slip_x = trade_cost(traded_x, prices.impact_x, costs)
    fees, slippage = fee_y + fee_x, slip_y + slip_x
    turnover = _share(traded_y + traded_x, equity_at(holding, prices.next_y, prices.next_x))
    cash = holding.cash + sold_y + sold_x - fees - slippage
    return Holding(0.0, 0.0, cash), Flow(0.0, 0.0, fees, slippage, turnover)


@njit(cache=True)
def _share(notional: float, equity: float) -> float:
    """Return ``notional`` as a share of ``equity``; zero for a ruined pair."""
    return notional / equity if equity > 0.0 else 0.0
