"""The two-leg ledger: price P&L, funding, fees and slippage, which sum to the change in equity.

One jitted step, :func:`settle_step`, is what the environment and the :class:`Accountant` both run, so neither can
account differently from the other. Equity is marked at fill times.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from perpfut_lib.accounting.liquidation import liquidation_distance
from perpfut_lib.accounting.step import (
    Costs,
    Flow,
    Holding,
    StepPrices,
    equity_at,
    flatten_step,
    settle_step,
    weights_at,
)
from perpfut_lib.errors import SchemaError
from perpfut_lib.types import Float1D, Float2D, Float3D


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


class Ledger(NamedTuple):
    """Per-step accounts of E episodes of L decisions; the last step includes the flattening's costs."""

    price: Float2D
    """Price P&L, (E, L)."""
    funding: Float2D
    """Funding received (negative: paid), (E, L)."""
    fees: Float2D
    """Fees paid, (E, L), never negative."""
    slippage: Float2D
    """Slippage paid, (E, L), never negative."""
    turnover: Float2D
    """Traded notional as a share of equity, drift and flattening included, (E, L)."""
    equity: Float2D
    """Equity at fill times before costs; column L is after the flattening and its costs, (E, L+1)."""
    weights: Float3D
    """Signed notional of each leg held after fill j as a share of equity, (E, L, 2)."""

    def returns(self) -> Float2D:
        """Return the net return of each step on equity at its start, (E, L)."""
        returns: Float2D = self.equity[:, 1:] / self.equity[:, :-1] - 1.0
        return returns

    def liquidation_distance(self, maintenance: float, leverage: float = 1.0) -> Float2D:
        """Return the adverse move of both legs that each step's position survives, (E, L); infinity where flat.

        ``leverage`` multiplies what is held per unit of equity; see
        :func:`perpfut_lib.accounting.liquidation_distance`.
        """
        held = leverage * self.weights
        return liquidation_distance(np.maximum(held, 0.0).sum(2), np.maximum(-held, 0.0).sum(2), maintenance)

    def residual(self) -> float:
        """Return the largest gap between price + funding - fees - slippage and the change of equity: rounding alone."""
        explained = self.price + self.funding - self.fees - self.slippage
        return float(np.abs(explained - np.diff(self.equity, axis=1)).max(initial=0.0))


class Accounts(NamedTuple):
    """A :class:`Ledger` while it is being written, and what each episode holds."""

    ledger: Ledger
    cash: Float1D
    """Cash beside the legs, (E,)."""
    quantity: Float2D
    """Signed units of both legs, (E, 2)."""


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
def _book(step: int, targets: Float2D, market: Market, costs: Costs, accounts: Accounts) -> None:
    """Trade every episode to its targets (E, 2) at one step, hold to the next fill, and write the accounts."""
    for episode in range(len(targets)):
        _book_one((episode, step), targets[episode], market, costs, accounts)


@njit(cache=True)
def _book_all(targets: Float3D, market: Market, costs: Costs, accounts: Accounts) -> None:
    """Trade every episode to its targets (E, L, 2), one episode after the other: its accounts lie side by side."""
    for episode in range(targets.shape[0]):
        for step in range(targets.shape[1]):
            _book_one((episode, step), targets[episode, step], market, costs, accounts)


@njit(cache=True)
def _book_one(place: tuple[int, int], target: Float1D, market: Market, costs: Costs, accounts: Accounts) -> None:
    """Trade one episode to its target weights (2,) at one step; ``place`` is (episode, step)."""
    episode, step = place
    prices = prices_at(market, episode, step)
    before = Holding(accounts.quantity[episode, 0], accounts.quantity[episode, 1], accounts.cash[episode])
    after, flow = settle_step(before, target[0], target[1], prices, costs)
    ledger = accounts.ledger
    _write(episode, step, flow, ledger)
    _hold(episode, after, accounts)
    equity = equity_at(before, prices.fill_y, prices.fill_x)
    if equity > 0.0:
        ledger.weights[episode, step, 0] = after.quantity_y * prices.fill_y / equity
        ledger.weights[episode, step, 1] = after.quantity_x * prices.fill_x / equity
    ledger.equity[episode, step + 1] = equity_at(after, prices.next_y, prices.next_x)


@njit(cache=True)
def _flatten(market: Market, costs: Costs, accounts: Accounts) -> None:
    """Close every episode at its last fill prices and charge its last step."""
    length = market.marks.shape[1]
    for episode in range(len(accounts.cash)):
        before = Holding(accounts.quantity[episode, 0], accounts.quantity[episode, 1], accounts.cash[episode])
        after, flow = flatten_step(before, flattening_at(market, episode), costs)
        _write(episode, length - 1, flow, accounts.ledger)
        _hold(episode, after, accounts)
        accounts.ledger.equity[episode, length] = after.cash


