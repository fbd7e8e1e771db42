"""The governor's rules: roll up performance, watch it with hysteresis, act with a cooldown. Pure and deterministic."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import Field

from perpfut_lib.artifacts import Metrics, PerfSnapshot
from perpfut_lib.artifacts.contract import Part
from perpfut_lib.config import AlarmConfig, GovernorConfig

Action = Literal["pause", "reselect", "retrain"]


class Point(Part):
    """What the roll-up keeps of one snapshot."""

    time: int
    """When it was made, ms UTC."""
    equity: float
    """Account equity."""
    costs: float
    """Fees plus funding paid since the executor's start."""
    fills: int
    """Fills since then."""
    rejects: int
    """Rejected orders since then."""
    slippage_bps: float
    """Mean slippage."""
    tracking_error: float
    """Largest gap between position and target, as a share of equity."""


class Alarm(Part):
    """One rule's state."""

    raised: bool = False
    """Whether the alarm stands."""
    streak: int = 0
    """Snapshots in a row that spoke for the other state."""


class GovernorState(Part):
    """What the governor remembers between its runs; bounded by ``window``."""

    points: tuple[Point, ...] = ()
    """The latest snapshots, oldest first."""
    peak: float = 0.0
    """Highest equity since the start or the last pause."""
    alarms: dict[str, Alarm] = Field(default_factory=dict)
    """State of each rule."""
    acted: dict[str, int] = Field(default_factory=dict)
    """When each action was last taken, ms UTC."""
    paused_until: int = 0
    """End of the pause, ms UTC; zero without one."""
    reselect_seq: int = 0
    """Requests for a new selection so far."""
    retrain_seq: int = 0
    """Requests for training so far."""


@dataclass(frozen=True)
class Rule:
    """A metric, the alarm on it, and what a raised alarm asks for."""

    name: str
    metric: Callable[[Metrics], float]
    actions: tuple[Action, ...]

    def thresholds(self, config: GovernorConfig) -> AlarmConfig:
        """Return the rule's thresholds; settings and rules share their names."""
        thresholds: AlarmConfig = getattr(config, self.name)
        return thresholds


RULES: Final = (
    Rule("drawdown", lambda metrics: metrics.drawdown, ("pause", "retrain")),
    Rule("loss", lambda metrics: -metrics.window_return, ("pause",)),
    Rule("cost_share", lambda metrics: metrics.cost_share, ("retrain",)),
    Rule("slippage_bps", lambda metrics: metrics.slippage_bps, ("pause",)),
    Rule("reject_rate", lambda metrics: metrics.reject_rate, ("pause",)),
    Rule("tracking_error", lambda metrics: metrics.tracking_error, ("pause",)),
    Rule("lost_pairs", lambda metrics: metrics.lost_pairs, ("reselect",)),
)


@dataclass(frozen=True)
class Outcome:
    """Result of one run of the governor."""

    state: GovernorState
    """What to remember."""
    metrics: Metrics
    """The roll-up."""
    actions: tuple[Action, ...]
    """Actions taken now, each at most once per cooldown."""


def govern(
    state: GovernorState, snapshot: PerfSnapshot, lost_pairs: float, now: int, config: GovernorConfig
) -> Outcome:
    """Apply the rules to one new snapshot.

    Parameters
    ----------
    state : GovernorState
        What the last call returned.
    snapshot : PerfSnapshot
        Newer than the last one.
    lost_pairs : float
        Share of active pairs that lost their cointegration.
    now : int
        Wall clock, ms UTC.
    config : GovernorConfig
        Thresholds.

    Returns
    -------
    Outcome
        During a pause no action is taken; when it ends, alarms, history and peak start anew, because a drawdown
        cannot heal while nothing is held.
    """
    if 0 < state.paused_until <= now:
        fresh = {"points": (), "peak": 0.0, "alarms": {}, "paused_until": 0}
        state = state.model_copy(update=fresh)
    points = (*state.points, point_of(snapshot))[-config.window :]
    state = state.model_copy(update={"points": points, "peak": max(state.peak, snapshot.equity)})
    metrics = roll_up(state, lost_pairs)
    alarms = watch(state.alarms, metrics, config)
    state = state.model_copy(update={"alarms": alarms})
    actions = due(state, now, config)
    return Outcome(take(state, actions, now, config), metrics, actions)


