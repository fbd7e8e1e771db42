"""The evaluation stage: every trained agent and every baseline through the untouched test span, at every fee."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from perpfut_lib.accounting import BPS, Costs, Sizing
from perpfut_lib.artifacts import Run, StageFolder
from perpfut_lib.cointegration.stage import load_windows
from perpfut_lib.config import Profile
from perpfut_lib.env import Episodes, load_episodes
from perpfut_lib.evaluate.measure import Trial, action_measures, flows_of, performance, portfolio_of, return_measures
from perpfut_lib.evaluate.portfolio import FLOWS, Portfolio, concatenate
from perpfut_lib.evaluate.rollout import Rollout, rollout
from perpfut_lib.features.stage import load_features
from perpfut_lib.policies import Layout, Policy, RecurrentPolicy, baselines
from perpfut_lib.progress import track
from perpfut_lib.statistics import Resampling, daily_returns
from perpfut_lib.train.stage import load_policies
from perpfut_lib.types import Int1D

ALL_SEEDS = -1


@dataclass(frozen=True)
class TestSpan:
    """The untouched part of the data."""

    episodes: Episodes
    windows: Int1D
    slots: int


def run_stage(profile: Profile, run: Run, folder: StageFolder) -> None:
    """Write ``metrics.parquet``, ``curves.parquet`` and one raw ledger per trial.

    Parameters
    ----------
    profile : Profile
        Reads ``evaluate``, ``costs``, ``env``, ``train`` and ``cointegration.top``.
    run : Run
        Holds the stages ``cointegration``, ``features``, ``environment`` and ``train``.
    folder : StageFolder
        Where artifacts go.
    """
    span = load_test_span(profile, run)
    settings = profile.evaluate
    resampling = Resampling(settings.block_days, settings.bootstrap, settings.confidence, settings.seed)
    rows, curves = [], []
    trials = list(agents(profile, run))
    for trial, policy in track(trials, label="test span", unit="agent"):
        costs = Costs(trial.test_fee_bps * BPS, profile.costs.slippage_bps * BPS)
        result = rollout(span.episodes, policy, costs)
        portfolio = _portfolio(settings.portfolio, result, span)
        rows.append(asdict(trial) | performance(portfolio, resampling) | action_measures(result))
        curves.append(portfolio.frame().assign(**asdict(trial)))
        folder.write_table(f"ledgers/{ledger_name(trial)}", ledger_table(result))
    metrics, curve = pd.DataFrame(rows), pd.concat(curves, ignore_index=True)
    folder.write_table("metrics.parquet", pd.concat([metrics, pooled(metrics, curve, resampling)], ignore_index=True))
    folder.write_table("curves.parquet", curve)


def load_test_span(profile: Profile, run: Run) -> TestSpan:
    """Return the test episodes and every trading window of the test span, with or without pairs."""
    windows = load_windows(run)
    spans = windows.loc[windows["split"] == "test", ["start", "end"]].to_numpy(np.int64)
    return TestSpan(load_episodes(run).select("test"), spans, profile.cointegration.top)


def _portfolio(kind: str, result: Rollout, span: TestSpan) -> Portfolio:
    if kind == "concatenated":
        return concatenate(flows_of(result, span.episodes))
    return portfolio_of(result, span.episodes, span.windows, span.slots)


def agents(profile: Profile, run: Run) -> Iterator[tuple[Trial, Policy | RecurrentPolicy]]:
    """Yield every trained policy at every fee, and every baseline at every fee."""
    for trained in load_policies(run):
        for fee in profile.costs.fees_bps:
            yield Trial("ppo", trained.fee_bps, fee, trained.seed), trained.policy
    features = load_features(run)
    layout = Layout(features.names, features.lookback, features.scaler.center, features.scaler.scale)
    for name, policy in baselines(layout, Sizing(profile.env.legs == "beta")).items():
        for fee in profile.costs.fees_bps:
            yield Trial(name, float("nan"), fee, 0), policy


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


def pooled(metrics: pd.DataFrame, curves: pd.DataFrame, resampling: Resampling) -> pd.DataFrame:
    """Return one row per agent and fees for the portfolio that gives every seed the same capital each day.

    Returns and Sharpe ratio are those of the mean daily return over seeds, with intervals; other columns are means.
    """
    keys = ["agent", "train_fee_bps", "test_fee_bps"]
    rows = []
    for values, group in metrics.groupby(keys, dropna=False, sort=False):
        trained = dict(zip(keys, values, strict=True))
        if trained["agent"] != "ppo":
            continue
        same = (
            (curves["agent"] == "ppo") & (curves["train_fee_bps"] == values[1]) & (curves["test_fee_bps"] == values[2])
        )
        series = [_daily(part) for _, part in curves[same].groupby("seed")]
        means = group.drop(columns=[*keys, "seed"]).mean().to_dict()
        rows.append({**trained, "seed": ALL_SEEDS, **means, **return_measures(np.mean(series, axis=0), resampling)})
    return pd.DataFrame(rows)


def _daily(curve: pd.DataFrame) -> np.ndarray:
    return daily_returns(curve["time"].to_numpy(), curve["equity"].to_numpy())[1]
