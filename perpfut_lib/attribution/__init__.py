"""Attribution: what each of the original study's faults is worth, and how much of a result is the bid-ask bounce."""

from perpfut_lib.attribution.ladder import Study, effort, load_ladder, studies
from perpfut_lib.attribution.original import ORIGINAL, Difference, differences
from perpfut_lib.attribution.stage import run_stage
from perpfut_lib.attribution.sweep import load_sweep

__all__ = [
    "ORIGINAL",
    "Difference",
    "Study",
    "differences",
    "effort",
    "load_ladder",
    "load_sweep",
    "run_stage",
    "studies",
]
