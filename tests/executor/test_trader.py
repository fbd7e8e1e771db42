"""The executor put together, without any trading framework: files in, orders and snapshots out."""

import pytest

from agent.clock import ReplayClock
from agent.executor.memory import BACKUP, MEMORY
from agent.executor.settings import Quote, TraderSettings
from agent.executor.snapshots import Reading
from agent.executor.trader import Trader
from agent.executor.trades import Trade
from perpfut_lib.artifacts import PerfSnapshot
from perpfut_lib.errors import ArtifactError
from tests.agent.documents import MINUTE, NOW, active_pairs, signal
from tests.executor.by_hand import EQUITY, QUOTES, RULE, D, trade, trader


def test_a_signal_becomes_orders_and_a_report(folder):
    """Units are equity x weight / price; the report carries the signal's number and adds up."""
    one = trader(folder)
    assert trade(one) == {"AAA": D(10), "BBB": D(-40)}
    assert trade(one, now=2_000) == {}
    report = one.report()
    assert folder.read(PerfSnapshot).model_copy(update={"seal": None}) == report
    assert (report.signal_seq, report.fills, report.rejects, report.fees) == (7, 2, 0, 1.0)
    assert report.equity - EQUITY == pytest.approx(report.price_pnl + report.funding - report.fees)
    assert {held.symbol: held.target for held in report.positions} == {"AAA": 10.0, "BBB": -40.0}
    assert report.fill_latency_ms == 1_000.0


def test_weights_are_shares_of_the_equity_at_the_windows_start(folder):
    """What is earned within the window changes no size; the next window starts from what there is then."""
    one = trader(folder)
    trade(one)
    dear = {"AAA": Quote(RULE, D(104)), "BBB": QUOTES["BBB"]}
    folder.write(signal(seq=8))
    assert trade(one, dear, now=2_000) == {}
    one.report()
    folder.write(active_pairs(seq=9, valid_from=NOW + MINUTE))
    folder.write(signal(seq=9))
    assert trade(one, dear, now=3_000) == {"AAA": D("0.04"), "BBB": D("-0.16")}


def test_a_restart_goes_on_with_what_the_exchange_holds(folder):
    """The books end where the account stands, numbers rise, and no order is sent for what is held already."""
    one = trader(folder)
    trade(one)
    before = one.report()
    again = trader(folder, {"AAA": D(10), "BBB": D(-40)}, equity=9_990.0)
    assert trade(again) == {}
    report = again.report()
    assert report.seq > before.seq
    assert report.equity == pytest.approx(9_990.0)
    assert (report.fees, report.fills) == (before.fees, before.fills)
    assert report.equity - EQUITY == pytest.approx(report.price_pnl + report.funding - report.fees)


def test_a_lost_memory_starts_new_books_above_all_numbers(folder):
    """Rot is noticed: the next snapshot is numbered by the clock, above those before."""
    one = trader(folder)
    before = one.report()
    for name in (MEMORY, BACKUP):
        path = folder.path / name
        path.write_bytes(path.read_bytes()[:-10] + b"0123456789")
    report = trader(folder, equity=8_000.0, at=NOW + 60_000).report()
    assert (report.equity, report.price_pnl) == (8_000.0, 0.0)
    assert report.seq > before.seq


def test_stopping_closes_everything(folder):
    one = trader(folder)
    trade(one)
    assert not one.flat()
    one.stopping = True
    assert trade(one, now=2_000) == {"AAA": D(-10), "BBB": D(40)}
    assert one.flat()


def test_rejects_and_corrections_are_reported(folder):
    """A refused order counts; units that a reading adds change no equity."""
    one = trader(folder)
    (first, second) = one.orders(QUOTES, 1_000)
    one.sent(first, "a", 1_000)
    one.sent(second, "b", 1_000)
    one.end("a", 1_000, failed=True)
    one.fill("b", Trade(second.quantity, D(20)), 1_000)
    one.end("b", 1_000, failed=False)
    for asked in (6_000, 11_000):
        assert one.reading_due(asked)
        one.read(Reading({"AAA": D(10), "BBB": D(-40)}), asked)
    report = one.report()
    assert (report.rejects, report.equity) == (1, EQUITY)
    assert {held.symbol: held.quantity for held in report.positions} == {"AAA": 10.0, "BBB": -40.0}


def test_nothing_is_done_before_positions_are_known(folder):
    one = Trader(folder, TraderSettings(("AAA", "BBB")), ReplayClock(NOW))
    assert one.orders(QUOTES, 0) == ()
    assert not one.reading_due(10**9)
    with pytest.raises(ArtifactError, match="without positions"):
        one.report()
