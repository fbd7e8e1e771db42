"""The fault drill has no unsafe outcome, and its judge is not blind."""

import os

import pytest

from agent.testing.fault_drill import BARS_BEFORE, Expected, drill, exchange_faults, judge, matrix, unsafe
from agent.testing.fault_injection import FAULT_INJECTIONS
from perpfut_lib.artifacts import Reason
from tests.agent.documents import signal


@pytest.fixture(scope="module")
def cases(world, tmp_path_factory):
    start = world.windows()[0][0]
    share = float(os.environ.get("PERPFUT_DRILL_SHARE", "0.25"))
    return drill(world.profile, world.panel, world.policy, start, tmp_path_factory.mktemp("drill"), share=share)


def test_no_outcome_is_unsafe(cases):
    """Null hypothesis: some fault of the exchange with some corrupted file leads to an unsafe target. None does.

    All single faults and a quarter of the double ones; ``PERPFUT_DRILL_SHARE=1`` runs all of them.
    """
    assert len(cases) >= len(exchange_faults("A")) + len(FAULT_INJECTIONS) + 80
    assert unsafe(cases).empty, unsafe(cases).to_string()


def test_no_tick_of_the_drill_fails(cases):
    """Every fault is met by a check that has a name: none ends in an exception that the tick's boundary catches."""
    assert not cases["reasons"].str.contains(Reason.TICK_FAILED).any(), cases.to_string()
    assert cases["reasons"].str.contains(Reason.TOO_LATE).any()


def test_the_drill_reaches_every_answer(cases):
    """Healthy cases decide, missing data hold, broken orders flatten: the drill is not flat for one trivial reason."""
    table = matrix(cases)
    assert table.loc["nothing", "none"] == "decided"
    assert table.loc["nothing", "500"] == "held"
    assert table.loc["nothing", "clock wrong"] == "flat"
    assert table.loc["control: missing", "none"] == "flat"
    assert table.loc["memory: missing", "none"] == "decided"
    closing = table.loc[[item.name for item in FAULT_INJECTIONS if item.allowed == "flat"]]
    assert closing.isin(["flat", ""]).all(axis=None)
    assert BARS_BEFORE > 1


def test_the_judge_sees_what_is_unsafe():
    """A number given again, a position that should be closed, another decision: all are called unsafe."""
    honest, before = signal(seq=8), signal(seq=7)
    moved = signal(seq=8, legs=tuple(leg.model_copy(update={"weight": 2 * leg.weight}) for leg in honest.legs))
    fair = Expected(honest, before, "anything safe", early=False)
    assert judge(honest, fair) == "decided"
    assert judge(before, fair).startswith("UNSAFE: number")
    assert judge(honest, Expected(honest, before, "flat", early=False)) == "UNSAFE: not flat"
    assert judge(moved, fair).endswith("decided otherwise")
    assert judge(None, fair) == "none"
