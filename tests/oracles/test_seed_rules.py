"""The original study's faults in choosing pairs, each against an oracle."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.adfvalues import mackinnonp

from perpfut_lib.cointegration.mackinnon import mackinnon_pvalue
from perpfut_lib.cointegration.seed_rules import dickey_fuller_pvalues, with_seed_faults
from perpfut_lib.config import CointegrationConfig
from perpfut_lib.store.panel import Panel


def test_plain_dickey_fuller_values_are_those_of_statsmodels():
    stats = np.array([-np.inf, -25.0, -6.0, -3.4, -2.86, -1.7, -1.61, -1.0, 0.0, 2.0, 3.0, np.nan])
    expected = [0.0, *(mackinnonp(stat, regression="c", N=1) for stat in stats[1:-1]), np.nan]
    assert dickey_fuller_pvalues(stats) == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_plain_values_call_pairs_cointegrated_that_are_not():
    """At -3.0 the plain test rejects at 5 %, the right one does not."""
    assert dickey_fuller_pvalues(np.array([-3.0]))[0] < 0.05 < mackinnon_pvalue(-3.0)


def panel(close):
    time = np.arange(len(close), dtype=np.int64) * 60_000
    held = np.zeros(close.shape, bool)
    prices = {name: close.copy() for name in ("open", "high", "low", "close", "volume")}
    return Panel(time, ("A", "B"), 60_000, filled=held, funding={}, **prices)


def test_correlation_over_all_bars_sees_the_future():
    """Legs that move together only after the formation window: the fault finds it, the right rule cannot."""
    generator = np.random.default_rng(0)
    first, later = generator.normal(0, 0.01, (2, 200)), generator.normal(0, 0.2, 1000)
    logs = np.cumsum(np.stack([np.concatenate([leg, later]) for leg in first], axis=1), axis=0)
    formation = float(np.corrcoef(logs[:200].T)[0, 1])
    tests = pd.DataFrame({"y": [0], "x": [1], "correlation": [formation], "stat": [-3.0], "pvalue": [0.1]})
    seen = with_seed_faults(tests, panel(np.exp(logs)), CointegrationConfig(correlation="whole"))
    assert seen["correlation"].item() == pytest.approx(np.corrcoef(logs.T)[0, 1])
    assert seen["correlation"].item() > 0.95 > formation
    same = with_seed_faults(tests, panel(np.exp(logs)), CointegrationConfig())
    pd.testing.assert_frame_equal(same, tests)
