"""What an exchange does without being asked: it triggers stops, liquidates who has too little margin, and deleverages.

Cross margin: an account is liquidated when its equity is below the maintenance margin of all its positions. Everything
is closed at the mark for a fee, and what is then missing the insurance fund pays.
"""

from decimal import ROUND_UP, Decimal
from typing import TYPE_CHECKING, Final

import numpy as np

from perpfut_lib.venue.accounts import ZERO, Account, Order, Position, Request, Side
from perpfut_lib.venue.faults import Deleverage
from perpfut_lib.venue.view import extremes

if TYPE_CHECKING:
    from perpfut_lib.venue.matching import Matching

MAINTENANCE: Final = Decimal("0.025")  # maintenance margin as a share of notional
LIQUIDATION_FEE: Final = Decimal("0.0125")  # as a share of notional
LIQUIDATION_ID: Final = "autoclose-"
DELEVERAGED_ID: Final = "adl_autoclose-"


def reached(matching: "Matching", order: Order, until: int) -> Decimal | None:
    """Return the price at which a resting order is filled by ``until``; None while it rests."""
    request, timeframe = order.request, matching.exchange.tape.timeframe
    high, low = extremes(matching.exchange.series(request.symbol), timeframe, order.watched, until)
    if request.trigger is not None:
        return _stopped(matching, order, until, high if request.sign > 0 else low)
    limit = request.price or ZERO
    through = low < float(limit) if request.side == "BUY" else high > float(limit)
    return limit if through else None


def _stopped(matching: "Matching", order: Order, until: int, extreme: float) -> Decimal | None:
    """Return the price at which a stop is filled; None while it rests.

    Within a bar prices move without gaps, so a stop is filled where it lies. A bar that opens beyond it, after
    one that closed before it, fills it at that open: a gap is the risk that a stop does not take away.
    """
    request = order.request
    series, stop, sign = matching.exchange.series(request.symbol), float(request.trigger or ZERO), request.sign
    bars, rules = series.bars, series.instrument
    first, last = (int(np.searchsorted(bars.open_time, time, side="right")) for time in (order.watched, until))
    for row in range(max(first, 1), last):
        before, opened = float(bars.prices[row - 1, 3]), float(bars.prices[row, 0])
        if (opened - stop) * sign > 0 > (before - stop) * sign:
            return Decimal(rules.price_text(opened))
    return request.trigger if (extreme - stop) * sign >= 0 else None


def maintenance(matching: "Matching", account: Account) -> Decimal:
    """Return the maintenance margin of all positions, USDT."""
    return sum((abs(one.quantity) * matching.mark(symbol) * MAINTENANCE for symbol, one in account.held()), ZERO)


def liquidation_price(matching: "Matching", account: Account, symbol: str) -> Decimal | None:
    """Return the mark price of a symbol at which the account is liquidated, the other prices as they are.

    With equity E, maintenance margin M of the other positions, q units at mark m and margin rate r, the price p solves
    E + q (p - m) = M + |q| p r. None where no positive price does.
    """
    quantity, mark = account.position(symbol).quantity, matching.mark(symbol)
    if not quantity:
        return None
    equity = account.wallet + matching.unrealised(account)
    others = maintenance(matching, account) - abs(quantity) * mark * MAINTENANCE
    price = (equity - others - quantity * mark) / (abs(quantity) * MAINTENANCE - quantity)
    return price if price > 0 else None


def liquidate(matching: "Matching", account: Account) -> bool:
    """Close everything if the account's equity is below its maintenance margin; return whether it was."""
    if account.wallet + matching.unrealised(account) >= maintenance(matching, account):
        return False
    for order in account.open_orders():
        matching.close(account, order, "CANCELED")
    for symbol, position in list(account.held()):
        request = _against(symbol, position, abs(position.quantity), LIQUIDATION_ID)
        matching.forced(account, request, matching.mark(symbol), LIQUIDATION_FEE)
    if account.wallet < 0:
        matching.insure(account, -account.wallet)
    return True


def deleverage(matching: "Matching", account: Account) -> None:
    """Reduce the positions that a fault names, at the mark and without a fee: the other side of a bankrupt account."""
    for symbol, position in list(account.held()):
        fault = matching.exchange.faults.use(Deleverage, "", symbol)
        if fault is None:
            continue
        rules = matching.exchange.series(symbol).instrument
        share = (abs(position.quantity) * Decimal(str(fault.share))).quantize(rules.lot, rounding=ROUND_UP)
        matching.forced(account, _against(symbol, position, share, DELEVERAGED_ID), matching.mark(symbol), ZERO)


def _against(symbol: str, position: Position, quantity: Decimal, name: str) -> Request:
    """Return the exchange's own order against a position."""
    side: Side = "SELL" if position.quantity > 0 else "BUY"
    return Request(symbol, side, quantity, reduce_only=True, client_id=f"{name}{symbol}")
