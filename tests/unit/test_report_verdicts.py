"""The verdicts: each answer from planted results, true ones and wrong ones; recorded and simulated never mix."""

import copy
from dataclasses import fields

import pandas as pd
import pytest

from perpfut_lib.frontier import CHOSEN, Row
from perpfut_lib.original import CORRECTIONS
from perpfut_lib.report import edges, verdicts
from perpfut_lib.report.across import Pooled
from perpfut_lib.report.headline_figure import plot_headline
from perpfut_lib.report.rule_edges import RuleEdges, rule_edges
from perpfut_lib.statistics import Interval

NOW = {"profile": "real-1m-a", "delay": 0, "edge_bps": 0.2, "lower": 0.1, "upper": 0.3, "days": 30}
GAIN = {"gain": 0.1, "return_lower": 0.05, "return_upper": 0.15}
NONE = {"gain": 0.001, "return_lower": -0.01, "return_upper": 0.02}


def test_an_edge_that_a_later_fill_takes_away_is_told_so():
    """Above zero at the next open, around zero one bar later: it shows and does not survive."""
    table = pd.DataFrame([NOW | GAIN, NOW | {"delay": 1} | NONE])
    assert (
        verdicts.gross_edge(table).answer == "The agent's shows in 1 of 1 periods and survives the later fill in none"
    )
    assert "other months" not in verdicts.gross_edge(table).evidence


@pytest.mark.parametrize(
    ("now", "later", "answer"),
    [
        (GAIN, GAIN, "The agent's shows in 1 of 1 periods and survives in 1"),
        (NONE, NONE, "The agent's shows in none of 1 periods"),
        (NONE, GAIN, "The agent's shows in 0 of 1 periods and survives in 1"),
    ],
)
def test_other_edges_have_other_answers(now, later, answer):
    """The planted result decides, not the sentence."""
    assert verdicts.gross_edge(pd.DataFrame([NOW | now, NOW | {"delay": 1} | later])).answer == answer


def across(fee, low, high, periods=("2023", "2025")):
    """Return an agent that was trained on other periods, its return between two bounds, and where it traded."""
    gain, nothing = Interval((low + high) / 2, low, high, 0.95), Interval(0.0, -1.0, 1.0, 0.95)
    earned = dict.fromkeys(("2023", "2024", "2025"), 0.01)
    return Pooled("agent", fee, 1, 78, gain, Interval(0.14, 0.04, 0.23, 0.95), 9.0, 40.0, nothing, earned, periods)


def test_agents_of_other_periods_are_told_apart():
    """The planted interval decides whether their edge shows; an agent that never trades at a fee is said so."""
    table = pd.DataFrame([NOW | GAIN, NOW | {"delay": 1} | NONE])
    shown = verdicts.gross_edge(table, None, across(0.0, 0.006, 0.05))
    assert shown.answer.endswith("; trained on other periods for the later fill, the agent's shows")
    assert "it trades in 2 of 3 periods" in shown.evidence
    assert "+2.80 (+0.60 to +5.00) %, or +0.14 (+0.04 to +0.23) basis points" in shown.evidence
    once = verdicts.gross_edge(table, None, across(0.0, 0.006, 0.05, periods=("2025",)))
    assert once.answer.endswith("the agent's does not show")  # one period of three carries no interval over all
    assert verdicts.gross_edge(table, None, across(0.0, -0.01, 0.05)).answer.endswith("the agent's does not show")


def test_few_days_are_named():
    """Nine days say nothing of other months."""
    table = pd.DataFrame([NOW | GAIN | {"days": 9}, NOW | {"delay": 1, "days": 9} | NONE])
    assert verdicts.gross_edge(table).evidence.endswith("So few days say nothing of other months.")


def test_the_worth_is_bounded_by_the_largest_upper_end():
    """Two periods: their range, and the larger of both upper ends."""
    table = pd.DataFrame([NOW | GAIN, NOW | GAIN | {"profile": "real-1m-b", "edge_bps": 0.4, "upper": 0.9}])
    assert verdicts.worth_per_side(table).answer == "The agent's 0.20 to 0.40 basis points, at most 0.90"


RULES = (RuleEdges(15, 78, 4, 1, (6.3, 1.9, 10.7)), RuleEdges(15, 78, 3, 0, (5.8, 1.3, 10.2)))


