"""The whole protocol on worlds whose truth is known: how often it sees an edge in noise, and how often it finds one."""

from perpfut_lib.protocol.power import Plan, run_plan
from perpfut_lib.protocol.trial import TrialResult, judge_world
from perpfut_lib.protocol.worlds import World, coarser, prepare, simulated_panel

__all__ = [
    "Plan",
    "TrialResult",
    "World",
    "coarser",
    "judge_world",
    "prepare",
    "run_plan",
    "simulated_panel",
]
