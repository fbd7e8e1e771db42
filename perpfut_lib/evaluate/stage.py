"""The evaluation stage: every trained agent and every baseline through the untouched test span, at every fee."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from perpfut_lib.accounting import BPS, Costs, Ledger, Sizing, settle
from perpfut_lib.artifacts import Run, StageFolder
from perpfut_lib.cointegration.stage import load_windows
from perpfut_lib.config import EvaluateConfig, Profile
from perpfut_lib.env import Episodes, load_episodes, make_costs, make_rules
from perpfut_lib.errors import ConfigError
from perpfut_lib.evaluate.days import ALL_SEEDS, days_of, pooled_days
from perpfut_lib.evaluate.draws import random_rollouts
from perpfut_lib.evaluate.measure import Trial, action_measures, flows_of, performance, portfolio_of, return_measures
from perpfut_lib.evaluate.portfolio import FLOWS, Portfolio, concatenate
from perpfut_lib.evaluate.rollout import Rollout, rollout
from perpfut_lib.evaluate.utility import INFORMED, KEYS, utility_bps, utility_days, with_utility
from perpfut_lib.features.stage import load_features
from perpfut_lib.policies import (
    BASELINES,
    Constant,
    Fitting,
    Layout,
    Policy,
    RandomSwitch,
    RecurrentPolicy,
    baselines,
)
from perpfut_lib.policies.informed import informed_episodes, informed_policy
from perpfut_lib.progress import track
from perpfut_lib.statistics import Resampling
from perpfut_lib.store.stage import load_panel
from perpfut_lib.train.agents import load_policies
from perpfut_lib.types import Int1D

CONSTANT_SPREAD = "constant-spread"


@dataclass(frozen=True)
class TestSpan:
    """The untouched part of the data."""

    episodes: Episodes
    windows: Int1D
    slots: int
    portfolio: str

    def portfolio_of(self, book: Ledger) -> Portfolio:
        """Return the portfolio of a ledger of the span's episodes."""
        if self.portfolio == "concatenated":
            return concatenate(flows_of(book, self.episodes))
        return portfolio_of(book, self.episodes, self.windows, self.slots)


def run_stage(profile: Profile, run: Run, folder: StageFolder) -> None:
    """Write ``metrics``, ``days``, ``utilities``, ``costs`` and ``curves`` as parquet, and one raw ledger per trial.

    The random trader is the mean of many draws, which leave no ledger.

    Parameters
    ----------
    profile : Profile
        Reads ``evaluate``, ``costs``, ``env``, ``train`` and ``cointegration.top``.
    run : Run
        Holds the stages ``cointegration``, ``features``, ``environment`` and ``train``.
    folder : StageFolder
        Where artifacts go.
    """
    span, validate = load_test_span(profile, run), load_episodes(run).select("validate")
    made = []
    for trial, policy in track(list(agents(profile, run)), label="test span", unit="agent"):
        costs = trial_costs(trial, profile)
        if isinstance(policy, RandomSwitch):
            rollouts = random_rollouts(policy, span.episodes, costs)
            draws = (outcome(trial, each, span, profile) for each in rollouts)  # no interval of one draw is kept
            made.append(average(list(draws), profile.evaluate.confidence))
            continue
        result = rollout(span.episodes, policy, costs)
        made.append(outcome(trial, result, span, profile))
        if trial.agent in BASELINES:
            before = rollout(validate, policy, costs).ledger
            made[-1].row["validation_utility_bps"] = float(utility_bps(before, make_rules(profile.env)).mean())
        folder.write_table(f"ledgers/{ledger_name(trial)}", ledger_table(result))
    utilities = [each.utilities for each in made] + list(informed_utilities(profile, run, span))
    metrics, daily = pd.DataFrame([each.row for each in made]), pd.concat([each.days for each in made])
    metrics = pd.concat([metrics, pooled(metrics, daily, profile.evaluate.confidence)], ignore_index=True)
    metrics = with_utility(metrics, pd.concat(utilities, ignore_index=True), profile.evaluate.confidence)
    tables = {"metrics": metrics, "days": daily, "utilities": pd.concat(utilities)}
    tables |= {"costs": pd.concat([each.costs for each in made]), "curves": pd.concat([each.curves for each in made])}
    for name, table in tables.items():
        folder.write_table(f"{name}.parquet", table.reset_index(drop=True))


