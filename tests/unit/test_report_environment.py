"""Tables and figures of chapter 05, each against what is known."""

import numpy as np
import pytest

from perpfut_lib import report
from perpfut_lib.report.environment import STUDY


@pytest.fixture(scope="module")
def table():
    return report.risk_aversion_table(count=12)


def test_risk_aversion_matters_at_our_scale_and_not_at_the_study_s(table):
    """Proves less exposure and utility with more λ; that λ = 6 on raw returns changes little; that 0.01 a bp does."""
    assert np.all(np.diff(table["mean |exposure|"]) <= 1e-9)
    assert np.all(np.diff(table["utility (bps/day)"]) < 0.0)
    free, study, ours = (table.loc[value, "mean |exposure|"] for value in (0.0, STUDY, 0.01))
    assert free - study < 0.02
    assert free - ours > 0.15
    assert report.plot_risk_aversion(table).axes[0].patches[1].get_height() == study


def test_the_liquidation_table_is_the_exchange_s():
    """Proves hand-worked isolated distances at 10 x and 5 %, and zero where the margin is all of the equity."""
    moves = report.liquidation_table(0.05)
    assert moves.loc[10.0, "long leg, isolated (%)"] == pytest.approx(100 * 0.05 / 0.95, abs=0.005)
    assert moves.loc[10.0, "short leg, isolated (%)"] == pytest.approx(100 * 0.05 / 1.05, abs=0.005)
    assert moves.loc[10.0, "hedged pair, cross (%)"] == pytest.approx(5.0, abs=0.005)
    assert not moves.loc[20.0].any()
