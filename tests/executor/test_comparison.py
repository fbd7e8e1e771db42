"""The closed loop's account: the parts of its difference from the backtest add up to what was really earned."""

import numpy as np
import pytest

from agent.demo.comparison import Episode, Execution, Funding, attribution, bar_rows, equal_decisions, held_units
from perpfut_lib.artifacts import Leg
from tests.agent.documents import MINUTE, NOW, signal

TIMES = [NOW + k * MINUTE for k in range(6)]
OPENS = {"AAA": [100.0, 101.0, 99.0, 100.5, 102.0, 101.0], "BBB": [20.0, 20.1, 20.3, 20.0, 19.9, 20.2]}
BASE = 10_000.0


def open_price(symbol, time):
    return OPENS[symbol][(time - NOW) // MINUTE]


def decided(bar, y, x):
    legs = (
        Leg(pair="AAA~BBB", symbol="AAA", weight=y, price=100.0),
        Leg(pair="AAA~BBB", symbol="BBB", weight=x, price=20.0),
    )
    moved = {"created_at": TIMES[bar], "expires_at": TIMES[bar] + MINUTE, "bar_close": TIMES[bar]}
    return signal(seq=bar, legs=legs, **moved)


SIGNALS = [
    decided(0, 0.1, -0.08),
    decided(1, 0.2, -0.16),
    decided(2, 0.2, -0.16),
    decided(3, -0.1, 0.08),
    decided(4, 0, 0),
]


def episode(fills, funding=(), replayed=SIGNALS):
    return Episode(SIGNALS, replayed, fills, funding, BASE, TIMES[5], 4.5, 0.8)


def perfect():
    """Return fills of exact units at the opens, at the middle, with the backtest's fee."""
    held, fills = {"AAA": 0.0, "BBB": 0.0}, []
    for number, decision in enumerate([*SIGNALS, decided(4, 0, 0)]):
        for leg in decision.legs:
            change = BASE * leg.weight / leg.price - held[leg.symbol]
            held[leg.symbol] += change
            price = open_price(leg.symbol, TIMES[number])
            if change:
                fills.append(Execution(TIMES[number], leg.symbol, change, price, price, abs(change) * price * 4.5e-4))
    return fills


def wallet(fills, funding=()):
    """Return what the exchange's wallet gained; flat at the end."""
    return -sum(one.quantity * one.price + one.fee for one in fills) + sum(one.amount for one in funding)


def test_a_perfect_execution_differs_by_the_assumed_slippage_alone():
    parts = attribution(episode(perfect()), open_price)
    assert parts["slippage"] > 0
    others = ("decisions", "rounding", "latency", "fees", "funding")
    assert [parts[name] for name in others] == pytest.approx([0.0] * 5, abs=1e-9)
    assert parts["earned"] == pytest.approx(wallet(perfect()), abs=1e-9)


def test_the_parts_add_up_to_the_wallet_whatever_happens():
    """Null: over random lots, delays, prices, fees and funding some money is in no part, or in two."""
    rng = np.random.default_rng(4)
    for _ in range(50):
        fills, held = [], {"AAA": 0.0, "BBB": 0.0}
        for one in perfect():
            quantity = round(one.quantity, 1)
            middle = one.middle * (1 + rng.normal(0, 1e-3))
            price = middle * (1 + rng.normal(0, 1e-4))
            held[one.symbol] += quantity
            time = one.time + int(rng.integers(0, MINUTE))
            fills.append(Execution(time, one.symbol, quantity, price, middle, rng.uniform(0, 1)))
        for symbol, left in held.items():
            price = open_price(symbol, TIMES[5]) * (1 + rng.normal(0, 1e-3))
            fills.append(Execution(TIMES[5] + 5_000, symbol, -left, price, price, 0.1))
        funding = [Funding(TIMES[2], "AAA", float(rng.normal()), 10.0)]
        replayed = [decided(0, 0.1, -0.08), *[decided(k, *rng.uniform(-0.2, 0.2, 2)) for k in range(1, 5)]]
        parts = attribution(episode(fills, funding, replayed), open_price)
        assert parts["earned"] == pytest.approx(wallet(fills, funding), abs=1e-8)
        assert parts["earned"] == pytest.approx(sum(v for k, v in parts.items() if k != "earned"), abs=1e-9)


def test_a_late_fill_is_latency_and_a_worse_price_is_slippage():
    """Bought ten at 100 where the open was 100, the middle by then 101, the price 101.5: 10 late, 5 slipped."""
    fills = perfect()
    first = fills[0]
    fills[0] = Execution(first.time + 30_000, "AAA", 10.0, 101.5, 101.0, first.fee)
    before, after = attribution(episode(perfect()), open_price), attribution(episode(fills), open_price)
    assert after["latency"] - before["latency"] == pytest.approx(-10.0)
    assert after["slippage"] - before["slippage"] == pytest.approx(-5.0)


def test_rows_tell_targets_fills_and_positions():
    rows = bar_rows(episode(perfect()), open_price)
    assert [row["fills"] for row in rows] == [2, 2, 0, 2, 2]
    assert rows[1]["positions"] == pytest.approx({"AAA": 20.0, "BBB": -80.0})
    assert all(row["gap"] == pytest.approx(0.0, abs=1e-9) for row in rows)
    assert held_units(episode(perfect()), TIMES)[4]["AAA"] == pytest.approx(0.0, abs=1e-12)


def test_decisions_are_compared_to_the_last_bit():
    other = [*SIGNALS[:4], decided(4, 1e-17, 0)]
    assert equal_decisions(SIGNALS, SIGNALS) == 5
    assert equal_decisions(SIGNALS, other) == 4
