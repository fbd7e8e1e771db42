"""Carry between two venues: planted funding differences are earned to the last digit, and nothing later is seen."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from perpfut_lib.accounting import BPS, Costs, settle
from perpfut_lib.config import load_profile
from perpfut_lib.errors import SchemaError, SplitError
from perpfut_lib.evaluate.rollout import rollout
from perpfut_lib.frontier.carry import BLOCK_DAYS, FIRST_DAYS, FREE, LOOKBACKS, Fees, choices, net_of_fees, study_carry
from perpfut_lib.frontier.venues import (
    CarryRule,
    Days,
    by_day,
    funding_advantage,
    joined_panel,
    traded_by_leg,
    venue_episodes,
)
from perpfut_lib.report.carry import carry_findings, carry_lines, carry_rows, carry_table
from perpfut_lib.store.panel import FundingEvents, Panel
from perpfut_lib.types import DAY_MS, HOUR_MS

START = 20_000 * DAY_MS
WARM = max(LOOKBACKS)
DAYS = WARM + FIRST_DAYS + 2 * BLOCK_DAYS
PAIRS = (("AAAUSDT", "AAA"), ("BBBUSDT", "BBB"))


def make_panel(symbols, rates, every, *, noise=0.0, seed=0, days=DAYS):
    """Return one venue: prices of 100 that wander by ``noise`` an hour, and a constant rate per settlement."""
    bars = days * 24
    time = START + HOUR_MS * np.arange(bars)
    moves = np.random.default_rng(seed).normal(0.0, noise, (bars, len(symbols))) if noise else np.zeros((bars, 2))
    close = 100.0 * np.exp(np.cumsum(moves, axis=0))
    opens = np.concatenate([close[:1], close[:-1]])
    stamps = np.arange(START, START + days * DAY_MS + 1, every * HOUR_MS)
    funding = {
        symbol: FundingEvents(stamps, np.full(len(stamps), rate)) for symbol, rate in zip(symbols, rates, strict=True)
    }
    held = np.zeros(close.shape, bool)
    high, low = np.maximum(opens, close), np.minimum(opens, close)
    return Panel(time, symbols, HOUR_MS, opens, high, low, close, np.ones_like(close), held, funding)


def venues(first_rates, second_rates, *, seed=0, **options):
    """Return both venues on one panel: the first settles every eight hours, the second every hour."""
    first = make_panel(("AAAUSDT", "BBBUSDT"), first_rates, 8, seed=seed, **options)
    return joined_panel(first, make_panel(("AAA", "BBB"), second_rates, 1, seed=seed + 1, **options))


@pytest.fixture(scope="module")
def profile():
    return load_profile("carry-binance")


@pytest.mark.parametrize("fees", [Fees(0.0, 0.0), Fees(5.0, 3.5)])
def test_the_planted_carry_is_earned_less_fees_and_nothing_else(profile, fees):
    """No price moves: a coin earns exactly its settlements on half its capital each side, less four fees of a half.

    The first coin's funding is 2 bps an hour on the second venue and 8 bps every eight hours on the first; the other
    coin's is the same on both, so that it is never held.
    """
    panel, pairs = venues((8e-4, 8e-4), (2e-4, 1e-4))
    assert pairs == PAIRS
    found = study_carry(panel, pairs, profile, [fees])
    (row,), hours = found["rows"], found["days"] * 24
    # In an hour after the first decision, out an hour before the end; of capital that has paid for its entry, and been
    # paid once, when exposure is brought back to one.
    paid = 0.5 * sum(fees) * BPS
    size = 1.0 - max(0.0, paid - 0.5 * 2e-4)
    settled = 2e-4 + size * 2e-4 * (hours - 3) - size * 8e-4 * sum(hour % 8 == 0 for hour in range(2, hours))
    assert sum(row["price"]) == 0.0
    assert sum(row["funding"]) == pytest.approx(0.5 * 0.5 * settled, rel=1e-5)  # two coins share the capital
    assert [sum(leg) for leg in row["traded"]] == pytest.approx([0.5, 0.5], rel=1e-5)
    (told,) = carry_rows(found)
    assert told.net["days"].estimate * found["days"] / 365 == pytest.approx(0.25 * settled - 0.5 * 2 * paid, rel=1e-5)
    assert told.coins_that_gain == 1
    assert told.break_even.estimate == pytest.approx(1e4 * 0.25 * settled, rel=1e-5)


def test_the_ledger_s_own_fees_are_those_that_are_charged_where_both_venues_ask_the_same(profile):
    """Price, funding and fees by venue sum to what the ledger's equity gained, coin by coin, on wandering prices."""
    panel, pairs = venues((1e-4, -3e-4), (1e-4, 1e-4), noise=0.01)
    span = START + WARM * DAY_MS, int(panel.open_time[-1])
    times = panel.open_time[panel.row(span[0]) : -1]
    episodes = venue_episodes(panel, pairs, span, funding_advantage(panel, pairs, times, 3) / 0.2, profile)
    book = rollout(episodes, CarryRule(), Costs(4.5 * BPS, 0.0)).ledger
    days = by_day(book, episodes)
    gained = (book.equity[:, -1] - 1.0).mean()
    assert net_of_fees(days, Fees(4.5, 4.5)).sum() == pytest.approx(gained, abs=1e-12)
    # The notional of both legs is the ledger's own, up to the flattening, which it counts over another equity.
    own = traded_by_leg(book, episodes.fills).sum(axis=2)
    assert own[:, :-1] == pytest.approx((book.turnover * book.equity[:, :-1])[:, :-1], abs=1e-12)
    assert book.residual() <= 1e-12


