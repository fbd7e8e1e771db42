"""The hedge-ratio filter beside pykalman."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from pykalman import KalmanFilter

from perpfut_lib.bench.harness import BenchRow, Contest
from perpfut_lib.kalman import filter_hedge_ratio
from perpfut_lib.types import Float2D

BENCH: Final = "kalman"
BARS: Final = 43_200
PEER_BARS: Final = 1_440
NOISE: Final = {"q": 1e-7, "r": 1e-6}


def run() -> Iterator[BenchRow]:
    """Yield the filter over thirty days of minutes; pykalman does one day of them."""
    rng = np.random.default_rng(0)
    x = 4.0 + 6e-4 * rng.standard_normal(BARS).cumsum()
    y = 0.5 + 1.2 * x + 1e-3 * rng.standard_normal(BARS)
    design = np.stack([np.ones(PEER_BARS), x[:PEER_BARS]], axis=1)[:, None, :]
    peer = KalmanFilter(
        transition_matrices=np.eye(2),
        observation_matrices=design,
        transition_covariance=NOISE["q"] * np.eye(2),
        observation_covariance=[[NOISE["r"]]],
        initial_state_mean=np.zeros(2),
        initial_state_covariance=np.eye(2),
    )
    yield Contest(
        bench=BENCH,
        metric=f"hedge ratio over {BARS} bars, one thread",
        ours=lambda: filter_hedge_ratio(y, x, **NOISE),
        peer=lambda: peer.filter(y[:PEER_BARS]),
        peer_name="pykalman filter",
        error=_difference,
        peer_share=PEER_BARS / BARS,
    ).run()


def _difference(ours: tuple[Float2D, Any], reference: tuple[Float2D, Any]) -> float:
    """Return the largest difference of the filtered means and covariances over the bars that both did."""
    parts = (np.abs(mine[:PEER_BARS] - theirs).max() for mine, theirs in zip(ours, reference, strict=True))
    return float(max(parts))
