"""Each kind of fault that 46 hand-driven cases found in the first executor, one test each: none may come back."""

import json
import math
from dataclasses import replace

import pytest

from agent.clock import ReplayClock
from agent.executor.intent import Patience, ReadState, judge
from agent.executor.memory import BACKUP, MEMORY
from agent.executor.rules import Limits
from agent.executor.settings import Quote, TraderSettings
from agent.executor.snapshots import Reading
from agent.executor.state import Order
from agent.executor.targets import Base, units_of
from agent.executor.trader import Trader
from agent.executor.trades import History, Payment, Trade
from agent.state.sealed_file import write_sealed
from perpfut_lib.artifacts import Clocks
from perpfut_lib.errors import ArtifactError
from tests.agent.documents import NOW, control, signal
from tests.executor.by_hand import EQUITY, QUOTES, RULE, D, fill, refuse, trade, trader

BOTH = {"AAA": D(10), "BBB": D(-40)}


def half_filled(folder, **settings):
    """Return an executor whose first leg is filled and whose second one was refused, at 1 s."""
    one = trader(folder, **settings)
    for order in one.orders(QUOTES, 1_000):
        one.sent(order, order.symbol, 1_000)
    fill(one, "AAA", D(10), D(100), 1_000)
    one.end("AAA", 1_000, failed=False)
    one.end("BBB", 1_000, failed=True)
    return one


def test_a_leg_is_unwound_while_the_other_has_no_quote(folder):
    """Null: B refused, then its quote is gone: A stays bare for ever."""
    one, alone = half_filled(folder), {"AAA": QUOTES["AAA"]}
    done = {}
    for now in range(2_000, 40_000, 1_000):
        if one.reading_due(now):
            one.read(Reading({"AAA": one.state.position("AAA")}), now)
        done |= trade(one, alone, now)
    assert done == {"AAA": D(-10)}


def test_a_symbol_that_was_never_quoted_does_not_hold_the_other_one_up(folder):
    """After a restart A is held and B has no quote at all: a kill closes A, snapshot and memory are written."""
    folder.write(control(seq=9, kill=True))
    one = trader(folder, BOTH, quotes={"AAA": QUOTES["AAA"]})
    assert trade(one, {"AAA": QUOTES["AAA"]}) == {"AAA": D(-10)}
    report = one.report()
    assert [held.symbol for held in report.positions] == ["AAA"]
    assert trade(one, now=2_000) == {"BBB": D(40)}


def test_a_position_that_gets_its_first_mark_changes_no_equity(folder):
    one = trader(folder, BOTH, quotes={})
    assert one.account.equity == EQUITY
    one.orders(QUOTES, 1_000)
    assert one.account.equity == EQUITY


def test_a_signal_with_a_symbol_outside_the_list_is_refused(folder):
    """Null: the listed leg is traded and the other one is not."""
    foreign = tuple(leg.model_copy(update={"symbol": leg.symbol.replace("AAA", "ZZZ")}) for leg in signal().legs)
    folder.write(signal(seq=8, legs=foreign))
    one = trader(folder)
    assert trade(one) == {}
    assert one.intent.reason == "unlisted"


def judged(*steps, read_state=None):
    read_state = read_state or ReadState()
    for second, (found, order) in enumerate(steps):
        clocks = Clocks(NOW + 1_000 * second, 1_000_000 + 1_000 * second)
        read_state, intent = judge(found, order, read_state, clocks, Patience())
    return read_state, intent


@pytest.mark.parametrize("later", [control(seq=4), control(seq=5), ArtifactError("a", "b", "c")])
def test_a_kill_latches(later):
    """Run (4), kill (5), then run under an old or the same number, or no file: it stays killed, also for a restart."""
    state, intent = judged((signal(), control(seq=4)), (signal(), control(seq=5, kill=True)), (signal(), later))
    assert (intent.mode, intent.reason) == ("flat", "killed")
    again = ReadState.from_json(json.loads(json.dumps(state.to_json())), 1_000_000)
    assert judged((signal(), later), read_state=again)[1].reason == "killed"
    assert judged((signal(), control(seq=6)), read_state=again)[1].mode == "follow"


def test_a_kill_is_remembered_before_the_next_report(folder):
    """Null: a crash right after the kill forgets it, and an old control file opens again."""
    one = trader(folder)
    trade(one)
    folder.write(control(seq=9, kill=True))
    assert trade(one, now=2_000) == {"AAA": D(-10), "BBB": D(40)}
    folder.write(control(seq=8))
    again = trader(folder)
    assert trade(again) == {}
    assert again.intent.reason == "killed"


@pytest.mark.parametrize("equity", [-500.0, 0.0, math.nan, math.inf])
def test_equity_that_is_no_positive_number_is_flat(folder, equity, caplog):
    """Null: -500 turns every position round, zero does nothing, NaN raises."""
    one = trader(folder, BOTH, equity=equity)
    assert trade(one) == {"AAA": D(-10), "BBB": D(40)}
    assert one.intent.reason == "no_equity"
    assert "no_equity" in caplog.text
    one.report()
    assert units_of(signal().legs, Base(0, equity)) == {}


