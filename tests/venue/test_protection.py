"""What the exchange does when nobody of ours is alive: stops, liquidation, and what is lost with and without them."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from perpfut_lib.types import HOUR_MS
from perpfut_lib.venue.accounts import Refusal, Refused, Request
from perpfut_lib.venue.exchange import Exchange
from perpfut_lib.venue.matching import Matching
from perpfut_lib.venue.protection import LIQUIDATION_FEE, LIQUIDATION_ID, MAINTENANCE, liquidation_price
from perpfut_lib.venue.settings import VenueConfig
from perpfut_lib.venue.tape import Tape

D = Decimal
START = 1_735_689_600_000
MINUTE = 60_000
ACCOUNT = "binance"


def market(path, name="AAAUSDT", jump=False):
    """Return an exchange on which one symbol's closes follow ``path`` and another one stands at 100.

    Each bar opens at the close before it, or with ``jump`` at its own close.
    """
    rows = []
    for symbol, closes in ((name, path), ("BBBUSDT", np.full(len(path), 100.0))):
        opens = closes if jump else np.concatenate([[closes[0]], closes[:-1]])
        for k, (opened, closed) in enumerate(zip(opens, closes, strict=True)):
            high, low = max(opened, closed), min(opened, closed)
            rows.append((symbol, START + k * MINUTE, opened, high, low, closed, 1e6))
    names = ["symbol", "open_time", "open", "high", "low", "close", "volume"]
    funding = pd.DataFrame(
        {"symbol": [name, "BBBUSDT"], "funding_time": [START + 8 * HOUR_MS] * 2, "funding_rate": [0.0, 0.0]}
    )
    tape = Tape.recorded(pd.DataFrame(rows, columns=names), funding)
    config = VenueConfig(clock="stepped", start=START + 10 * MINUTE, balance=1_000.0)
    return Matching(Exchange.open(config, tape))


def fall(to=60.0, minutes=60):
    """Return ten quiet minutes at 100, a straight fall, and quiet again."""
    return np.concatenate([np.full(20, 100.0), np.linspace(100.0, to, minutes), np.full(30, to)])


def gap(to=70.0):
    """Return a price that jumps from one bar's close to the next bar's open."""
    return np.concatenate([np.full(30, 100.0), np.full(60, to)])


def long(matching, units=50, stop=None):
    """Buy at 100 and let a stop rest."""
    matching.place(ACCOUNT, Request("AAAUSDT", "BUY", D(units)))
    if stop is not None:
        return matching.place(
            ACCOUNT, Request("AAAUSDT", "SELL", D(units), reduce_only=True, client_id="stop", trigger=D(stop))
        )
    return None


def live(matching, minutes=100):
    """Let time pass; nobody of ours does anything."""
    for _ in range(minutes):
        matching.exchange.clock.advance(MINUTE)
        matching.account(ACCOUNT)
    return matching.account(ACCOUNT)


def equity(matching):
    account = matching.account(ACCOUNT)
    return float(account.wallet + matching.unrealised(account))


def test_a_stop_rests_until_the_market_trades_at_it():
    """Its price is its trigger, its size the position, its fee the taker's."""
    matching = market(fall())
    order = long(matching, stop=90)
    assert order.open
    live(matching, 15)
    assert order.open
    account = live(matching, 25)
    assert (order.status, order.average, account.position("AAAUSDT").quantity) == ("FILLED", D(90), D(0))
    assert not account.fills[-1].maker


def test_a_gap_fills_a_stop_at_the_next_open():
    """From 100 to 95 between two bars: a stop at 98 sells at 95, not at 98."""
    matching = market(gap(95.0), jump=True)
    order = long(matching, stop=98)
    live(matching)
    assert (order.status, order.average) == ("FILLED", D(95))


def test_a_stop_that_would_trigger_at_once_is_refused():
    matching = market(fall())
    long(matching)
    with pytest.raises(Refused) as refused:
        matching.place(ACCOUNT, Request("AAAUSDT", "SELL", D(1), reduce_only=True, trigger=D(101)))
    assert refused.value.reason is Refusal.TRIGGER


def test_a_stop_of_a_position_that_is_gone_expires_without_a_trade():
    """Reduce-only: it can not open the other side."""
    matching = market(fall())
    order = long(matching, stop=90)
    matching.place(ACCOUNT, Request("AAAUSDT", "SELL", D(50), reduce_only=True))
    account = live(matching)
    assert order.executed == 0
    assert account.position("AAAUSDT").quantity == 0


def test_the_liquidation_price_is_where_the_account_is_liquidated():
    """The closed form against the exchange's own act: 80 units bought near 100 with 1,000 in the account."""
    matching = market(fall(70.0, 300))
    long(matching, 80)
    price = float(liquidation_price(matching, matching.account(ACCOUNT), "AAAUSDT"))
    assert price == pytest.approx((80 * 100 - 1_000) / (80 * (1 - float(MAINTENANCE))), rel=2e-3)
    account = live(matching, 320)
    forced = [fill for fill in account.fills if fill.order.request.client_id.startswith(LIQUIDATION_ID)]
    assert len(forced) == 1
    assert float(forced[0].price) == pytest.approx(price, rel=3e-3)
    assert forced[0].fee == pytest.approx(forced[0].price * 80 * LIQUIDATION_FEE)
    assert account.position("AAAUSDT").quantity == 0
    assert account.wallet >= 0


def test_the_insurance_fund_pays_what_a_gap_leaves():
    """A price that jumps below bankruptcy takes the account, and no more."""
    matching = market(gap(70.0), jump=True)
    long(matching, 80)
    account = live(matching)
    assert account.wallet == 0
    assert [one.kind for one in account.income][-1] == "INSURANCE_CLEAR"


@pytest.mark.parametrize(("path", "with_stop", "without"), [(fall(60.0), 0.55, 1.0), (fall(85.0), 0.55, 0.70)])
def test_with_everything_dead_stops_bound_the_loss(path, with_stop, without):
    """A leg of five times the equity in a crash: a stop at 10 % costs half of it; without one it costs far more."""
    losses = []
    for stop in (90, None):
        matching = market(path)
        long(matching, 50, stop)
        before = equity(matching)
        live(matching)
        losses.append(1 - equity(matching) / before)
    assert losses[0] <= with_stop < without <= losses[1] + 0.31
    assert losses[0] < losses[1]
