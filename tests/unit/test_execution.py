"""Limit orders at the touch: filled only when traded through, the rest at the market; accounts by hand."""

import numpy as np
import pandas as pd
import pytest

from perpfut_lib.accounting import make_market
from perpfut_lib.config import load_profile
from perpfut_lib.env.stage import cut_market
from perpfut_lib.frontier.execution import (
    BUYS,
    EXECUTIONS,
    SELLS,
    Bars,
    cut_bars,
    execute,
    execute_units,
    price_step,
    quotes,
    units_of,
)
from perpfut_lib.frontier.rules import settle_sides
from perpfut_lib.frontier.study import EXECUTION_COLUMNS
from perpfut_lib.frontier.sums import Sums
from perpfut_lib.report import execution_findings, execution_table
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import DAY_MS, MINUTE_MS

STEP = 0.1


def bars_of(lows, highs, opens, before=100.0):
    """Return the bars of one episode whose legs look alike, one decision and then nothing."""
    shape = (1, len(opens), 2)

    def both(values):
        return np.broadcast_to(np.array(values, float)[None, :, None], shape).copy()

    return Bars(both(opens), both(highs), both(lows), both([before] * len(opens)), np.full((1, 2), STEP))


@pytest.mark.parametrize(
    ("low", "price", "maker"),
    [
        (99.90, 101.0, False),  # touches the limit of 99.95 within less than a step: the queue is not served
        (99.96, 101.0, False),
        (99.85, 99.95, True),  # a whole step through it
        (95.00, 99.95, True),  # however far: at its own price
    ],
)
def test_a_limit_fills_when_it_is_traded_through_and_else_the_market_does(low, price, maker):
    """A buy waits half a step below the last close for one bar, and then pays the next open."""
    quoted = quotes(bars_of([low, 90.0], [110.0, 110.0], [100.0, 101.0]), np.ones(1), "maker/maker", 1)
    assert quoted.price[0, 0, 0, BUYS] == pytest.approx(price)
    assert quoted.maker[0, 0, 0, BUYS] == maker


def test_the_second_leg_goes_to_the_market_at_the_open_after_the_first_one_s_fill():
    """With patience for three bars and a fill in the second, the hedge is bought at the third bar's open."""
    bars = bars_of([99.99, 99.0, 99.99, 99.99], [100.01] * 4, [100.0, 100.1, 100.2, 100.3])
    quoted = quotes(bars, np.ones(1), "maker/taker", 3)
    assert quoted.price[0, 0, 0, BUYS] == pytest.approx(99.95)
    assert quoted.price[0, 0, 1, BUYS] == 100.2
    assert not quoted.maker[0, 0, 1].any()
    assert quoted.price[0, 0, 0, SELLS] == 100.3  # never traded through: at the market when patience ends


def test_legs_with_a_negative_hedge_ratio_wait_on_the_same_side():
    """Where both legs are bought together, the second one's limit is below the last close, too."""
    bars = bars_of([99.0, 99.0], [100.01, 100.01], [100.0, 100.0])
    assert quotes(bars, -np.ones(1), "maker/maker", 1).price[0, 0, 1, BUYS] == pytest.approx(99.95)
    assert quotes(bars, np.ones(1), "maker/maker", 1).price[0, 0, 1, BUYS] == 100.0  # a sale that was not reached


def market_panel(seed=3, days=4, noise=0.0):
    """Return a panel of two symbols that walk together, with bars around each close."""
    rng = np.random.default_rng(seed)
    minutes = days * DAY_MS // MINUTE_MS
    log_price = np.cumsum(rng.normal(0.0, 4e-4, (minutes, 1)), axis=0) + rng.normal(0.0, noise, (minutes, 2))
    close = np.round(100.0 * np.exp(log_price), 2)
    opens = np.concatenate([close[:1], close[:-1]])
    reach = np.abs(rng.normal(0.0, 3e-4, close.shape)) * close
    high, low = np.maximum(opens, close) + reach, np.minimum(opens, close) - reach
    start = pd.Timestamp("2025-01-01", tz="UTC").value // 1_000_000
    times = start + MINUTE_MS * np.arange(minutes)
    volume = np.full(close.shape, 1e6)
    filled = np.zeros(close.shape, bool)
    return Panel(times, ("AAA", "BBB"), MINUTE_MS, opens, high, low, close, volume, filled, {}), start


@pytest.fixture(scope="module")
def world():
    panel, start = market_panel()
    days = [{"start": start + k * DAY_MS, "end": start + (k + 1) * DAY_MS, "y": "AAA", "x": "BBB"} for k in (1, 2)]
    pair_days = pd.DataFrame(days).assign(beta=1.0, alpha=0.0)
    market, _ = cut_market(panel, pair_days, load_profile("smoke"))
    held = np.repeat(np.array([[1.0, 0.0, -1.0, 1.0] * 6, [0.0, -1.0, 1.0, 0.0] * 6]), 60, axis=1)
    return panel, pair_days, market, held


def test_market_orders_come_to_what_the_ledger_says(world):
    """Taker on both legs equals the study's ledger but for compounding, which is tiny in two days."""
    panel, pair_days, market, held = world
    quoted = quotes(cut_bars(panel, pair_days, 1), np.ones(2), "taker/taker", 1)
    done, book = execute(held, market, np.ones(2), quoted), settle_sides(held, market, np.ones(2))
    assert done.gross == pytest.approx((book.price + book.funding).sum(axis=1), abs=2e-4)
    assert done.traded == pytest.approx((book.turnover * book.equity[:, :-1]).sum(axis=1), rel=2e-3)
    assert not done.maker.any()


