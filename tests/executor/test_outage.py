"""Everything of ours is dead: what the exchange does by itself bounds the loss, but for a gap beyond a stop."""

import pytest

from agent.testing.outage import HELD_TICKS, MARKETS, OPENING_TICKS, die, outage
from perpfut_lib.config import SimulationConfig
from perpfut_lib.types import HOUR_MS
from perpfut_lib.venue.tape import Tape

GAPLESS = [market for market in MARKETS if not market.gap]
NOISE = 0.004
"""Funding, and the spread between mark and last price, over seven hours, as a share of equity."""


@pytest.fixture(scope="module")
def tape():
    return Tape.simulated(SimulationConfig(days=5, symbols=4, planted_pairs=2))


@pytest.mark.parametrize("market", GAPLESS, ids=lambda one: one.name)
def test_stops_bound_the_loss_of_a_dead_executor(tape, market):
    """Null: in some market more is lost than lies between prices and stops when we die."""
    loss = die(tape, market, HELD_TICKS, tape.start + 24 * HOUR_MS, stops=True)
    assert (loss.bound < 0.2, loss.bare) == (True, 0.0)
    assert loss.lost <= loss.bound + NOISE
    assert not loss.liquidated


def test_without_stops_the_same_markets_take_nearly_everything(tape):
    losses = [die(tape, market, HELD_TICKS, tape.start + 24 * HOUR_MS, stops=False) for market in GAPLESS]
    assert max(one.lost for one in losses) > 0.9
    assert any(one.liquidated for one in losses)


def test_a_gap_goes_through_a_stop(tape):
    """Stops are no insurance against a jump: the table says so, and the bound does not hold."""
    gap = next(market for market in MARKETS if market.gap)
    loss = die(tape, gap, HELD_TICKS, tape.start + 24 * HOUR_MS, stops=True)
    assert loss.lost > loss.bound + NOISE


def test_while_a_pair_is_opened_only_what_was_filled_in_the_last_three_seconds_has_no_stop(tape):
    """Null: at some second of the opening an older part of the position is bare."""
    start, market = tape.start + 24 * HOUR_MS, MARKETS[0]
    held = [die(tape, market, tick, start, stops=False).bare for tick in range(OPENING_TICKS)]
    bare = [die(tape, market, tick, start, stops=True).bare for tick in range(OPENING_TICKS)]
    assert held[-1] > 1.7
    assert max(bare) > 0.1
    for tick in range(3, OPENING_TICKS):
        assert bare[tick] <= max(held[tick] - held[tick - 3], 0.0) + 1e-3


def test_the_table_has_a_row_per_market_and_moment():
    table = outage(starts=1)
    assert len(table["rows"]) == 2 * len(MARKETS)
    holding = [row for row in table["rows"] if row["moment"] == "holding"]
    assert all(row["bare"] == 0.0 for row in holding)
    assert all(row["lost_with"] <= row["bound"] + NOISE for row in holding if "gap" not in row["market"])