@pytest.mark.parametrize("tree", [{"v": 2}, [], {"version": 2}, {"version": 2, "heard": 3}, None, "x"])
def test_a_memory_of_another_shape_is_set_aside(folder, tree, caplog):
    """Null: it raises at every start, so that nothing can be flattened."""
    for name in (MEMORY, BACKUP):
        write_sealed(folder.path / name, tree)
    one = trader(folder, BOTH)
    assert "set aside" in caplog.text
    folder.write(control(seq=9, kill=True))
    assert trade(one) == {"AAA": D(-10), "BBB": D(40)}
    assert len(list(folder.path.glob("*.unreadable-*"))) == 2


def test_an_order_in_flight_at_a_crash_is_not_sent_again(folder):
    """The late fill raises a doubt, a reading settles it, and the position is what was asked for, not twice that."""
    one = trader(folder)
    for order in one.orders(QUOTES, 1_000):
        one.sent(order, order.symbol, 1_000)
    again = trader(folder)
    assert trade(again, now=2_000) == {}
    for symbol, quantity in BOTH.items():
        fill(again, symbol, quantity, QUOTES[symbol].price, 3_000)
        again.end(symbol, 3_000, failed=False)
    assert trade(again, now=4_000) == {}
    for asked in (8_000, 13_000):
        assert again.reading_due(asked)
        again.read(Reading(BOTH), asked)
    assert trade(again, now=14_000) == {}
    assert dict(again.state.positions) == BOTH
    assert again.state.left == ()


def test_refusals_and_bars_survive_a_restart(folder):
    """Null: each restart begins to send refused orders at once again."""
    one = trader(folder)
    refuse(one, 40_000)
    assert trade(trader(folder, at=NOW + 40_000)) == {}


def test_refused_reductions_under_a_kill_back_off(folder):
    """They repeated 240 times in 600 s; now the pause doubles up to a minute."""
    one = trader(folder, BOTH)
    folder.write(control(seq=9, kill=True))
    sent = refuse(one, 601_000)
    assert 20 <= len(sent) <= 30
    gaps = [later - earlier for earlier, later in zip(sent[::2], sent[2::2], strict=False)]
    assert gaps[0] < gaps[-1] <= 62_000


def closed_by_hand(folder, **settings):
    """Return an executor that read, at 70 s and 100 s, that leg B is gone."""
    one = trader(folder, **settings)
    trade(one)
    for asked in (70_000, 101_000):
        assert one.reading_due(asked)
        one.read(Reading({"AAA": D(10)}), asked)
    return one


def test_a_leg_closed_by_hand_is_noticed_within_two_minutes_and_left(folder):
    """The other leg is unwound, and nothing reopens before the operator's next order; it took 300 s and bought back."""
    one = closed_by_hand(folder)
    assert one.state.left == ("BBB",)
    assert trade(one, now=102_000) == {"AAA": D(-10)}
    folder.write(signal(seq=8))
    assert trade(one, now=103_000) == {}
    folder.write(control(seq=8))
    assert trade(one, now=104_000) == BOTH


def test_a_leg_closed_by_hand_is_reopened_where_that_is_asked_for(folder):
    assert trade(closed_by_hand(folder, reopen=True), now=102_000) == {"BBB": D(-40)}


def test_what_others_opened_is_named_left_alone_and_counted(folder, caplog):
    """Units by hand in our symbol, and a position in another one: neither is closed, both are in gross exposure."""
    one = trader(folder)
    trade(one)
    reading = Reading({"AAA": D(13), "BBB": D(-40), "XXX": D(5)}, marks={"XXX": 7.0})
    for asked in (70_000, 101_000):
        one.read(reading, asked)
    assert "not ours" in caplog.text
    assert one.state.foreign == {"AAA": D(3)}
    assert trade(one, now=102_000) == {}
    report = one.report()
    assert {held.symbol: held.quantity for held in report.positions} == {"AAA": 13.0, "BBB": -40.0, "XXX": 5.0}
    folder.write(control(seq=9, kill=True))
    assert trade(one, now=103_000) == {"AAA": D(-10), "BBB": D(40)}


def test_a_withdrawal_while_stopped_is_no_drawdown(folder):
    """Null: taking out 40 % reads as a drawdown of 40 %."""
    one = trader(folder)
    trade(one)
    one.report()
    report = trader(folder, BOTH, equity=6_000.0).report()
    assert report.equity == pytest.approx(6_000.0)
    assert report.drawdown() == pytest.approx(0.0, abs=1e-3)


def test_a_liquidation_is_booked_with_its_fee(folder):
    """The exchange closed B at a loss of 300 and a fee: the books end where the account stands, as a drawdown."""
    one = trader(folder)
    trade(one)
    one.report()
    for asked in (70_000, 101_000):
        one.read(Reading({"AAA": D(10)}, equity=9_690.0), asked)
    report = one.report()
    assert report.equity == pytest.approx(9_690.0)
    assert report.drawdown() == pytest.approx(0.031)


