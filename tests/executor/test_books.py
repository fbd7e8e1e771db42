"""After minutes of random faults audit trail, ledger and exchange say the same, and a ledger that does not is found."""

import json
from unittest.mock import patch

import pytest

from agent.executor.account import Account
from agent.testing.books import compared
from perpfut_lib.report import books_table


@pytest.mark.parametrize("seed", [0, 1])
def test_trail_ledger_and_exchange_agree_after_minutes_of_chaos(seed):
    """Exactly, although the news of some fills died with a process: the exchange lists them."""
    result = compared(seed, 6)
    assert result["differences"] == []
    assert min(result["orders"], result["crashes"], sum(result["shocks"].values())) > 0
    trail, ledger, exchange = (result["books"][name] for name in ("audit trail", "ledger", "exchange"))
    assert trail["positions"] == ledger["positions"] == exchange["positions"]
    for name in ("fills", "fees", "funding", "earned"):
        assert trail[name] == pytest.approx(ledger[name], abs=1e-6) == pytest.approx(exchange[name], abs=1e-4)
    table = books_table(json.loads(json.dumps(result, sort_keys=True)))
    assert list(table.columns) == ["audit trail", "ledger", "exchange"]
    assert table.loc["fills", "exchange"] == str(exchange["fills"])
    assert result["listed"]["fills"] > 0
    assert str(result["listed"]["fills"]) in table.loc["of these from the exchange's list, never heard of"].tolist()


def test_it_replays_exactly():
    assert compared(3, 2) == compared(3, 2)


def test_fees_that_are_not_booked_are_found():
    """Null: the comparison is blind to an executor that forgets what orders cost."""
    with patch.object(Account, "fee", lambda *_: 0.0):
        assert any("fees" in text for text in compared(0, 3)["differences"])
