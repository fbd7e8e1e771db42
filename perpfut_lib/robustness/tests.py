"""Significance tests on the evaluation's own days: seeds, trials, overfitting, baselines, power."""

from typing import Any

import numpy as np
import pandas as pd

from perpfut_lib import statistics
from perpfut_lib.artifacts import Run, list_published, read_published
from perpfut_lib.config import Profile
from perpfut_lib.evaluate import ALL_SEEDS, load_curves, load_days, load_metrics, pooled_days, trial_days
from perpfut_lib.evaluate.stage import resampling_of
from perpfut_lib.statistics import Shape
from perpfut_lib.statistics.metrics import DAYS_PER_YEAR
from perpfut_lib.types import HOUR_MS, Float1D, Float2D


def count_trials(profile: Profile) -> int:
    """Return how many trials the reported agents were chosen from: those recorded, those tuned, and the agents.

    Trials of ``perpfut tune`` count once they are published as ``tune/<name>`` with their number as ``trials``.
    """
    tuned = sum(int(read_published(name)["trials"]) for name in list_published("tune"))
    return profile.robustness.configurations + tuned + len(profile.costs.fees_bps) * profile.train.seeds


def seeds_table(profile: Profile, run: Run) -> pd.DataFrame:
    """Return the interquartile mean over seeds, with a stratified bootstrap interval, by training and test fee.

    Columns: ``train_fee_bps``, ``test_fee_bps``, ``measure`` (``return`` or ``sharpe``), ``seeds``, ``mean``,
    ``lower``, ``upper``. A seed whose Sharpe ratio is not defined, because it never traded, counts as zero.
    """
    metrics, resampling, rows = load_metrics(run), resampling_of(profile.evaluate), []
    trained = metrics[metrics["train_fee_bps"].notna() & (metrics["seed"] != ALL_SEEDS)]
    for (trained_at, tested_at), group in trained.groupby(["train_fee_bps", "test_fee_bps"]):
        for measure in ("return", "sharpe"):
            scores = np.nan_to_num(group[measure].to_numpy(np.float64))[:, None]
            found = statistics.interquartile_mean_ci(scores, resampling)
            named = {"train_fee_bps": trained_at, "test_fee_bps": tested_at, "measure": measure, "seeds": len(scores)}
            rows.append({**named, "mean": found.estimate, "lower": found.lower, "upper": found.upper})
    return pd.DataFrame(rows)


def significance_table(profile: Profile, run: Run) -> pd.DataFrame:
    """Return one row per fee: what the tests say of the agent that was trained and tested at it, all seeds pooled.

    Columns: ``fee_bps``, ``days``, ``sharpe``, ``detectable`` (least Sharpe ratio that so many days find with a power
    of 80 %), ``probabilistic`` (chance that the true ratio is positive), ``trials``, ``deflated`` (that it exceeds
    what the best of so many worthless trials would show), ``overfitting`` (probability by CSCV on hourly returns,
    over all agents and baselines at the fee), and one column ``spa <baseline>`` each: p-value of Hansen's test that
    no agent beats it. NaN where a test does not apply.
    """
    days, curves, trials = load_days(run), load_curves(run), count_trials(profile)
    return pd.DataFrame(
        [
            {"fee_bps": fee, "trials": trials, **_significance(profile, days, curves, fee)}
            for fee in profile.costs.fees_bps
        ]
    )


def _significance(profile: Profile, days: pd.DataFrame, curves: pd.DataFrame, fee: float) -> dict[str, Any]:
    learner = profile.train.algorithm
    returns = trial_days(pooled_days(days), learner, fee, fee)["return"].to_numpy(np.float64)
    found: dict[str, Any] = {
        "days": len(returns),
        "sharpe": float(statistics.sharpe(returns)),
        "detectable": statistics.minimum_detectable_sharpe(len(returns)),
        "overfitting": _overfitting(curves[curves["test_fee_bps"] == fee], profile.robustness.cscv_blocks),
    }
    varied = np.ptp(returns) > 0.0
    found["probabilistic"] = statistics.probabilistic_sharpe(returns) if varied else np.nan
    found["deflated"] = deflated(returns, count_trials(profile)) if varied else np.nan
    agents = days[(days["agent"] == learner) & (days["test_fee_bps"] == fee)]
    candidates = agents.pivot(index="day", columns=["train_fee_bps", "seed"], values="return").to_numpy(np.float64)
    for name, rows in days[days["train_fee_bps"].isna() & (days["test_fee_bps"] == fee)].groupby("agent"):
        found[f"spa {name}"] = _superior(rows["return"].to_numpy(np.float64), candidates, profile)
    return found


def deflated(returns: Float1D, trials: int) -> float:
    """Return the deflated Sharpe ratio of daily returns (n,), the trials' ratios varying as those of worthless ones.

    The variance of an estimated daily ratio whose truth is zero is 1/n. The spread between actual trials would count
    true differences as chance.
    """
    from scipy import stats  # a second to import

    shape = Shape(len(returns), float(stats.skew(returns)), float(stats.kurtosis(returns, fisher=False)))
    ratio = float(statistics.sharpe(returns)) / np.sqrt(DAYS_PER_YEAR)
    return statistics.deflated_sharpe(ratio, shape, trials=trials, variance=1.0 / len(returns))


def _superior(benchmark: Float1D, candidates: Float2D, profile: Profile) -> float:
    """Return the SPA p-value; candidates that never differ from the benchmark are left out."""
    differs = np.ptp(candidates - benchmark[:, None], axis=0) > 0.0
    if not differs.any():
        return float("nan")
    return statistics.spa_pvalue(benchmark, candidates[:, differs], resampling_of(profile.evaluate))


def _overfitting(curves: pd.DataFrame, blocks: int) -> float:
    """Return the probability of backtest overfitting over all strategies at one fee, from hourly returns."""
    columns = []
    for _, curve in curves.groupby(["agent", "train_fee_bps", "seed"], dropna=False):
        hours = curve.groupby((curve["time"] - 1) // HOUR_MS)["equity"].last()
        columns.append(np.diff(np.log(hours.to_numpy(np.float64))))
    returns = np.stack(columns, axis=1)
    returns = returns[:, np.ptp(returns, axis=0) > 0.0]
    if returns.shape[1] < 2 or len(returns) < 2 * blocks:
        return float("nan")
    return statistics.pbo_cscv(returns, blocks=blocks)
