"""The agent's own ledger of one pair: the arithmetic of the evaluation, one bar later.

A decision fills at the open of the bar that follows it. That price is known when the bar has closed, so each tick
first books what the previous one decided. Nothing here waits for the exchange: what was really filled is the
execution side's to report, and the governor's to compare.
"""

from collections.abc import Mapping
from typing import NamedTuple

from perpfut_lib.accounting import Costs, Holding, StepPrices, equity_at, flatten_step, settle_step
from perpfut_lib.artifacts.contract import Part
from perpfut_lib.types import Float2D


class Pending(Part):
    """A decision that has not been filled as far as the agent knows."""

    time: int
    """When it was made and fills: the close of the last bar it saw, ms UTC."""
    weights: tuple[float, float] | None
    """Target weights of legs y and x as shares of the pair's equity; none: the units held stay."""
    marks: tuple[float, float]
    """Prices that they were sized at."""


class PairLedger(Part):
    """Cash and units of one pair that started with equity 1; every decision before ``time`` is booked."""

    time: int
    """Next decision to be booked, ms UTC."""
    quantity_y: float = 0.0
    """Signed units of leg y."""
    quantity_x: float = 0.0
    """Signed units of leg x."""
    cash: float = 1.0
    """Cash beside the legs."""

    def holding(self) -> Holding:
        """Return cash and units as the ledger takes them."""
        return Holding(self.quantity_y, self.quantity_x, self.cash)

    def equity(self, prices: tuple[float, float]) -> float:
        """Return equity at the prices of legs y and x."""
        return float(equity_at(self.holding(), *prices))


class Fill(NamedTuple):
    """Prices and funding that a decision met, for legs y and x."""

    prices: tuple[float, float]
    """Open prices of the bar that opened when the decision was made."""
    funding: tuple[float, float]
    """Funding that one long unit pays until the next decision, quote currency."""


def fill(ledger: PairLedger, pending: Pending, met: Fill, costs: Costs, timeframe: int) -> PairLedger:
    """Return the ledger after a decision was filled and held to the next one, a bar later."""
    if pending.weights is None:
        return hold(ledger, met, timeframe)
    (open_y, open_x), (funding_y, funding_x) = met.prices, met.funding
    mark_y, mark_x = pending.marks
    # Nothing that a holding remembers depends on the next fill, so any price will do in its place.
    prices = StepPrices(mark_y, mark_x, open_y, open_x, open_y, open_x, funding_y, funding_x, 0.0, 0.0)
    after, _ = settle_step(ledger.holding(), pending.weights[0], pending.weights[1], prices, costs)
    return _ledger(ledger.time + timeframe, after)


def hold(ledger: PairLedger, met: Fill, timeframe: int) -> PairLedger:
    """Return the ledger after one bar without a trade: funding alone moves cash."""
    paid = ledger.quantity_y * met.funding[0] + ledger.quantity_x * met.funding[1]
    return ledger.model_copy(update={"time": ledger.time + timeframe, "cash": ledger.cash - paid})


def flatten(ledger: PairLedger, prices: tuple[float, float], costs: Costs, timeframe: int) -> PairLedger:
    """Return the ledger after everything was sold at ``prices``: its signal had run out, or its window ended."""
    price_y, price_x = prices
    step = StepPrices(price_y, price_x, price_y, price_x, price_y, price_x, 0.0, 0.0, 0.0, 0.0)
    after, _ = flatten_step(ledger.holding(), step, costs)
    return _ledger(ledger.time + timeframe, after)


def funding_paid(settlements: Float2D, closes: Mapping[int, float], start: int, end: int, timeframe: int) -> float:
    """Return what one long unit pays over (``start``, ``end``]: the sum of rate x mark.

    Parameters
    ----------
    settlements : ndarray, (n, 2)
        Time (ms UTC) and rate, ascending.
    closes : mapping
        Close by open time; the mark of a settlement is the last close known at it.
    start, end : int
        Fill times of this decision and the next one, ms UTC.
    timeframe : int
        Length of a bar, ms.
    """
    paid = 0.0
    inside = (settlements[:, 0] > start) & (settlements[:, 0] <= end)
    for time, rate in settlements[inside]:
        last_open = int(time) // timeframe * timeframe - timeframe
        paid += float(rate) * closes[last_open]
    return paid


def _ledger(time: int, holding: Holding) -> PairLedger:
    quantity_y, quantity_x, cash = map(float, holding)
    return PairLedger(time=time, quantity_y=quantity_y, quantity_x=quantity_x, cash=cash)