@njit(cache=True)
def _write(episode: int, step: int, flow: Flow, ledger: Ledger) -> None:
    ledger.price[episode, step] += flow.price
    ledger.funding[episode, step] += flow.funding
    ledger.fees[episode, step] += flow.fees
    ledger.slippage[episode, step] += flow.slippage
    ledger.turnover[episode, step] += flow.turnover


@njit(cache=True)
def _hold(episode: int, holding: Holding, accounts: Accounts) -> None:
    accounts.quantity[episode, 0], accounts.quantity[episode, 1] = holding.quantity_y, holding.quantity_x
    accounts.cash[episode] = holding.cash


@njit(cache=True)
def held_by(cash: Float1D, quantity: Float2D, prices: Float2D) -> tuple[Float2D, Float1D]:
    """Return the weights of both legs (P, 2) and the equity (P,) of P pairs at ``prices`` (P, 2).

    Row by row :func:`~perpfut_lib.accounting.step.weights_at`, but for the equity of a ruined pair, which is told.
    """
    weights, equity = np.empty(quantity.shape), np.empty(cash.shape)
    for pair in range(cash.shape[0]):
        holding = Holding(quantity[pair, 0], quantity[pair, 1], cash[pair])
        equity[pair] = equity_at(holding, prices[pair, 0], prices[pair, 1])
        weights[pair, 0], weights[pair, 1], _ = weights_at(holding, prices[pair, 0], prices[pair, 1])
    return weights, equity


class Accountant:
    """Books E episodes step by step: the only one who sees the next price.

    Parameters
    ----------
    market : Market
        Prices, funding and impact of the episodes.
    costs : Costs
        Fee and slippage.
    initial_equity : float
        Equity at the start of each episode.

    Raises
    ------
    SchemaError
        The market's arrays do not fit each other.
    """

    def __init__(self, market: Market, costs: Costs, *, initial_equity: float = 1.0) -> None:
        episodes, self.length = market.marks.shape[:2]
        check_market(market, episodes, self.length)
        self._market, self._costs = market, costs
        shape = (episodes, self.length)
        price, funding, fees, slippage, turnover = (np.zeros(shape) for _ in range(5))
        equity, weights = np.full((episodes, self.length + 1), initial_equity), np.zeros((*shape, 2))
        cash, quantity = np.full(episodes, initial_equity), np.zeros((episodes, 2))
        ledger = Ledger(price, funding, fees, slippage, turnover, equity, weights)
        self._accounts = Accounts(ledger, cash, quantity)

    @property
    def cash(self) -> Float1D:
        """Cash beside the legs, (E,)."""
        return self._accounts.cash

    @property
    def quantity(self) -> Float2D:
        """Signed units of both legs, (E, 2)."""
        return self._accounts.quantity

    def book(self, step: int, targets: Float2D) -> None:
        """Trade to target weights (E, 2), decided at the marks of ``step``, and hold to the next fill."""
        _book(step, targets, self._market, self._costs, self._accounts)

    def book_all(self, targets: Float3D) -> None:
        """Trade to target weights (E, L, 2) of all steps in order."""
        _book_all(targets, self._market, self._costs, self._accounts)

    def close(self) -> Ledger:
        """Flatten every episode, charge it, and return the accounts."""
        _flatten(self._market, self._costs, self._accounts)
        return self._accounts.ledger


def settle(weights: Float3D, market: Market, costs: Costs, *, initial_equity: float = 1.0) -> Ledger:
    """Account for target weights decided in advance.

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
    check_market(market, *weights.shape[:2])
    accountant = Accountant(market, costs, initial_equity=initial_equity)
    accountant.book_all(np.ascontiguousarray(weights))
    return accountant.close()


def make_market(fills: Float3D, marks: Float3D, funding: Float3D, impact: Float3D | None = None) -> Market:
    """Return a :class:`Market` of contiguous float64 arrays.

    Shapes of ``fills``, ``marks``, ``funding`` and ``impact`` are those of its fields; no impact means zeros.
    """
    zeros = np.zeros(np.shape(fills)) if impact is None else impact
    return Market(*(np.ascontiguousarray(array, np.float64) for array in (fills, marks, funding, zeros)))


def check_market(market: Market, episodes: int, length: int) -> None:
    """Raise :class:`SchemaError` unless the arrays hold ``episodes`` episodes of ``length`` decisions."""
    long, short = (episodes, length + 1, 2), (episodes, length, 2)
    wanted = Market(long, short, short, long)  # type: ignore[arg-type]
    for name, array, shape in zip(Market._fields, market, wanted, strict=True):
        if array.shape != shape:
            raise SchemaError(f"{name} of shape {array.shape}", f"shape {shape}", "build the market with make_market")