def point_of(snapshot: PerfSnapshot) -> Point:
    """Return what the roll-up keeps of a snapshot."""
    gaps = [abs(position.quantity - position.target) * position.mark for position in snapshot.positions]
    return Point(
        time=snapshot.created_at,
        equity=snapshot.equity,
        costs=snapshot.fees - snapshot.funding,
        fills=snapshot.fills,
        rejects=snapshot.rejects,
        slippage_bps=snapshot.slippage_bps,
        tracking_error=_share(max(gaps, default=0.0), snapshot.equity),
    )


def roll_up(state: GovernorState, lost_pairs: float) -> Metrics:
    """Return the metrics of the points kept; an executor that restarted (its counters fell) counts from zero."""
    first, last = state.points[0], state.points[-1]
    restarted = last.fills < first.fills
    fills = last.fills - (0 if restarted else first.fills)
    rejects = max(0, last.rejects - (0 if restarted else first.rejects))
    costs = max(0.0, last.costs - (0.0 if restarted else first.costs))
    return Metrics(
        snapshots=len(state.points),
        drawdown=min(1.0, _share(max(0.0, state.peak - last.equity), state.peak)),
        window_return=last.equity / first.equity - 1.0 if first.equity > 0.0 else -1.0,
        cost_share=_share(costs, last.equity),
        slippage_bps=last.slippage_bps,
        reject_rate=rejects / max(1, fills),
        tracking_error=last.tracking_error,
        lost_pairs=lost_pairs,
    )


def watch(alarms: Mapping[str, Alarm], metrics: Metrics, config: GovernorConfig) -> dict[str, Alarm]:
    """Return the alarms after one more roll-up: a change needs ``confirm`` roll-ups in a row beyond its threshold."""
    watched = {}
    for rule in RULES:
        alarm, limits, value = alarms.get(rule.name, Alarm()), rule.thresholds(config), rule.metric(metrics)
        against = value <= limits.leave if alarm.raised else value >= limits.enter
        streak = alarm.streak + 1 if against else 0
        turned = streak >= config.confirm
        watched[rule.name] = Alarm(raised=alarm.raised != turned, streak=0 if turned else streak)
    return watched


def due(state: GovernorState, now: int, config: GovernorConfig) -> tuple[Action, ...]:
    """Return the actions that raised alarms ask for and whose cooldown is over; none during a pause."""
    if state.paused_until > now:
        return ()
    asked = {action for rule in RULES if state.alarms[rule.name].raised for action in rule.actions}
    ready = {action for action in asked if now - state.acted.get(action, -config.cooldown) >= config.cooldown}
    return tuple(sorted(ready))


def take(state: GovernorState, actions: tuple[Action, ...], now: int, config: GovernorConfig) -> GovernorState:
    """Return the state after these actions."""
    times: dict[str, int] = {action: now for action in actions}
    update: dict[str, object] = {"acted": state.acted | times}
    if "pause" in actions:
        update["paused_until"] = now + config.pause
    if "reselect" in actions:
        update["reselect_seq"] = state.reselect_seq + 1
    if "retrain" in actions:
        update["retrain_seq"] = state.retrain_seq + 1
    return state.model_copy(update=update)


def raised(state: GovernorState) -> tuple[str, ...]:
    """Return the names of the alarms that stand."""
    return tuple(name for name, alarm in state.alarms.items() if alarm.raised)


def _share(amount: float, equity: float) -> float:
    """Return ``amount`` over ``equity``; one where there is something but no equity."""
    if equity > 0.0:
        return amount / equity
    return 1.0 if amount > 0.0 else 0.0
