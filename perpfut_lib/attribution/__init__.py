"""Attribution: what each of the original study's faults is worth, and how much of a result is the bid-ask bounce."""

from perpfut_lib.attribution.ladder import Study, load_ladder, studies
from perpfut_lib.attribution.stage import run_stage
from perpfut_lib.attribution.sweep import load_sweep

__all__ = ["Study", "load_ladder", "load_sweep", "run_stage", "studies"]