def test_rules_are_told_with_their_number():
    """Three of fifteen show an edge on a later fill; none once their number is counted."""
    table = pd.DataFrame([NOW | GAIN, NOW | {"delay": 1} | NONE])
    told = verdicts.gross_edge(table, RULES)
    assert told.answer.endswith("; filled later, 3 of 15 rules show one, 0 once their number is counted")
    assert "in 4 of 15 at the next open and in 3 one bar later" in told.evidence
    assert verdicts.worth_per_side(table, RULES).answer.endswith("the best rule's 5.8, in an interval of 1.3 to 10.2")


def frontier_row(lower, upper, **changed):
    """Return a row of the frontier whose break-even cost has this interval."""
    plain = {field.name: 0 for field in fields(Row)}
    edge = Interval((lower + upper) / 2, lower, upper, 0.95)
    return Row(**(plain | {"bar": 1, "rule": CHOSEN, "delay": 1, "days": 78.0, "break_even": edge} | changed))


def test_the_best_of_many_is_judged_by_a_wider_interval():
    """Alone 1 to 9 lies above zero; as one of ten it does not, and 6 to 8 still does. Simulated rules do not count."""
    many = [frontier_row(-5, 5)] * 8
    one = rule_edges(1, 0.0, [frontier_row(1, 9)])
    assert (one.rules, one.shown, one.counted, one.best) == (1, 1, 1, (5.0, 1.0, 9.0))
    ten = rule_edges(1, 0.0, [frontier_row(1, 9), frontier_row(6, 8), *many, frontier_row(90, 99, simulated=True)])
    assert (ten.rules, ten.shown, ten.counted) == (10, 2, 1)
    assert rule_edges(1, 4.5, [frontier_row(1, 9), frontier_row(6, 8)]).shown == 1
    assert rule_edges(0, 0.0, [frontier_row(1, 9)]) is None


def test_an_agent_that_does_not_trade_is_worth_nothing():
    """No edge can be divided by no turnover."""
    assert (
        verdicts.worth_per_side(pd.DataFrame([NOW | NONE | {"edge_bps": float("nan")}])).answer == "Nothing was traded"
    )


@pytest.mark.parametrize(
    ("lower", "answer"),
    [(-0.1, "Nothing that shows"), (0.0, "Nothing that shows"), (0.01, "A gain shows in 1 of 2 results")],
)
def test_what_is_left_counts_what_lies_above_zero(lower, answer):
    """An interval that only touches zero is no gain."""
    idle = {"gain": 0.0, "return_lower": 0.0, "return_upper": 0.0, "turnover_per_day": 0.0, "learned": False}
    rows = [{**GAIN, "return_lower": lower, "turnover_per_day": 3.0, "learned": True}, idle]
    table = pd.DataFrame([{"profile": "real-1m-a", "test_fee_bps": 1.44, **row} for row in rows])
    assert verdicts.left_after_fees(table).answer == answer
    assert "1 never traded" in verdicts.left_after_fees(table).evidence


STUDY = {
    "results": [{"fee_bps": 0.0, "return_percent": 42.2, "sharpe": 1.43}],
    "setting": {"calendar_days": 61},
}


def period(lower, upper, *, value=-0.1, reach=0.5):
    """Return one period of one original policy without fees: its return's interval, and each fault's worth."""
    rules = [{"fee_bps": 0.0, "estimate": (lower + upper) / 2, "lower": lower, "upper": upper}]
    worth = {"estimate": value, "lower": value - reach, "upper": value + reach}
    policy = {"fee_bps": 0.0, "original_rules": rules, "shapley": {name: dict(worth) for name in CORRECTIONS}}
    return {"days": 20, "policies": [policy]}


@pytest.mark.parametrize(
    ("bounds", "answer"),
    [
        ([(-0.1, 0.1)], "No"),
        ([(0.3, 0.5)], "Its figures are compatible with ours"),
        ([(-0.1, 0.1), (0.3, 0.5)], "Only in part: 1 of 2 intervals hold the printed return"),
    ],
)
def test_replicated_is_what_holds_the_printed_return(bounds, answer):
    """The printed 42.2 % lies in none, all or some of the intervals."""
    periods = {str(number): period(*one) for number, one in enumerate(bounds)}
    assert verdicts.replicated(STUDY, periods).answer == answer


def test_a_return_of_two_months_is_within_chance_and_a_larger_one_is_not():
    """A Sharpe ratio of 1.43 over 61 days is not distinguishable from zero; one of 8 is."""
    assert verdicts.explained(STUDY, {"a": period(0, 1)}).answer.startswith("Chance suffices; no single fault")
    richer = copy.deepcopy(STUDY)
    richer["results"][0]["sharpe"] = 8.0
    assert verdicts.explained(richer, {"a": period(0, 1)}).answer.startswith("More than chance")


