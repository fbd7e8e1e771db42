"""Real engine, real connectors, our exchange: after each case the exchange holds the targets, by no order too many."""

import pytest

from perpfut_lib.artifacts import PairReport, Reason, Signal
from perpfut_lib.venue.faults import Disconnect, Drop, Lag, PartialFill, Reject, Status
from tests.hummingbot.bot import PAIRS, Bot, until

LONG = {PAIRS[0]: (0.05, -0.04)}
SHORT = {PAIRS[0]: (-0.05, 0.04)}
BOTH = {PAIRS[0]: (0.05, -0.04), PAIRS[1]: (-0.03, 0.03)}


def test_open(flat: Bot):
    """Two pairs: four orders, and the report says what was done."""
    flat.signal(BOTH)
    flat.settle(4)
    held = {name: float(flat.position(name)) for name in flat.targets}
    until(lambda: reported(flat) == held, "a report of what is held")
    report = flat.snapshot()
    assert report.signal_seq == flat.seq
    wallet = flat.account.wallet + flat.venue.matching.unrealised(flat.account)
    assert report.equity == pytest.approx(float(wallet), rel=1e-4)


def reported(bot: Bot) -> dict[str, float]:
    """Return the positions of the executor's last report."""
    return {one.symbol: one.quantity for one in bot.snapshot().positions if one.quantity}


def test_flip(flat: Bot):
    """Two orders open, two close, two open the other way."""
    flat.signal(LONG)
    flat.settle(2)
    flat.signal(SHORT)
    flat.settle(4)


def test_expiry(flat: Bot):
    """A signal that runs out is closed by two orders, without another word."""
    flat.signal(LONG, seconds=15)
    flat.settle(2)
    flat.targets = {}
    flat.settle(2)


def test_restart(flat: Bot):
    """The engine dies before it can have heard of all fills: the next one takes the positions over and sends nothing.

    From the exchange's list it books what nobody told: trail and account agree on every fill and every fee.
    """
    flat.signal(LONG)
    until(flat.at_target, "the pair is open")
    flat.engine.kill()
    flat.start()
    flat.rests()
    assert flat.at_target()
    assert flat.books_agree()
    flat.signal({})
    flat.settle(2)
    until(flat.books_agree, "every fill and every fee of the account in the trail")


def test_scale(flat: Bot):
    """Up by two orders, down by two reduce-only ones, and not at all for the same target."""
    flat.signal(LONG)
    flat.settle(2)
    flat.signal({PAIRS[0]: (0.1, -0.08)})
    flat.settle(2)
    flat.signal({PAIRS[0]: (0.02, -0.016)})
    flat.settle(2)


def test_a_held_pair_is_kept_and_never_opened(flat: Bot):
    """The agent's data are late: its signal repeats a decision. Nothing is sent, with the position or without."""
    held = (PairReport(pair="~".join(PAIRS[0]), action=None, status="held", reasons=(Reason.HELD,)),)
    flat.signal(LONG, pairs=held)
    flat.targets = {}
    flat.rests(6.0)
    flat.signal(LONG)
    flat.settle(2)
    flat.signal(LONG, pairs=held)
    flat.rests(6.0)


def test_a_corrupt_file_stands_for_the_hold_time_and_is_flat_then(flat: Bot):
    """Torn bytes: the last targets for four seconds, then two orders that close; a whole file opens again."""
    flat.signal(LONG)
    flat.settle(2)
    path = flat.folder.document(Signal)
    path.write_bytes(path.read_bytes()[:-200])
    flat.rests(2.0)
    flat.targets = {}
    flat.settle(2)
    flat.signal(LONG)
    flat.settle(2)


def test_one_refusal_is_tried_again(flat: Bot):
    """The second leg is refused once: the pair stands after three orders, of which the exchange took two."""
    flat.fault(Reject(symbol=PAIRS[0][1], count=1))
    flat.signal(LONG)
    flat.settle(2)


def test_a_leg_that_is_refused_for_good_has_the_other_one_unwound(flat: Bot):
    """The filled leg is closed again; when the exchange takes the other one, both open."""
    before = flat.orders()
    flat.fault(Reject(symbol=PAIRS[0][1]))
    flat.signal(LONG)
    until(lambda: flat.position(PAIRS[0][0]) != 0, "the first leg opens")
    until(lambda: flat.position(PAIRS[0][0]) == 0, "the first leg is unwound")
    assert flat.orders() - before == 2
    wanted, flat.targets = flat.targets, {}
    assert flat.at_target()
    flat.venue.exchange.clear_faults()
    flat.targets = wanted
    until(flat.at_target, "both legs open after the time to cool off")
    flat.rests()


def test_a_partial_fill_is_completed(flat: Bot):
    """Half of the first leg is filled, the rest expires: one more order completes it."""
    flat.fault(PartialFill(symbol=PAIRS[0][0], count=1))
    flat.signal(LONG)
    flat.settle(3)


def test_positions_that_lag_behind_their_fills_change_nothing(flat: Bot):
    """Null: the ledger follows the position endpoint. It tells of eight seconds ago, and nothing is sent for it."""
    flat.fault(Lag(milliseconds=8_000))
    flat.signal(LONG)
    flat.settle(2)
    flat.rests(15.0)  # longer than twice the quiet time: positions have been read, and read again
    flat.signal(SHORT)
    flat.settle(4)


def test_without_websockets_targets_are_reached_by_readings(flat: Bot):
    """All streams are closed and stay closed: no fill is heard, and still neither too few nor too many are sent."""
    for path in ("/private", "/ws"):
        flat.fault(Status(path=path, status=503))
        flat.fault(Disconnect(path=path))
    until(lambda: len(flat.venue.exchange.faults.active()) == 2, "the streams are closed")
    flat.signal(LONG)
    flat.settle(2)
    flat.venue.exchange.clear_faults()
    flat.rests(12.0)
    flat.signal({})
    flat.settle(2)


def test_an_order_of_which_the_answer_is_lost_is_not_sent_twice(flat: Bot):
    """The exchange carries it out and closes the connection: Hummingbot calls it failed, the fill says otherwise."""
    path = "/fapi/v1/order" if flat.connector.startswith("binance") else "/exchange"
    flat.fault(Drop(path=path, after=True, count=1))
    flat.signal(LONG)
    flat.settle(2)


def test_the_operators_kill_switch_is_obeyed_without_a_new_signal(flat: Bot):
    """Two orders close everything; a fresh signal does not open before the operator allows it."""
    flat.signal(LONG)
    flat.settle(2)
    flat.order_to(kill=True)
    wanted, flat.targets = flat.targets, {}
    flat.settle(2)
    flat.signal(LONG)
    flat.targets = {}
    flat.rests()
    flat.order_to()
    flat.targets = wanted
    flat.signal(LONG)
    flat.settle(2)


def test_a_kill_in_the_signal_is_obeyed(flat: Bot):
    """The agent's own kill closes everything at once."""
    flat.signal(BOTH)
    flat.settle(4)
    flat.signal({}, kill=True)
    flat.settle(4)


def test_stop_is_flat(flat: Bot):
    """SIGTERM closes everything before the connector goes away."""
    flat.signal(BOTH)
    flat.settle(4)
    flat.targets = {}
    assert flat.engine.stop() == 0
    assert flat.at_target()
    assert flat.said("stopped flat") == 1
