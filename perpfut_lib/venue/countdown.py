"""Dead man's switches: the exchange cancels a customer's orders by itself unless it hears of the customer in time."""

from typing import TYPE_CHECKING, Final

from perpfut_lib.venue.accounts import Account, Order

if TYPE_CHECKING:
    from perpfut_lib.venue.matching import Matching

EVERYTHING: Final = ""
"""Stands for all symbols and all orders, stops included, as on Hyperliquid; a symbol for its orders without stops."""


def arm(account: Account, symbol: str, due: int | None) -> None:
    """Let orders be cancelled at ``due``, ms UTC; none disarms the switch."""
    account.countdowns.pop(symbol, None)
    if due is not None:
        account.countdowns[symbol] = due


def expire(matching: "Matching", account: Account, time: int) -> None:
    """Cancel what the switches that are due by ``time`` concern; each acts once."""
    for symbol, due in list(account.countdowns.items()):
        if due > time:
            continue
        del account.countdowns[symbol]
        for order in account.open_orders():
            if _concerned(order, symbol):
                matching.close(account, order, "CANCELED")


def _concerned(order: Order, symbol: str) -> bool:
    return symbol == EVERYTHING or (order.request.symbol == symbol and order.request.trigger is None)
