"""Robustness: could the result be chance? Tests over seeds and trials, walk-forward folds, placebo worlds."""

from perpfut_lib.robustness.folds import fold_splits
from perpfut_lib.robustness.stage import load_checks, run_stage
from perpfut_lib.robustness.tests import count_trials

__all__ = ["count_trials", "fold_splits", "load_checks", "run_stage"]
