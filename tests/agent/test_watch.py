"""The governor's rules: hysteresis, confirmation, cooldown, and a pause that ends."""

import itertools

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agent.decision.governor_rules import RULES, GovernorState, govern, raised
from perpfut_lib.artifacts import Position
from perpfut_lib.config import GovernorConfig
from tests.agent.documents import MINUTE, NOW, perf_snapshot

CONFIG = GovernorConfig(window=10)
HOUR = 60 * MINUTE


def walk(equities, state=None, start=NOW, lost_pairs=0.0, **changes):
    """Feed one snapshot a minute and return the last outcome and all actions in order."""
    state, actions = state or GovernorState(), []
    for step, equity in enumerate(equities):
        snapshot = perf_snapshot(seq=step, equity=float(equity), created_at=start + step * MINUTE, **changes)
        outcome = govern(state, snapshot, lost_pairs, snapshot.created_at, CONFIG)
        state = outcome.state
        actions.append(outcome.actions)
    return outcome, actions


def test_nothing_happens_while_all_is_well():
    """Flat equity raises no alarm and asks for nothing."""
    outcome, actions = walk([10_000] * 20)
    assert raised(outcome.state) == ()
    assert set(actions) == {()}
    assert outcome.metrics.snapshots == CONFIG.window


def test_a_drawdown_pauses_and_asks_for_training_once_confirmed():
    """One bad snapshot is noise; three in a row pause and request training; then the pause silences the rest."""
    _, actions = walk([10_000] * 5 + [8_900] * 5)
    assert actions[5:] == [(), (), ("pause", "retrain"), (), ()]
    assert set(walk([10_000, 8_900, 10_000] * 4)[1]) == {()}


def test_an_alarm_leaves_only_below_the_lower_threshold():
    """Between the two thresholds an alarm stays as it was (hysteresis)."""
    held, _ = walk([10_000] * 5 + [8_900] * 3 + [9_300] * 12)
    assert "drawdown" in raised(held.state)
    left, _ = walk([10_000] * 5 + [8_900] * 3 + [9_600] * 12)
    assert "drawdown" not in raised(left.state)


def test_a_pause_ends_and_the_drawdown_starts_anew():
    """After the pause the peak is the equity then: the same loss does not pause for ever."""
    paused, _ = walk([10_000] * 5 + [8_900] * 3)
    assert paused.state.paused_until == NOW + 7 * MINUTE + HOUR
    resumed, actions = walk([8_900] * 20, paused.state, start=paused.state.paused_until)
    assert resumed.state.paused_until == 0
    assert set(actions) == {()}


@pytest.mark.parametrize(
    ("changes", "alarm", "action"),
    [
        ({"slippage_bps": 6.0}, "slippage_bps", "pause"),
        (
            {"positions": (Position(symbol="AAA", quantity=0.0, mark=100.0, target=30.0, liquidation_price=None),)},
            "tracking_error",
            "pause",
        ),
    ],
)
def test_execution_trouble_pauses(changes, alarm, action):
    """Slippage beyond its threshold, or positions far from their targets, pause."""
    outcome, actions = walk([10_000] * 3, **changes)
    assert raised(outcome.state) == (alarm,)
    assert actions[-1] == (action,)


def test_lost_pairs_ask_for_a_selection_once_per_cooldown():
    """The request counter rises by one, and again only after the cooldown."""
    outcome, actions = walk([10_000] * 130, lost_pairs=0.6)
    assert outcome.state.reselect_seq == 3
    asked = [step for step, taken in enumerate(actions) if taken]
    assert asked == [2, 62, 122]


def test_an_executor_that_restarts_is_not_a_gain():
    """Counters that fall back to zero give rates of the new life, never negative ones."""
    state = walk([10_000] * 3, fills=100, rejects=50, fees=400.0)[0].state
    metrics = walk([10_000], state, fills=2, rejects=1, fees=3.0, funding=0.0)[0].metrics
    assert metrics.reject_rate == 0.5
    assert metrics.cost_share == pytest.approx(3.0 / 10_000)


class Governing(RuleBasedStateMachine):
    """Any performance, at any pace."""

    def __init__(self):
        super().__init__()
        self.state, self.now, self.seq = GovernorState(), NOW, 0
        self.taken: dict[str, list[int]] = {"pause": [], "reselect": [], "retrain": []}
        self.streaks: dict[str, int] = {}
        self.outcome = None

    @rule(
        equity=st.floats(1.0, 20_000.0),
        lost=st.floats(0, 1),
        slippage=st.floats(-5, 20),
        fills=st.integers(0, 50),
        rejects=st.integers(0, 50),
        minutes=st.integers(1, 45),
    )
    def report(self, equity, lost, slippage, fills, rejects, minutes):
        """Report any performance some minutes later."""
        self.seq, self.now = self.seq + 1, self.now + minutes * MINUTE
        changes = {"slippage_bps": slippage, "fills": fills, "rejects": rejects}
        snapshot = perf_snapshot(seq=self.seq, created_at=self.now, equity=equity, **changes)
        if 0 < self.state.paused_until <= self.now:
            self.streaks = {}
        paused = self.state.paused_until > self.now
        self.outcome = govern(self.state, snapshot, lost, self.now, CONFIG)
        for item in RULES:
            beyond = item.metric(self.outcome.metrics) >= item.thresholds(CONFIG).enter
            self.streaks[item.name] = self.streaks.get(item.name, 0) + 1 if beyond else 0
            before = self.state.alarms.get(item.name) if not (0 < self.state.paused_until <= self.now) else None
            if item.name in raised(self.outcome.state) and not (before and before.raised):
                assert self.streaks[item.name] >= CONFIG.confirm
        assert not (paused and self.outcome.actions)
        for action in self.outcome.actions:
            self.taken[action].append(self.now)
        self.state = self.outcome.state

    @invariant()
    def actions_keep_their_distance(self):
        """Take the same action at most once per cooldown; remember no more than the window."""
        for times in self.taken.values():
            assert all(later - earlier >= CONFIG.cooldown for earlier, later in itertools.pairwise(times))
        assert len(self.state.points) <= CONFIG.window
        assert self.state.reselect_seq == len(self.taken["reselect"])

    @invariant()
    def survives_json(self):
        """Come back from JSON as it was: a restart changes nothing."""
        assert GovernorState.model_validate_json(self.state.model_dump_json()) == self.state


TestGoverning = Governing.TestCase
