"""One executor on a folder of documents, driven by hand: quotes, fills, readings."""

from decimal import Decimal

from agent.clock import ReplayClock
from agent.executor.rules import Limits, TradingRule
from agent.executor.settings import Quote, TraderSettings
from agent.executor.snapshots import Reading
from agent.executor.trader import Trader
from agent.executor.trades import Trade
from perpfut_lib.artifacts import AgentFolder
from tests.agent.documents import NOW

D = Decimal
RULE = TradingRule(D("0.01"), D("0.01"), D("0.01"), D(1))
QUOTES = {"AAA": Quote(RULE, D(100)), "BBB": Quote(RULE, D(20))}
EQUITY = 10_000.0


def trader(folder: AgentFolder, positions=None, equity=EQUITY, at=NOW + 1_000, quotes=QUOTES, **limits) -> Trader:
    """Return an executor that has read the account; its monotonic clock begins at 0."""
    made = Trader(folder, TraderSettings(("AAA", "BBB"), Limits(**limits)), ReplayClock(at))
    made.seed(Reading(positions or {}, equity), quotes, 0)
    return made


def trade(one: Trader, quotes=QUOTES, now=1_000) -> dict[str, Decimal]:
    """Send what is due and fill it at the quotes; return it."""
    done = {}
    for order in one.orders(quotes, now):
        order_id = f"{order.symbol}{now}"
        one.sent(order, order_id, now)
        fill(one, order_id, order.quantity, quotes[order.symbol].price, now)
        one.end(order_id, now, failed=False)
        done[order.symbol] = order.quantity
    return done


def fill(one: Trader, order_id: str, quantity, price, now: int, trade_id: str = "") -> None:
    """Tell of a fill, at a fee of half a dollar; its number is that of its order."""
    one.fill(order_id, Trade(quantity, price, {"USDT": D("0.5")}, trade_id or order_id), now)


def refuse(one: Trader, until: int, quotes=QUOTES, start: int = 1_000) -> list[int]:
    """Refuse every order, second by second, and answer readings with what is held; return when orders were sent."""
    sent = []
    held = dict(one.state.positions)
    for now in range(start, until, 1_000):
        if one.reading_due(now):
            one.read(Reading(held), now)
        for number, order in enumerate(one.orders(quotes, now)):
            one.sent(order, f"{now}-{number}", now)
            one.end(f"{now}-{number}", now, failed=True)
            sent.append(now)
    return sent