def test_equity_is_read_again(folder):
    """A deposit while it runs moves start and peak; prices of liquidation are in the report."""
    one = trader(folder)
    trade(one)
    one.read(Reading(BOTH, equity=12_000.0, liquidation={"AAA": 55.0}), 70_000)
    report = one.report()
    assert (report.equity, report.drawdown()) == (pytest.approx(12_000.0), pytest.approx(0.0, abs=1e-3))
    assert {held.symbol: held.liquidation_price for held in report.positions} == {"AAA": 55.0, "BBB": None}


def test_equity_of_before_a_fill_is_not_compared_with_the_books_after_it(folder):
    """Null: a fill arrives while the answer is on its way, and its fee and loss are taken over with the liquidation."""
    one = trader(folder)
    trade(one)
    one.read(Reading({"AAA": D(10)}, equity=9_699.0), 70_000)
    one.sent(Order("AAA", D(-10), reduce_only=True), "AAA-out", 100_000)
    fill(one, "AAA-out", D(-10), D(99), 101_500)
    one.end("AAA-out", 101_500, failed=False)
    before = one.account.equity
    one.read(Reading({"AAA": D(10)}, equity=9_699.0), 101_000)
    assert one.account.equity == pytest.approx(before)
    one.read(Reading({}, equity=9_688.5), 140_000)
    assert one.account.equity == pytest.approx(9_688.5)


def test_funding_that_is_listed_late_is_not_received_twice(folder):
    """Null: the equity at a restart holds a payment that the exchange lists later, and the books add it again."""
    one = trader(folder)
    trade(one)
    one.report()
    one.read(Reading(BOTH, history={"AAA": History(NOW - 700_000)}), 70_000)
    one.report()
    again = Trader(folder, TraderSettings(("AAA", "BBB"), Limits()), ReplayClock(NOW + 9_000))
    again.seed(Reading(BOTH, EQUITY + 48.0, at=NOW + 9_000), QUOTES, 0)
    paid = Payment(D(49), NOW)
    later = {"AAA": History(NOW - 600_000, (paid, replace(paid, time=NOW + 9_001)))}
    again.read(Reading(BOTH, history=later), 70_000)
    assert again.account.books.funding == 98.0
    assert again.account.equity == pytest.approx(EQUITY + 48.0 + 49.0)


def test_a_torn_memory_keeps_the_peak(folder):
    """One copy torn: the other goes on. Both torn: peak and signal number come from the last report."""
    one = trader(folder, equity=20_000.0)
    one.report()
    torn = folder.path / MEMORY
    torn.write_bytes(torn.read_bytes()[:-10] + b"0123456789")
    again = trader(folder, equity=19_950.0)
    assert again.report().peak_equity == 20_000.0
    for name in (MEMORY, BACKUP):
        (folder.path / name).write_bytes(b"{}")
    assert trader(folder, equity=12_000.0).report().drawdown() == pytest.approx(0.4)


def test_a_signal_is_remembered_before_it_is_followed(folder):
    """Null: a crash before the next report lets an older signal be followed again."""
    folder.write(signal(seq=9))
    one = trader(folder)
    one.orders(QUOTES, 1_000)
    folder.write(signal(seq=8))
    again = trader(folder)
    assert trade(again) == {}
    assert again.intent.reason == "replayed"


def test_a_fill_that_is_told_twice_counts_once(folder):
    """Null: half of an order, told twice, completes it."""
    one = trader(folder)
    for order in one.orders(QUOTES, 1_000):
        one.sent(order, order.symbol, 1_000)
    for _ in range(2):
        fill(one, "AAA", D(5), D(100), 1_000, trade_id="7")
    assert one.state.position("AAA") == D(5)
    assert one.account.books.fills == 1
    fill(one, "AAA", D(5), D(100), 1_000, trade_id="8")
    assert one.state.position("AAA") == D(10)


@pytest.mark.parametrize("trade_", [Trade(D(10), D("NaN")), Trade(D(10), D(100), {"USDT": D("NaN")})])
def test_a_fill_that_is_no_number_does_not_stop_reports(folder, trade_):
    """The units count, at the mark; a fee that is no number is none."""
    one = half_filled(folder)
    one.sent(Order("AAA", D(10), reduce_only=False), "x", 1_000)
    one.fill("x", trade_, 1_000)
    assert one.report().equity == pytest.approx(EQUITY - 0.5)


def test_fees_in_another_asset_are_converted_or_reported_apart(folder, caplog):
    """0.01 BNB are no 0.01 dollars: 6 at a price of 600, and apart where there is no price."""
    one = trader(folder)
    for order in one.orders(QUOTES, 1_000):
        one.sent(order, order.symbol, 1_000)
    one.fill("AAA", Trade(D(10), D(100), {"BNB": D("0.01")}, "1"), 1_000)
    assert one.account.books.fees == 0.0
    assert one.account.books.other_fees == {"BNB": 0.01}
    assert "BNB" in caplog.text
    one.orders(QUOTES | {"BNBUSDT": Quote(RULE, D(600))}, 2_000)
    one.fill("BBB", Trade(D(-40), D(20), {"BNB": D("0.01")}, "1"), 2_000)
    assert one.account.books.fees == pytest.approx(6.0)
