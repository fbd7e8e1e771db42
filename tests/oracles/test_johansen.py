"""Johansen's test of a pair: the numbers of statsmodels, and the ranks that known pairs have."""

import numpy as np
import pytest
from statsmodels.tsa.vector_ar.vecm import coint_johansen

from perpfut_lib.cointegration.johansen import johansen


@pytest.mark.parametrize("lags", [0, 1, 6])
def test_is_that_of_statsmodels(lags: int) -> None:
    """H0: trace statistic and critical value of rank 0 are those of statsmodels; no lag counts as one."""
    walks = np.random.default_rng(lags).standard_normal((500, 2)).cumsum(axis=0)
    peer = coint_johansen(walks, 0, max(lags, 1))
    ours = johansen(walks[:, 0], walks[:, 1], lags)
    assert (ours.trace, ours.critical) == pytest.approx((peer.lr1[0], peer.cvt[0, 1]), abs=1e-6)


def test_ranks_of_known_pairs() -> None:
    """Two walks have rank 0, a cointegrated pair 1 with its hedge ratio, two stationary series 2."""
    rng = np.random.default_rng(3)
    noise, walks = rng.standard_normal((4000, 2)), rng.standard_normal((4000, 2)).cumsum(axis=0)
    assert johansen(walks[:, 0], walks[:, 1], 1).rank == 0
    tied = johansen(1.4 * walks[:, 0] + noise[:, 0], walks[:, 0], 1)
    assert tied.rank == 1
    assert tied.beta == pytest.approx(1.4, abs=0.01)
    assert johansen(noise[:, 0], noise[:, 1], 1).rank == 2


def test_both_orders_agree() -> None:
    """Unlike Engle and Granger's, the test does not depend on which leg comes first; hedge ratios are reciprocal."""
    rng = np.random.default_rng(4)
    walk = rng.standard_normal(1000).cumsum()
    y, x = 0.8 * walk + rng.standard_normal(1000), walk
    one, other = johansen(y, x, 2), johansen(x, y, 2)
    assert one.trace == pytest.approx(other.trace, abs=1e-5)
    assert one.beta * other.beta == pytest.approx(1.0, abs=1e-5)
