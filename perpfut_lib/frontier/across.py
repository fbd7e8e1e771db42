"""Agents and tuned rules across periods: trained on all recorded periods but one, tested on every day of that one."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from perpfut_lib.artifacts import Run
from perpfut_lib.config import Profile, format_time
from perpfut_lib.env import make_costs, make_rules
from perpfut_lib.evaluate.days import days_of
from perpfut_lib.evaluate.fresh_worlds import AGENT
from perpfut_lib.evaluate.measure import holding_bars
from perpfut_lib.evaluate.rollout import rollout
from perpfut_lib.evaluate.stage import TestSpan
from perpfut_lib.evaluate.utility import utility_days
from perpfut_lib.frontier.periods import LeftOut, Period, leave_out
from perpfut_lib.frontier.policy_execution import Fitted, executions
from perpfut_lib.frontier.study import DELAYS
from perpfut_lib.frontier.sums import brief
from perpfut_lib.policies import Fitting, Layout, NetworkPolicy, Policy, baselines
from perpfut_lib.policies.rules import TUNED
from perpfut_lib.progress import track
from perpfut_lib.train.cross_fit import unseen_utilities
from perpfut_lib.train.stage import budgets, train_all
from perpfut_lib.train.training_task import TrainingTask

PARTS: Final = 4
"""Parts of the training span, each of which is once not fitted to."""
SERIES: Final = ("return", "gross", "traded", "utility_bps")


def study_across(periods: Sequence[Period], scratch: Run, *, rules: bool = True) -> dict[str, Any]:
    """Return what agents and rules earn in each period after training on the others.

    Parameters
    ----------
    periods : sequence of Period
        Of one bar and one feature specification. Agents and rules are trained and tuned for fills ``env.latency`` bars
        late, and tested at every delay.
    scratch : Run
        Where trainings leave their checkpoints, so that a killed study goes on where it was.
    rules : bool
        Whether tuned rules are tested beside the agents.

    Returns
    -------
    dict
        ``latency``, ``seeds``, ``total_steps``, ``algorithm``; ``periods`` by name (``start``, ``end``, ``windows``,
        ``pair_days``, ``training_pair_days``, ``symbols``); ``rows``: one per period left out, policy, fee and delay,
        with one number per trading window of the portfolio's ``return`` (net), ``gross`` P&L and ``traded`` notional
        (both in equities), and ``utility_bps`` (sum over its pair-days). The agent's are means over seeds, and
        ``seeds_gross`` and so on its sums seed by seed. ``executions``: see
        :func:`perpfut_lib.frontier.policy_execution.executions`. ``unseen``: see :func:`_unseen`.

    Raises
    ------
    ConfigError
        There is one period only, or they do not agree.
    """
    first, train = periods[0].profile, periods[0].profile.train
    found: dict[str, list[dict[str, Any]]] = {"rows": [], "executions": [], "unseen": []}
    for number, period in enumerate(periods):
        left = leave_out(periods, number)
        policies = [*_agents(left, Run(scratch.path / period.profile.name)), *(_rules(left) if rules else ())]
        found["rows"] += _rows(left, policies)
        found["executions"] += executions(left, policies)
        found["unseen"] += _unseen(left)
    return {
        "latency": first.env.latency,
        **{"seeds": train.seeds, "total_steps": train.total_steps, "algorithm": train.algorithm},
        "periods": {one.profile.name: _told(one) for one in periods},
        **found,
    }


def _told(period: Period) -> dict[str, Any]:
    return {
        "start": format_time(int(period.windows["start"].iloc[0]))[:10],
        "end": format_time(int(period.windows["end"].iloc[-1]) - 1)[:10],
        "windows": len(period.windows),
        "pair_days": len(period.traded.rows),
        "training_pair_days": len(period.trained.rows),
        "symbols": list(period.panel.symbols),
    }


def _unseen(left: LeftOut) -> Iterator[dict[str, Any]]:
    """Yield by fee the utility of the base rule in each training window when it was fitted to the others."""
    profile = left.test.profile
    train = profile.train.model_copy(update={"cross_fit": PARTS})
    if not train.corrects:
        return
    starts, where = np.unique(left.train.pair_days["start"].to_numpy(np.int64), return_inverse=True)
    for fee in track(profile.costs.fees_bps, label=f"cross-fit without {profile.name}", unit="fee"):
        task = TrainingTask(
            left.train, left.validate, profile.env, profile.costs, train, fee, train.first_seed, left.placebo
        )
        by_window = np.bincount(where, unseen_utilities(task), len(starts)).astype(np.float64)
        yield {
            "left_out": profile.name,
            "fee_bps": fee,
            "pair_days": len(left.train),
            "utility_bps": brief(by_window),
        }


def _rows(left: LeftOut, policies: Sequence[Fitted]) -> Iterator[dict[str, Any]]:
    """Yield the rows of one period: every policy at every fee and delay."""
    profile = left.test.profile
    for delay in track(DELAYS, label=f"test {profile.name}", unit="delay"):
        episodes = left.test.episodes(left.test.traded, left.scaler, delay)
        span = TestSpan(episodes, left.test.spans, profile.cointegration.top, "calendar")
        for name, fee, group in policies:
            results = [_series(policy, fee, span, profile) for policy in group]
            mean = {column: brief(np.mean([one[column] for one in results], axis=0)) for column in SERIES}
            named = {"left_out": profile.name, "policy": name, "fee_bps": fee, "delay": delay}
            seeds = {f"seeds_{column}": brief(np.array([one[column].sum() for one in results])) for column in SERIES}
            held = [one["holding_bars"] for one in results if np.isfinite(one["holding_bars"])]
            named["holding_bars"] = float(np.mean(held)) if held else None
            yield named | mean | (seeds if name == AGENT else {})


def _agents(left: LeftOut, scratch: Run) -> Iterator[Fitted]:
    """Yield name, fee and an agent per seed, trained on the other periods."""
    profile = left.test.profile
    tasks = training_tasks(left)
    fitted = train_all(tasks, profile.compute, scratch)
    for fee in profile.costs.fees_bps if tasks else ():
        pairs = [(task, one) for task, one in zip(tasks, fitted, strict=True) if task.fee_bps == fee]
        yield AGENT, fee, [NetworkPolicy(one.network(task.settings), task.rules().sizing) for task, one in pairs]


def _rules(left: LeftOut) -> Iterator[Fitted]:
    """Yield name, fee and policy of each rule, tuned on the other periods."""
    profile, spec, scaler = left.test.profile, left.test.spec, left.scaler
    rules = make_rules(profile.env)
    layout = Layout(spec.names, spec.lookback, scaler.center, scaler.scale)
    for fee in profile.costs.fees_bps:
        fitting = Fitting(left.train, left.validate, rules, make_costs(fee, profile.costs))
        for name, policy in baselines(layout, rules.sizing, fitting, only=TUNED).items():
            yield name, fee, [policy]


def training_tasks(left: LeftOut) -> list[TrainingTask]:
    """Return what every agent is trained on, by fee and seed."""
    profile = left.test.profile
    first = profile.train.first_seed
    return [
        TrainingTask(left.train, left.validate, profile.env, profile.costs, settings, fee, seed, left.placebo)
        for fee, settings in zip(profile.costs.fees_bps, budgets(profile), strict=True)
        for seed in range(first, first + profile.train.seeds)
    ]


def _series(policy: Policy, fee: float, span: TestSpan, profile: Profile) -> dict[str, Any]:
    """Return one number per trading window of each of :data:`SERIES`, and the mean holding time in bars."""
    result = rollout(span.episodes, policy, make_costs(fee, profile.costs))
    starts = span.windows[:, 0]
    by_window = days_of(span.portfolio_of(result.ledger)).groupby("window")
    daily = by_window[["gross", "traded"]].sum().reindex(starts, fill_value=0.0)
    growth = by_window["return"].agg(lambda returns: np.prod(1.0 + returns) - 1.0).reindex(starts, fill_value=0.0)
    utility = utility_days(result.ledger, span.episodes, make_rules(profile.env)).groupby("window")["utility_bps"].sum()
    return {
        "return": growth.to_numpy(),
        "gross": daily["gross"].to_numpy(),
        "traded": daily["traded"].to_numpy(),
        "utility_bps": utility.reindex(starts, fill_value=0.0).to_numpy(),
        "holding_bars": holding_bars(result.target),
    }
