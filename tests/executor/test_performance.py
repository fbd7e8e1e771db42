"""Targets in units, and the executor's own books."""

from decimal import Decimal

import numpy as np
import pytest

from agent.executor.performance import Fill, Performance
from agent.executor.targets import Base, pairs_of, prices_of, units_of
from perpfut_lib.artifacts import Leg

LEGS = (
    Leg(pair="A~B", symbol="A", weight=0.1, price=50.0),
    Leg(pair="A~B", symbol="B", weight=-0.08, price=20.0),
    Leg(pair="C~B", symbol="C", weight=0.1, price=1.0),
    Leg(pair="C~B", symbol="B", weight=-0.02, price=20.0),
)


def test_units_are_equity_times_weight_over_price_summed_over_pairs():
    base = Base(0, 10_000.0)
    assert units_of(LEGS, base) == {"A": Decimal(20), "B": Decimal(-50), "C": Decimal(1000)}
    assert units_of(LEGS, base, Decimal(1_000)) == {"A": Decimal(2), "B": Decimal(-5), "C": Decimal(100)}
    assert prices_of(LEGS)["B"] == 20
    assert pairs_of(LEGS) == (("A", "B"), ("C", "B"))


def test_the_base_moves_with_the_window_alone():
    """Null: equity that is earned within a window changes the size of its positions."""
    base = Base(-1, 100.0).moved(5, 110.0)
    assert base == Base(5, 110.0)
    assert base.moved(5, 120.0) == base.moved(None, 120.0) == base
    assert base.moved(6, 120.0) == Base(6, 120.0)


def test_the_books_add_up_over_random_fills():
    """Price P&L plus funding less fees is the change of equity, whatever is traded at whatever price."""
    rng = np.random.default_rng(1)
    positions, marks = {"A": 3.0, "B": -2.0}, {"A": 100.0, "B": 50.0}
    books = Performance.begun(10_000.0, positions, marks)
    wallet = 10_000.0 - 3 * 100.0 + 2 * 50.0  # what is left if the positions are sold at the start's marks
    for _ in range(200):
        symbol = str(rng.choice(["A", "B"]))
        quantity, price, fee = rng.normal(), marks[symbol] * (1 + rng.normal(0, 1e-3)), rng.uniform(0, 1)
        books = books.booked(Fill(quantity, price, fee, price, 100.0))
        positions[symbol] += quantity
        wallet -= quantity * price + fee
        marks = {name: mark * (1 + rng.normal(0, 1e-3)) for name, mark in marks.items()}
        books = books.marked(positions, marks)
    books = books.paid(-3.0)
    worth = wallet - 3.0 + sum(positions[name] * marks[name] for name in marks)
    assert books.equity(positions, marks) == pytest.approx(worth, abs=1e-9)
    assert books.equity(positions, marks) - books.start_equity == pytest.approx(
        books.price_pnl(positions, marks) + books.funding - books.fees, abs=1e-9
    )
    assert books.peak >= books.start_equity
    assert Performance.from_json(books.to_json()) == books


def test_slippage_is_against_the_signals_price_and_positive_when_worse():
    """A buy above and a sale below the signal's price are both worse; fills without a signal do not count."""
    books = Performance.begun(1.0, {}, {})
    books = books.booked(Fill(1.0, 101.0, 0.0, 100.0, 10.0)).booked(Fill(-1.0, 99.0, 0.0, 100.0, 30.0))
    assert books.slippage_bps == pytest.approx(100.0)
    assert books.booked(Fill(-5.0, 50.0, 0.0, None, None)).slippage_bps == pytest.approx(100.0)
    assert (books.latency_ms, books.fills) == (20.0, 2)


def test_a_reading_that_differs_changes_no_equity():
    """Units that turn up without a fill are booked at the mark."""
    books = Performance.begun(100.0, {}, {}).corrected(2.0, 10.0)
    assert books.equity({"A": 2.0}, {"A": 10.0}) == 100.0