def test_a_fault_that_stands_out_is_named():
    """One correction whose interval excludes zero is in the answer, and the others are not."""
    one = period(0, 1)
    one["policies"][0]["shapley"]["fill"] = {"estimate": -0.4, "lower": -0.5, "upper": -0.3}
    answer = verdicts.explained(STUDY, {"a": one}).answer
    assert answer == f"Chance suffices; of its faults, {CORRECTIONS['fill']}"


@pytest.mark.parametrize(("lower", "answer"), [(0.97, "Yes"), (0.5, "Not to our targets")])
def test_learning_is_judged_by_the_lower_end(lower, answer):
    """A share counts once its whole interval is above the target."""
    row = {"fee_bps": 0.0, "share": 0.98, "lower": lower, "upper": 0.99, "target": 0.95}
    assert verdicts.learns({"shares": {"summary": [row]}}).answer == answer


def test_corrections_that_were_not_worth_keeping_are_counted():
    """An agent that earns to the bit what its fitted rule earns is that rule, and the verdict says of how many."""
    row = {"fee_bps": 0.0, "share": 0.98, "lower": 0.97, "upper": 0.99, "target": 0.95}
    harder = {
        "summary": [
            {"policy": name, "fee_bps": 0.0, "share": share} for name, share in (("agent", 0.5), ("ridge", 0.4))
        ],
        "trials": [
            {"utility": {"agent": agent, "base rule": 5.0, "ridge": 4.0, "informed": 10.0}} for agent in (5.0, 5.1, 3.0)
        ],
    }
    told = verdicts.learns({"shares": {"summary": [row]}, "harder": harder}).evidence
    assert "more than the ridge in 2 of 3 trials" in told
    assert "worth keeping in 2 of them" in told


def test_nothing_published_is_no_verdict(monkeypatch):
    """Without results each question is open, and none is answered by silence."""
    monkeypatch.setattr(verdicts, "_published", lambda name: STUDY if name == "original_study" else {})
    monkeypatch.setattr(verdicts, "rule_edges", lambda delay, cost=0.0: None)
    monkeypatch.setattr(verdicts, "gross_edges", pd.DataFrame)
    monkeypatch.setattr(verdicts, "net_results", pd.DataFrame)
    assert {verdict.answer for verdict in verdicts.verdicts()} == {verdicts.OPEN}


def test_recorded_verdicts_read_recorded_markets_only():
    """Neither edges nor net results contain a simulated profile or the original's own rules."""
    for table in (edges.gross_edges(), edges.net_results()):
        assert set(table["profile"]) and all(name.startswith("real-1m") for name in table["profile"])


def test_an_edge_is_gross_profit_per_unit_traded():
    """The edge's interval is the return's, over the same turnover."""
    table = edges.gross_edges((0,))
    scale = table["edge_bps"] / table["gain"]
    assert list(table["lower"].round(9)) == list((scale * table["return_lower"]).round(9))


def test_the_simulated_year_is_told_with_what_speaks_against_the_agent():
    """Its utility beside the best rule's, and that a rule returns more, at a higher volatility."""
    shared = {"test_fee_bps": 0.0, "days": 60, "utility_difference_bps": 5.0}
    ends = {"utility_difference_lower": 1.0, "utility_difference_upper": 9.0}
    rows = [
        shared | ends | {"learned": True, "gain": 0.2, "volatility": 0.1},
        shared | ends | {"learned": False, "gain": 0.3, "volatility": 0.2},
        shared | ends | {"learned": False, "gain": 0.1, "volatility": 0.4},
    ]
    (told,) = verdicts.simulated_year(pd.DataFrame(rows))
    assert "+5.0 [1.0, 9.0] at 0.00" in told
    assert "below the highest of a rule at 1 of 1 fees, at 0.50 to 0.50 times its volatility" in told


def test_the_figure_shows_every_fitted_policy_on_every_market():
    """Four policies a panel, and on recorded markets the later fill as well; utility has a panel of its own."""
    panels = plot_headline().axes
    assert all(len(axes.containers) >= 4 for axes in panels)
    titles = [axes.get_title() for axes in panels]
    assert sum("recorded" in title for title in titles) >= 1 and sum("simulated" in title for title in titles) == 1
    assert sum("trained for" in title for title in titles) == 1
