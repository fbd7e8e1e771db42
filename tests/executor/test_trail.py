"""The audit trail: a chain that shows every change, and sums that agree with the ledger."""

import pytest

from agent.executor.audit import account_of, against_positions, audit
from agent.executor.snapshots import Reading
from agent.executor.trades import History, Payment
from agent.executor.trail import NAME, Trail, events
from perpfut_lib.artifacts import Clocks
from perpfut_lib.errors import ArtifactError, MissingInputError
from tests.agent.documents import NOW
from tests.executor.by_hand import QUOTES, D, fill, refuse, trade, trader

CLOCKS = Clocks(1_000, 1)


def written(folder, count=5, rotate_bytes=10**6):
    trail = Trail(folder, rotate_bytes)
    for number in range(count):
        trail.note("order", CLOCKS, {"id": str(number), "reason": "ok"})
    trail.close()
    return folder / NAME


def test_a_trail_is_read_as_it_was_written_through_rotations(tmp_path):
    written(tmp_path, 7, rotate_bytes=150)
    written(tmp_path, 3)
    found = list(events(tmp_path))
    assert [event.number for event in found] == list(range(1, 11))
    assert [event.body["id"] for event in found] == [*map(str, range(7)), *map(str, range(3))]
    assert len(list(tmp_path.glob("orders-*.jsonl"))) >= 2


@pytest.mark.parametrize("change", ["edited", "deleted", "swapped", "inserted"])
def test_a_changed_trail_is_refused(tmp_path, change):
    """Null: a line can be edited, deleted, moved or added without notice."""
    path = written(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    changed = {
        "edited": [*lines[:2], lines[2].replace(b'"ok"', b'"no"'), *lines[3:]],
        "deleted": [*lines[:2], *lines[3:]],
        "swapped": [lines[1], lines[0], *lines[2:]],
        "inserted": [*lines[:2], lines[1], *lines[2:]],
    }
    path.write_bytes(b"".join(changed[change]))
    with pytest.raises(ArtifactError, match="chain"):
        list(events(tmp_path))


def test_a_torn_last_line_is_cut_off_and_said(tmp_path):
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:-9])
    assert len(list(events(tmp_path))) == 4
    trail = Trail(tmp_path)
    assert trail.torn
    trail.note("end", CLOCKS, {"rejected": 0})
    trail.close()
    assert [event.number for event in events(tmp_path)] == [1, 2, 3, 4, 5]


def test_a_trail_that_ends_in_something_else_does_not_stop_the_executor(tmp_path, caplog):
    """Null: one line of somebody else's, and the executor cannot start, so that nothing can be closed."""
    path = written(tmp_path)
    path.write_bytes(path.read_bytes() + b"{}\n")
    trail = Trail(tmp_path)
    assert trail.torn
    assert "set aside" in caplog.text
    trail.note("order", CLOCKS, {"id": "1"})
    trail.close()
    assert len(list(events(tmp_path))) == 1
    assert (tmp_path / f"{NAME}.unreadable").exists()


def test_no_trail_is_said(tmp_path):
    with pytest.raises(MissingInputError, match="no orders"):
        list(events(tmp_path))


def test_a_full_disk_leaves_the_trail_whole(tmp_path, monkeypatch):
    """Null: half of a line stays, and the next one breaks the chain."""
    path = written(tmp_path)
    trail = Trail(tmp_path)
    monkeypatch.setattr("agent.executor.trail.os.fsync", _full)
    with pytest.raises(OSError, match="space"):
        trail.note("order", CLOCKS, {})
    monkeypatch.undo()
    trail.note("order", CLOCKS, {"id": "6"})
    trail.close()
    assert len(list(events(tmp_path))) == 6
    assert path.exists()


def _full(_descriptor):
    raise OSError(28, "no space left")


def test_positions_fees_and_profit_are_rebuilt_from_the_trail_alone(folder):
    """Fills, refusals, a reading, a payment, a deposit and a restart: trail, ledger and exchange agree."""
    one = trader(folder)
    trade(one)
    for asked, rows in ((60_000, ()), (70_000, (Payment(D("-2.5"), NOW),))):
        lists = {"AAA": History(NOW, rows)}
        one.read(Reading({"AAA": D(10), "BBB": D(-40)}, equity=12_000.0, history=lists), asked)
    assert one.account.books.funding == -2.5
    for asked in (80_000, 110_000):
        one.read(Reading({"AAA": D(10)}, equity=11_990.0), asked)
    refuse(one, 130_000, start=111_000)
    again = trader(folder, {"AAA": D(10)}, equity=11_980.0)
    assert trade(again, now=40_000) == {"AAA": D(-10)}
    again.report()
    told, wrong = account_of(folder.path)
    assert wrong == []
    assert told["positions"] == {"AAA": "0", "BBB": "0"}
    assert told["equity"] == pytest.approx(again.account.equity)
    found = audit(events(folder.trail))
    assert against_positions(found, {}) == []
    assert against_positions(found, {"AAA": D(1)}) == ["AAA: 0 by the trail, 1 by the exchange"]


def test_a_fill_without_an_order_is_a_fault(folder):
    """The exchange tells of a trade that nobody here has asked for."""
    one = trader(folder)
    fill(one, "stranger", D(1), QUOTES["AAA"].price, 1_000)
    _, wrong = account_of(folder.path)
    assert wrong == ["a fill of order stranger, which was never sent"]