def test_the_rule_s_positions_are_those_of_a_loop(profile):
    """An oracle by hand: hysteresis, units that stay, full exposure at most; settled by the same ledger."""
    panel, pairs = venues((0.0, 0.0), (0.0, 0.0), noise=0.02, seed=4)
    span = START + WARM * DAY_MS, START + (WARM + 20) * DAY_MS
    length = (span[1] - span[0]) // HOUR_MS
    rng = np.random.default_rng(8)
    seen = np.cumsum(rng.normal(0.0, 0.2, (2, length)), axis=1)
    episodes = venue_episodes(panel, pairs, span, seen, profile)
    done = rollout(episodes, CarryRule(), FREE)
    weights = np.zeros((2, length, 2))
    for coin in range(2):
        side, units, cash = 0.0, np.zeros(2), 1.0
        for step in range(length):
            marks, fills, value = episodes.marks[coin, step], episodes.fills[coin, step], np.float32(seen[coin, step])
            equity = cash + units @ marks
            stays = side != 0.0 and side * value > 0.5
            wanted = np.sign(value) if abs(value) > 1.0 else side if stays else 0.0
            held = units * marks / equity
            full = abs(held).sum() > 1.0 + 1e-6  # of a spread that is held, the legs are half and half again
            weights[coin, step] = held if wanted == side and not full else wanted * np.array([0.5, -0.5])
            bought = weights[coin, step] * equity / marks - units
            units, cash, side = units + bought, cash - bought @ fills, wanted
    assert done.target == pytest.approx(weights, abs=2e-6)
    again = settle(done.target, episodes.market, FREE)
    assert again.equity == pytest.approx(done.ledger.equity, abs=1e-12)
    assert len(np.unique(np.sign(done.target[..., 0]))) == 3


def test_what_comes_later_changes_nothing_that_was_held_before(profile):
    """Prices and rates behind a moment are replaced: choices and positions of all days before it keep every bit."""
    panel, pairs = venues((1e-4, -3e-4), (1e-4, 1e-4), noise=1e-3)
    row = 24 * (WARM + FIRST_DAYS + BLOCK_DAYS + 5)
    cut = int(panel.open_time[row])

    def later(values):
        changed = values.copy()
        changed[row:] *= 1.3
        return changed

    prices = {name: later(getattr(panel, name)) for name in ("open", "high", "low", "close")}
    rates = {
        name: FundingEvents(one.time, np.where(one.time > cut, -one.rate, one.rate))
        for name, one in panel.funding.items()
    }
    before, after = (
        study_carry(each, pairs, profile, [Fees(1.0, 1.0)])["rows"][0]
        for each in (panel, replace(panel, funding=rates, **prices))
    )
    assert before["chosen"] == after["chosen"]
    known = BLOCK_DAYS + 5 - 1  # the day of the cut itself has fills on both sides of it
    for name in ("price", "funding"):
        assert before[name][:known] == after[name][:known]
        assert before[name] != after[name]


def test_thresholds_are_those_that_earned_most_on_earlier_days():
    """Whatever the later days bring, a block's choice is the best of the days before it; none where none gained."""
    rng = np.random.default_rng(1)
    for _, fees in product(range(20), (Fees(0.0, 0.0), Fees(50.0, 10.0))):
        earned = {
            (days, limit): Days(rng.normal(0.0, 1e-3, 40), rng.normal(0.0, 1e-3, 40), rng.uniform(0.0, 0.2, (40, 2)))
            for days, limit in product((1, 7), (0.1, 0.4))
        }
        for block, chosen in zip((10, 30), choices(earned, (10, 30), fees), strict=True):
            net = {
                name: float((one.price + one.funding)[:block].sum())
                - 1e-4 * float(fees.first * one.traded[:block, 0].sum() + fees.second * one.traded[:block, 1].sum())
                for name, one in earned.items()
            }
            best = max(net, key=net.get)
            assert chosen == (best if net[best] > 0.0 else None)