@dataclass(frozen=True)
class Outcome:
    """Results of one trial."""

    row: dict[str, Any]
    """Measures, for the metrics."""
    days: pd.DataFrame
    curves: pd.DataFrame
    costs: pd.DataFrame
    """Empty where the positions are those of another trial."""
    utilities: pd.DataFrame
    """One row per pair-day."""


def outcome(trial: Trial, result: Rollout, span: TestSpan, profile: Profile) -> Outcome:
    """Return the results of a trial's rollout."""
    portfolio, named = span.portfolio_of(result.ledger), asdict(trial)
    priced = trial.priced_anew(profile.costs.fees_bps)
    return Outcome(
        row=named | performance(portfolio, profile.evaluate.confidence) | action_measures(result),
        days=days_of(portfolio).assign(**named),
        curves=portfolio.frame().assign(**named),
        costs=cost_curve(result, span, profile).assign(**named) if priced else pd.DataFrame(),
        utilities=utility_days(result.ledger, span.episodes, make_rules(profile.env)).assign(**named),
    )


def average(draws: list[Outcome], level: float) -> Outcome:
    """Return means over draws of the random trader; its intervals are where ``level`` of the draws lie."""
    row = mean_table([pd.DataFrame([each.row]) for each in draws], level).iloc[0].to_dict()
    days, curves, costs = (
        mean_table([getattr(each, name) for each in draws], level) for name in ("days", "curves", "costs")
    )
    return Outcome(row, days, curves, costs, pd.concat([each.utilities for each in draws]))


def mean_table(tables: list[pd.DataFrame], level: float) -> pd.DataFrame:
    """Return means of tables of one form, row by row, and of their bounds the quantiles of what they bound.

    Fees and costs are names and stay as they are: the mean of a hundred times 1.44 is not 1.44.
    """
    mean = tables[0].copy()
    for name in mean.select_dtypes("float").columns.difference([*KEYS, "cost_bps"]):
        mean[name] = np.mean([table[name].to_numpy() for table in tables], axis=0)
    for name in ("return", "sharpe"):
        if f"{name}_lower" in mean:
            values, ends = [table[name].to_numpy() for table in tables], (0.5 - level / 2.0, 0.5 + level / 2.0)
            mean[f"{name}_lower"], mean[f"{name}_upper"] = np.quantile(values, ends, axis=0)
    return mean


def informed_utilities(profile: Profile, run: Run, span: TestSpan) -> Iterator[pd.DataFrame]:
    """Yield, by fee, the pair-days of the trader who knows how the market was made; nothing for a recorded market.

    Neither where only some agents are tested: then the measure is not asked for.
    """
    made = run.path / "acquire" / "truth.json"
    if not made.is_file() or profile.evaluate.only is not None:
        return
    truth, panel, rules = run.stage("acquire").read_json("truth.json"), load_panel(run), make_rules(profile.env)
    for fee in profile.costs.fees_bps:
        costs = make_costs(fee, profile.costs)
        episodes = informed_episodes(span.episodes, panel, truth, rules, costs, latency=profile.env.latency)
        book = rollout(episodes, informed_policy(rules), costs).ledger
        yield utility_days(book, span.episodes, rules).assign(**asdict(Trial(INFORMED, float("nan"), fee, 0)))


def resampling_of(settings: EvaluateConfig) -> Resampling:
    """Return how the stage resamples days."""
    return Resampling(settings.block_days, settings.bootstrap, settings.confidence, settings.seed)


def load_test_span(profile: Profile, run: Run) -> TestSpan:
    """Return the test episodes and every trading window of the test span, with or without pairs."""
    windows = load_windows(run)
    spans = windows.loc[windows["split"] == "test", ["start", "end"]].to_numpy(np.int64)
    slots, kind = profile.cointegration.top, profile.evaluate.portfolio
    return TestSpan(load_episodes(run).select("test"), spans, slots, kind)


def agents(profile: Profile, run: Run) -> Iterator[tuple[Trial, Policy | RecurrentPolicy]]:
    """Yield every trained policy and every baseline that is to be tested, with the fees that it is tested at.

    Raises
    ------
    ConfigError
        ``evaluate.only`` names an agent that there is not.
    """
    fees, wanted, learner = profile.costs.fees_bps, profile.evaluate.only, profile.train.algorithm
    unknown = set(wanted or ()) - {learner, *BASELINES}
    if unknown:
        found = f"evaluate.only with {', '.join(sorted(unknown))}"
        raise ConfigError(found, f"some of {learner}, {', '.join(BASELINES)}", "name agents that there are")
    for trained in load_policies(run) if wanted is None or learner in wanted else ():
        for fee in fees if profile.evaluate.cross_fees else (trained.fee_bps,):
            yield Trial(learner, trained.fee_bps, fee, trained.seed), trained.policy
    for fee in fees:
        for name, policy in rule_policies(profile, run, fee).items():
            yield Trial(name, float("nan"), fee, 0), policy
    if profile.evaluate.benchmark == CONSTANT_SPREAD:
        for fee in fees:
            yield Trial(CONSTANT_SPREAD, float("nan"), fee, 0), Constant(0.5, Sizing(profile.env.legs == "beta"))


