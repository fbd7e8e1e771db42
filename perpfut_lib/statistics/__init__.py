"""Metrics, intervals and corrections for multiple trials; each checked against a published or closed-form answer."""

from perpfut_lib.statistics.bootstrap import Interval, Resampling, bootstrap_ci, resample_indices
from perpfut_lib.statistics.comparison import interquartile_mean, interquartile_mean_ci, spa_pvalue
from perpfut_lib.statistics.metrics import (
    DAYS_PER_YEAR,
    cumulative_return,
    daily_returns,
    drawdown_duration,
    max_drawdown,
    sharpe,
    sortino,
    volatility,
)
from perpfut_lib.statistics.paired import measures_of, paired_changes, window_sums
from perpfut_lib.statistics.selection import (
    Shape,
    deflated_sharpe,
    expected_best_sharpe,
    minimum_detectable_sharpe,
    pbo_cscv,
    probabilistic_sharpe,
)
from perpfut_lib.statistics.student import (
    jackknife_interval,
    mean_interval,
    ratio_interval,
    return_interval,
    sharpe_interval,
    total_interval,
)

__all__ = [
    "DAYS_PER_YEAR",
    "Interval",
    "Resampling",
    "Shape",
    "bootstrap_ci",
    "cumulative_return",
    "daily_returns",
    "deflated_sharpe",
    "drawdown_duration",
    "expected_best_sharpe",
    "interquartile_mean",
    "interquartile_mean_ci",
    "jackknife_interval",
    "max_drawdown",
    "mean_interval",
    "measures_of",
    "minimum_detectable_sharpe",
    "paired_changes",
    "pbo_cscv",
    "probabilistic_sharpe",
    "ratio_interval",
    "resample_indices",
    "return_interval",
    "sharpe",
    "sharpe_interval",
    "sortino",
    "spa_pvalue",
    "total_interval",
    "volatility",
    "window_sums",
]