def test_accounts_of_limit_orders_are_those_of_a_loop(world):
    """Cash by hand: every change of side trades both legs at their quotes, the end flattens at the market."""
    panel, pair_days, market, held = world
    quoted = quotes(cut_bars(panel, pair_days, 1), np.ones(2), "maker/maker", 1)
    done = execute(held, market, np.ones(2), quoted)
    assert 0.0 < done.maker.sum() < done.traded.sum()
    for episode in range(2):
        cash, quantity, before = 0.0, np.zeros(2), 0.0
        for step, side in enumerate([*held[episode], 0.0]):
            if side != before:
                last = step == held.shape[1]
                price = (
                    market.fills[episode, -1]
                    if last
                    else quoted.price[episode, step, :, BUYS if side > before else SELLS]
                )
                wanted = np.zeros(2) if side == 0.0 else side * np.array([0.5, -0.5]) / market.marks[episode, step]
                cash -= float((wanted - quantity) @ price)
                quantity, before = wanted, side
        assert done.gross[episode] == pytest.approx(cash, abs=1e-12)


def test_legs_that_drift_apart_trade_on_their_own_sides():
    """Both legs bought at once, though the pair is long against short: each waits at its own bid, or follows."""
    bars = bars_of([99.0] * 4, [101.0] * 4, [100.0, 100.5, 100.5, 100.5])
    fills = np.full((1, 3, 2), 100.5)
    market = make_market(fills, fills[:, :2], np.zeros((1, 2, 2)))
    units = np.array([[[1.0, 2.0], [1.0, 2.0]]])
    done = execute_units(units, market, quotes(bars, np.ones(1), "maker/maker", 1))
    assert done.gross[0] == pytest.approx(3.0 * (100.5 - 99.95))
    assert done.maker[0] == pytest.approx(3.0 * 99.95)
    done = execute_units(units, market, quotes(bars, np.ones(1), "maker/taker", 1))
    assert done.gross[0] == pytest.approx(100.5 - 99.95)  # the second leg at the open after the first one's fill
    assert done.maker[0] == pytest.approx(99.95)


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_sides_are_units_that_stay_until_the_side_changes(world, execution):
    """The same trades, whether sides or the units behind them are given; a unit asked for again trades nothing."""
    panel, pair_days, market, held = world
    quoted = quotes(cut_bars(panel, pair_days, 1), np.ones(2), execution, 1)
    units = np.zeros((*held.shape, 2))
    for episode in range(2):
        for step, side in enumerate(held[episode]):
            same = step > 0 and side == held[episode, step - 1]
            units[episode, step] = (
                units[episode, step - 1] if same else side * np.array([0.5, -0.5]) / market.marks[episode, step]
            )
    for one, other in zip(execute(held, market, np.ones(2), quoted), execute_units(units, market, quoted), strict=True):
        assert one.tobytes() == other.tobytes()


def test_a_ledger_s_units_are_those_that_it_holds(world):
    """Units that come back from weights and equity earn what the ledger says they earned."""
    _, _, market, held = world
    book = settle_sides(held, market, np.ones(2))
    units = units_of(book, market.fills)
    earned = (units * np.diff(market.fills, axis=1)).sum(axis=2)
    assert earned == pytest.approx(book.price, abs=1e-12)


def test_funding_is_paid_by_what_is_held():
    """One long unit of each leg pays its own funding while it is held, and no longer."""
    fills = np.full((1, 4, 2), 100.0)
    funding = np.zeros((1, 3, 2))
    funding[0, 1] = [0.3, 0.1]
    market = make_market(fills, fills[:, :3], funding)
    bars = bars_of([100.0] * 5, [100.0] * 5, [100.0] * 5)
    done = execute(np.array([[1.0, 1.0, 0.0]]), market, np.ones(1), quotes(bars, np.ones(1), "taker/taker", 1))
    assert done.gross[0] == pytest.approx(-(0.5 * 0.3 - 0.5 * 0.1) / 100.0)


def test_every_execution_is_offered_and_a_price_step_is_the_smallest_difference():
    assert EXECUTIONS[0] == "taker/taker"
    assert price_step(np.array([100.0, 100.3, 100.1, np.nan])) == pytest.approx(0.1)


def published(edge_taker, edge_limit):
    """Return two published periods whose rule earns so many basis points per side by execution."""
    rng = np.random.default_rng(5)
    cells = []
    planted = {"taker/taker": (edge_taker, 0.0), "maker/taker": (0.0, 0.4), "maker/maker": (edge_limit, 0.8)}
    for execution, (edge, share) in planted.items():
        traded = rng.uniform(5.0, 15.0, 26)
        sums = Sums.of(1e-4 * (edge + rng.normal(0.0, 0.1, 26)) * traded, traded)
        cells.append([120, 1, execution, 2.0, 0.5, 0, *sums.values(), share * sums.traded])
    period = {"simulated": False, "bar": 1, "windows": 26, "window_days": 1.0}
    period |= {"execution_columns": list(EXECUTION_COLUMNS), "executions": cells}
    return {name: period | {"start": name} for name in ("2024", "2025")}


def test_what_limit_orders_lose_is_said():
    """A planted loss of two basis points, and a planted gain, are told as they are."""
    said = execution_findings(published(3.0, 1.0))
    assert "lower than with market orders in 1 of 1" in said
    assert "80 to 80 % of the notional" in said
    assert "in 0 of 1 combinations" in execution_findings(published(1.0, 3.0))


def test_the_maker_fee_that_leaves_nothing_is_a_line():
    """At 80 % limits, 3 bps gross and a taker fee of 1.44 it is (3 - 0.2 x 1.44) / 0.8."""
    (table,) = [execution_table(published(1.0, 3.0))]
    assert float(table.iloc[0, -1]) == pytest.approx((3.0 - 0.2 * 1.44) / 0.8, abs=0.1)
