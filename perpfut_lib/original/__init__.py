"""The original study's own policies, through its own features and rules; and what each of its faults is worth to them.

Nothing is trained here, so no training noise enters: the same decisions are accounted for under the original rules,
under correct ones, and under every combination in between.
"""

from perpfut_lib.original.policy import DECISION_BARS, REGIMES, OriginalPolicy, decide_days, load_policies
from perpfut_lib.original.rules import CORRECTIONS, Rules, account
from perpfut_lib.original.shapley import shapley_values
from perpfut_lib.original.study import run_study

__all__ = [
    "CORRECTIONS",
    "DECISION_BARS",
    "REGIMES",
    "OriginalPolicy",
    "Rules",
    "account",
    "decide_days",
    "load_policies",
    "run_study",
    "shapley_values",
]
