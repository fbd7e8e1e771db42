"""What a market does to who holds a position: jumps, funding out of turn, deleveraging, an empty book."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from perpfut_lib.errors import ConfigError
from perpfut_lib.types import HOUR_MS
from perpfut_lib.venue.accounts import Fill, Income, Request
from perpfut_lib.venue.faults import BookGap, Deleverage, FundingShock, Jump, read_fault
from perpfut_lib.venue.protection import DELEVERAGED_ID
from perpfut_lib.venue.shocks import charged, jumped
from tests.venue.test_protection import ACCOUNT, MINUTE, START, D, long, market

QUIET = np.full(90, 100.0)


@pytest.mark.parametrize(("bars", "paid"), [(0, D(80)), (3, D(90))])
def test_a_jump_goes_through_a_stop_and_a_slide_meets_it(bars, paid):
    """From the next bar on prices are a fifth lower: at its open in a gap, at the stop where they slide."""
    matching = market(QUIET)
    stop = long(matching, 5, stop=90)
    matching.exchange.add_fault(Jump(symbol="AAAUSDT", factor=0.8, bars=bars))
    before = matching.mark("AAAUSDT")
    matching.exchange.clock.advance(5 * MINUTE)
    account = matching.account(ACCOUNT)
    assert (before, matching.mark("AAAUSDT"), matching.mark("BBBUSDT")) == (D(100), D(80), D(100))
    assert (stop.status, stop.average, account.position("AAAUSDT").quantity) == ("FILLED", paid, D(0))


def test_a_jump_changes_nothing_that_has_been_and_is_not_cleared():
    matching = market(QUIET)
    series = matching.exchange.series("AAAUSDT")
    matching.exchange.add_fault(Jump(factor=2.0))
    matching.exchange.clear_faults()
    now = matching.exchange.series("AAAUSDT")
    past = now.bars.open_time <= matching.exchange.clock.now()
    assert np.array_equal(now.bars.prices[past], series.bars.prices[past])
    assert np.array_equal(now.bars.prices[~past], 2.0 * series.bars.prices[~past])
    assert np.array_equal(now.bars.volume, series.bars.volume)


def test_a_slide_has_no_gap_and_ends_where_a_jump_does():
    series = market(QUIET).exchange.series("AAAUSDT")
    at = int(series.bars.open_time[20])
    slid, leapt = (jumped(series, 0.7, at, steps).bars.prices for steps in (10, 0))
    assert np.array_equal(slid[1:, 0], slid[:-1, 3])
    assert np.array_equal(slid[30:], leapt[30:])
    assert np.all(np.diff(slid[19:30, 3]) < 0)
    assert np.all((slid[:, 1] >= slid.max(axis=1)) & (slid[:, 2] <= slid.min(axis=1)))


@pytest.mark.parametrize("account", [ACCOUNT, "0x" + "1" * 40])
def test_a_funding_shock_is_paid_once_at_the_next_bar_on_both_exchanges(account):
    """Longs pay the rate times their notional at the mark; the settlement is told beforehand as any other."""
    matching = market(QUIET)
    matching.place(account, Request("AAAUSDT", "BUY", D(5)))
    matching.exchange.add_fault(FundingShock(symbol="AAAUSDT", rate=0.02))
    due = START + 11 * MINUTE
    quote = matching.exchange.quote("AAAUSDT")
    assert (quote.next_funding, quote.funding_rate) == (due, 0.02)
    matching.exchange.clock.advance(30 * MINUTE)
    paid = [one for one in matching.account(account).income if one.kind == "FUNDING_FEE"]
    assert [(one.time, one.amount, one.symbol) for one in paid] == [(due, D(-10), "AAAUSDT")]


def test_a_settlement_out_of_turn_leaves_the_regular_ones_as_they_were():
    """Hyperliquid's hours spread the regular rates as before; one at a regular time takes its place."""
    series = replace(
        market(QUIET).exchange.series("AAAUSDT"),
        funding_time=START + 8 * HOUR_MS * np.arange(1, 4),
        funding_rate=np.array([0.0008, 0.0016, 0.0024]),
    )
    hours, rates = series.hourly_funding
    more = charged(series, START + 9 * HOUR_MS + MINUTE, 0.01)
    times, paid = more.hourly_funding
    new = times == START + 9 * HOUR_MS + MINUTE
    assert (np.array_equal(times[~new], hours), np.array_equal(paid[~new], rates)) == (True, True)
    assert paid[new].tolist() == [0.01]
    instead = charged(series, START + 16 * HOUR_MS, 0.01)
    assert instead.funding_rate.tolist() == [0.0008, 0.01, 0.0024]
    assert instead.hourly_funding[1][hours == START + 16 * HOUR_MS].tolist() == [0.01]


def test_a_position_is_deleveraged_once_at_the_mark_without_a_fee():
    """Half, rounded up to a lot; what rests stays, and the private stream tells of the exchange's own order."""
    matching = market(QUIET)
    stop = long(matching, 5, stop=90)
    told = []
    matching.listeners.append(lambda event: told.append(event.what))
    wallet = matching.account(ACCOUNT).wallet
    matching.exchange.add_fault(Deleverage(symbol="AAAUSDT", share=0.5))
    for _ in range(3):
        matching.exchange.clock.advance(MINUTE)
        account = matching.account(ACCOUNT)
    fills = [one for one in told if isinstance(one, Fill)]
    assert [(one.order.request.client_id, one.price, one.fee) for one in fills] == [
        (f"{DELEVERAGED_ID}AAAUSDT", D(100), D(0))
    ]
    assert abs(account.position("AAAUSDT").quantity - Decimal("2.5")) <= Decimal("0.5")
    assert stop.open
    earned = [one.amount for one in told if isinstance(one, Income)]
    assert account.wallet == wallet + sum(one.profit for one in fills) + sum(earned)
    assert matching.exchange.faults.active() == []


def test_nobody_is_deleveraged_who_holds_nothing():
    matching = market(QUIET)
    matching.exchange.add_fault(Deleverage(symbol="AAAUSDT"))
    matching.exchange.clock.advance(MINUTE)
    assert matching.account(ACCOUNT).fills == []
    long(matching, 5)
    matching.exchange.clock.advance(MINUTE)
    assert matching.account(ACCOUNT).fills[-1].order.request.client_id.startswith(DELEVERAGED_ID)


def test_an_empty_book_is_quoted_wide_and_paid_for():
    """The best prices lie 2 % away on both sides, the mark does not move, and a market order pays the gap."""
    matching = market(QUIET)
    matching.exchange.add_fault(BookGap(symbol="AAAUSDT", share=0.02))
    quote = matching.exchange.quote("AAAUSDT")
    assert quote.bid == pytest.approx(98.0, abs=1.0)
    assert quote.ask == pytest.approx(102.0, abs=1.1)
    assert matching.place(ACCOUNT, Request("AAAUSDT", "BUY", D(1))).average == D(str(quote.ask))
    assert matching.mark("AAAUSDT") == D(100)
    matching.exchange.clear_faults()
    assert matching.exchange.quote("AAAUSDT").ask - matching.exchange.quote("AAAUSDT").bid < 1.5


@pytest.mark.parametrize("text", ['{"kind": "jump", "factor": 0}', '{"kind": "deleverage", "share": 1.5}'])
def test_impossible_shocks_are_refused(text):
    with pytest.raises(ConfigError):
        read_fault(text)