def rule_policies(profile: Profile, run: Run, fee_bps: float) -> dict[str, Policy]:
    """Return the baselines by name, fitted for one fee; the random one trades as the agents did on validation."""
    features, episodes = load_features(run), load_episodes(run)
    layout = Layout(features.names, features.lookback, features.scaler.center, features.scaler.scale)
    cards = [trained.card.training for trained in load_policies(run) if trained.fee_bps == fee_bps]
    turnover = float(np.mean([card["validation"]["turnover"] for card in cards])) if cards else None
    rules, costs = make_rules(profile.env), make_costs(fee_bps, profile.costs)
    fitting = Fitting(episodes.select("train"), episodes.select("validate"), rules, costs, turnover)
    return baselines(layout, rules.sizing, fitting, only=profile.evaluate.only)


def trial_costs(trial: Trial, profile: Profile) -> Costs:
    """Return what a trial pays; the original study's baseline paid nothing."""
    if trial.agent == CONSTANT_SPREAD:
        return Costs(0.0, 0.0)
    return Costs(trial.test_fee_bps * BPS, profile.costs.slippage_bps * BPS)


def cost_curve(result: Rollout, span: TestSpan, profile: Profile) -> pd.DataFrame:
    """Return the measures of the same target weights at every cost of ``evaluate.cost_curve_bps``.

    The positions are those that were decided at the trial's own fee; the ledger prices them anew, so that the curve is
    exact: equity, and with it every position, shrinks by what is paid. Slippage is part of the cost.
    """
    rows = []
    for cost in profile.evaluate.cost_curve_bps:
        book = settle(result.target, span.episodes.market, Costs(cost * BPS, 0.0))
        days = days_of(span.portfolio_of(book))
        rows.append({"cost_bps": cost, **return_measures(days["return"].to_numpy(), profile.evaluate.confidence)})
    return pd.DataFrame(rows)


def ledger_name(trial: Trial) -> str:
    """Return the file name of a trial's raw ledger."""
    trained = "" if np.isnan(trial.train_fee_bps) else f"_train-{trial.train_fee_bps:g}_seed-{trial.seed}"
    return f"{trial.agent}{trained}_test-{trial.test_fee_bps:g}.parquet"


def ledger_table(result: Rollout) -> pd.DataFrame:
    """Return one row per episode and decision: action, target weights, flows and equity after the step."""
    episodes, length = result.action.shape
    columns = {
        "episode": np.repeat(np.arange(episodes), length),
        "step": np.tile(np.arange(length), episodes),
        "action": result.action.ravel(),
        "target_y": result.target[..., 0].ravel(),
        "target_x": result.target[..., 1].ravel(),
        **{name: getattr(result.ledger, name).ravel() for name in (*FLOWS, "turnover")},
        "equity": result.ledger.equity[:, 1:].ravel(),
    }
    return pd.DataFrame(columns)


def pooled(metrics: pd.DataFrame, days: pd.DataFrame, level: float) -> pd.DataFrame:
    """Return one row per trained agent and fees for the portfolio that gives every seed the same capital each day.

    Returns and Sharpe ratio are those of the mean daily return over seeds, with intervals; other columns are means.
    """
    keys = ["agent", "train_fee_bps", "test_fee_bps"]
    rows = []
    trained = metrics.dropna(subset="train_fee_bps")
    means = pooled_days(days.dropna(subset="train_fee_bps"))
    for values, group in trained.groupby(keys, sort=False):
        same = (means[keys] == list(values)).all(axis=1)
        measures = group.drop(columns=[*keys, "seed"]).mean().to_dict()
        returns = means.loc[same, "return"].to_numpy()
        named = dict(zip(keys, values, strict=True))
        rows.append({**named, "seed": ALL_SEEDS, **measures, **return_measures(returns, level)})
    return pd.DataFrame(rows)