def test_a_settlement_is_known_from_its_own_time_on():
    """At the very hour of a settlement its rate counts; one that is a millisecond late is still that hour's."""
    panel, pairs = venues((8e-4, 8e-4), (1e-4, 1e-4))
    late = {name: FundingEvents(one.time + 9, one.rate) for name, one in panel.funding.items()}
    times = START + np.array([WARM * DAY_MS - HOUR_MS, WARM * DAY_MS])
    for rates in (panel.funding, late):
        found = funding_advantage(replace(panel, funding=rates), pairs, times, 1)
        assert found == pytest.approx(np.array([[365 * (24e-4 - 24e-4)] * 2] * 2), abs=1e-12)
    only = {"AAA": FundingEvents(np.array([START + WARM * DAY_MS]), np.array([1e-3]))}
    found = funding_advantage(replace(panel, funding=only), pairs, times, 1)
    assert found[0] == pytest.approx([0.0, 0.365])


def test_venues_that_do_not_fit_together_are_refused(profile):
    first = make_panel(("AAAUSDT", "BBBUSDT"), (0.0, 0.0), 8)
    with pytest.raises(SchemaError, match="the same bars"):
        joined_panel(first, make_panel(("AAA", "BBB"), (0.0, 0.0), 1, days=DAYS - 1))
    with pytest.raises(SchemaError, match="no coin on both"):
        joined_panel(first, make_panel(("CCC", "DDD"), (0.0, 0.0), 1))
    panel, pairs = venues((0.0, 0.0), (0.0, 0.0), days=WARM + FIRST_DAYS)
    with pytest.raises(SplitError, match=r"found 56 days .* 112 days or more"):
        study_carry(panel, pairs, profile, [Fees(0.0, 0.0)])


def test_what_is_published_is_what_is_said(profile):
    """Table and sentences of a planted study, one fee that it bears and one that it does not."""
    found = study_carry(*venues((0.0, 0.0), (1e-5, 1e-5)), profile, [Fees(0.0, 0.0), Fees(500.0, 400.0)])
    table = carry_table(found)
    assert list(table.index) == ["0 / 0", "500 / 400"]
    assert table.loc["0 / 0", "coins that gain"] == 2
    assert table.loc["500 / 400", "traded a day"] == "0.000"  # no threshold had gained on earlier days
    said = carry_findings(found)
    assert "2 coins, 56 days from" in said and "(500 / 400 bps) it never trades" in said
    assert said.endswith("alike is the net return at fees of 0 / 0 bps.")
    assert len(list(carry_lines(found))) == 2
    assert carry_findings({}).startswith("*Carry between venues is not published")


def test_one_good_month_is_no_result():
    """Null hypothesis: a return that one of six blocks of four weeks earned shows. Its days alone would say so."""
    days, rng = 168, np.random.default_rng(2)
    funding = np.where(np.arange(days) < 28, 1e-3, 0.0) + rng.normal(0.0, 1e-5, days)
    row = {"fees_bps": [0.0, 0.0], "price": [0.0] * days, "funding": funding.tolist(), "traded": [[0.01] * days] * 2}
    (told,) = carry_rows({"rows": [row | {"exposure": 1.0, "holding_days": 3.0, "by_coin": [0.1]}]})
    assert told.net["days"].lower > 0.0 > told.net["blocks of four weeks"].lower
    assert not told.shows and told.funding_alike > 0.9
    assert [interval.estimate for interval in told.net.values()] == pytest.approx([365 * funding.mean()] * 3)
    assert told.blocks == pytest.approx(365 * funding.reshape(6, 28).mean(axis=1))


def test_recorded_venues(shared_data):
    """Binance and Hyperliquid on one grid: the coins that both hold, with funding on both, and the ledger sums."""
    from perpfut_lib.acquire.stage import read_source
    from perpfut_lib.acquire.window import choose_window

    names = []
    for name in ("carry-binance", "carry-hyperliquid"):
        one = load_profile(name)
        market = read_source(one.data)
        window = choose_window(market, HOUR_MS, one.data, one.universe)
        assert set(window.symbols) <= set(market.funding)
        names.append(set(window.symbols))
    both = {symbol.removesuffix("USDT") for symbol in names[0]} & names[1]
    assert {"BTC", "ETH", "SOL"} <= both and len(both) >= 10
