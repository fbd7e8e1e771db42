"""What was traded and where exchange and ledger differ is read from the executor's audit trail as it grows."""

import json

import pandas as pd
import pytest

from agent.console.break_even import booked_break_even, break_even, policy_fee
from agent.console.trades import Ledger, TradeLog
from agent.executor.trail import Trail
from perpfut_lib.artifacts import Clocks, Run
from tests.agent.documents import perf_snapshot

START = {"resumed": False, "foreign": {}, "left": []}
FILL = {"quantity": "-2.5", "price": 100.0, "fee": 0.1}


@pytest.fixture
def trail(tmp_path):
    """Return a trail whose files are rotated after a few events."""
    found = Trail(tmp_path / "orders", rotate_bytes=400)
    yield found
    found.close()


def test_the_trail_is_followed_over_rotated_files(trail, tmp_path):
    """Every fill counts once, whatever file it lies in and whenever it was read; other events count nothing."""
    log = TradeLog(tmp_path / "orders")
    assert log.follow() == Ledger()
    trail.note("start", Clocks(0, 0), START)
    for number in range(1, 21):
        trail.note("fill", Clocks(number, number), FILL)
        trail.note("order", Clocks(number, number), FILL)
        if number % 3 == 0:
            assert log.follow().turnover == 250.0 * number
    assert len(list((tmp_path / "orders").glob("orders-*.jsonl"))) > 2
    assert log.follow().turnover == TradeLog(tmp_path / "orders").follow().turnover == 5_000.0


def test_new_books_begin_anew_and_resumed_ones_go_on(trail, tmp_path):
    """The turnover belongs to the P&L beside it, which goes on after a restart unless the memory was lost."""
    log = TradeLog(tmp_path / "orders")
    for start in (START, START | {"resumed": True}):
        trail.note("start", Clocks(0, 0), start)
        trail.note("fill", Clocks(0, 0), FILL)
    assert log.follow().turnover == 500.0
    trail.note("start", Clocks(0, 0), START)
    assert log.follow().turnover == 0.0


def test_half_a_line_waits_and_nonsense_is_skipped(tmp_path):
    """A line counts once it is whole; one that makes no sense changes nothing."""
    path, log = tmp_path / "orders.jsonl", TradeLog(tmp_path)
    line = json.dumps(["0", 1, "fill", 5, FILL]).encode() + b"\n"
    path.write_bytes(b'["0",1,"fill",5,{}]\n["fill"\n' + line[:20])
    assert log.follow().turnover == 0.0
    with path.open("ab") as stream:
        stream.write(line[20:])
    assert log.follow().turnover == 250.0


def test_break_even_is_what_was_earned_before_fees_per_side_traded(tmp_path):
    """3 + 1 earned on 10,000 traded are 4 bps per side, 2 of fees are 2; the book's is the evaluation's at that fee."""
    report = perf_snapshot(price_pnl=3.0, funding=1.0, fees=2.0)
    found = break_even(report, Ledger(turnover=10_000.0), None)
    assert (found["realised"], found["fee"]) == pytest.approx((4.0, 2.0))
    assert break_even(report, Ledger(), 1.0) == {"realised": None, "fee": None, "book": 1.0, "turnover": 0.0}
    run = Run(tmp_path / "study")
    assert booked_break_even(run.path, 1.44) is None
    with run.commit("evaluate", {"code": "x"}) as stage:
        head = {"agent": "counterfactual-ppo", "seed": 0, "test_fee_bps": 1.44}
        rows = [head | {"train_fee_bps": fee, "break_even_bps": cost} for fee, cost in ((0.0, 9.0), (1.44, 3.5))]
        stage.write_table("metrics.parquet", pd.DataFrame(rows))
    assert booked_break_even(run.path, policy_fee("fee-1.44_seed-0")) == 3.5
    assert booked_break_even(run.path, policy_fee("z-score")) is None
