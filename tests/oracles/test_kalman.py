"""pykalman is the oracle of the hedge-ratio filter."""

import json

import numpy as np
import numpy.typing as npt
import pytest
from pykalman import KalmanFilter

from perpfut_lib.errors import DegenerateSeriesError
from perpfut_lib.features.noise_fit import Noise, fit_noise
from perpfut_lib.features.recursion import dump, load
from perpfut_lib.indicators import blank
from perpfut_lib.kalman import KALMAN, filter_hedge_ratio, kalman_step
from perpfut_lib.types import Float1D, Float2D
from tests.oracles.conditioning import assert_agrees


def _series(count: int = 500) -> tuple[Float1D, Float1D]:
    rng = np.random.default_rng(2)
    x = 4.0 + 0.01 * rng.standard_normal(count).cumsum()
    return 0.5 + np.linspace(0.8, 1.1, count) * x + 0.003 * rng.standard_normal(count), x


def _observing(x: Float1D) -> npt.NDArray[np.float64]:
    return np.stack([np.ones_like(x), x], axis=1)[:, None, :]


@pytest.mark.parametrize("q", [1e-7, [1e-6, 1e-8], [[1e-6, -2e-7], [-2e-7, 1e-7]]])
def test_equals_pykalman(q: object) -> None:
    """H0: filtered means and covariances are those of pykalman, as far as rounding lets them, for any form of Q."""
    y, x = _series()
    Q = np.array(q) if np.ndim(q) == 2 else np.diag(np.broadcast_to(q, 2))
    theta0, P0, r = [0.1, 0.9], [[2.0, 0.1], [0.1, 1.0]], 1e-5

    def peer(y: Float1D, x: Float1D) -> Float2D:
        model = KalmanFilter(
            transition_matrices=np.eye(2), observation_matrices=_observing(x), transition_covariance=Q,
            observation_covariance=[[r]], initial_state_mean=theta0, initial_state_covariance=P0,
        )  # fmt: skip
        means, covariances = model.filter(y)
        return np.column_stack([means, covariances.reshape(-1, 4)])

    theta, P = filter_hedge_ratio(y, x, q=q, r=r, theta0=theta0, P0=P0)
    assert_agrees(np.column_stack([theta, P.reshape(-1, 4)]), peer, y, x)


def test_a_restart_from_json_continues_to_the_bit() -> None:
    """H0: steps from a state that went through JSON are those of the uninterrupted scan."""
    y, x = _series()
    Q, r = np.diag([1e-7, 1e-7]), 1e-5
    theta, _ = filter_hedge_ratio(y, x, q=1e-7, r=r)
    state = blank(KALMAN)
    state["P"] = np.eye(2)
    for t in range(len(y)):
        state = load(KALMAN, json.loads(json.dumps(dump(state))))
        kalman_step(state, y[t], x[t], Q, r)
        assert state["theta"].tobytes() == theta[t].tobytes()


def test_finds_a_drifting_hedge_ratio() -> None:
    """The filtered hedge ratio follows a planted drift from 0.8 to 1.1."""
    y, x = _series(4000)
    theta, _ = filter_hedge_ratio(y - 0.5, x, q=[0.0, 1e-8], r=9e-6, P0=np.diag([1e-9, 1.0]))
    assert theta[-1, 1] == pytest.approx(1.1, abs=0.01)
    assert theta[2000, 1] == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(
    ("y", "x", "r"), [([1.0, np.nan], [1.0, 2.0], 1.0), ([1.0], [1.0, 2.0], 1.0), ([1.0, 2.0], [1.0, 2.0], 0.0)]
)
def test_bad_input_is_a_named_error(y: list[float], x: list[float], r: float) -> None:
    """NaN, unequal lengths and a variance that is not positive raise a named error."""
    with pytest.raises(DegenerateSeriesError):
        filter_hedge_ratio(y, x, q=1e-6, r=r)


def _wandering(count: int, noise: Noise, seed: int) -> tuple[Float1D, Float1D]:
    """Return a window whose level and hedge ratio walk with that noise (no cross term)."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(count).cumsum() / np.sqrt(count)
    level, hedge = (np.sqrt(q) * rng.standard_normal(count).cumsum() for q in (noise.level, noise.hedge))
    return level + hedge * x + np.sqrt(noise.observation) * rng.standard_normal(count), x


def test_the_fit_of_the_noise_is_that_of_pykalman() -> None:
    """H0: steps of expectation maximisation give the covariances of pykalman's ``em``, and its log-likelihood."""
    start, count = Noise(1e-3, 2e-4, 1e-3, 0.5), 150
    y, x = _wandering(count, Noise(1e-2, 0.0, 1e-2, 0.3), 0)

    def peer(y: Float1D, x: Float1D) -> list[float]:
        model = KalmanFilter(
            transition_matrices=np.eye(2), observation_matrices=_observing(x),
            transition_covariance=[[start.level, start.cross], [start.cross, start.hedge]],
            observation_covariance=[[start.observation]], initial_state_mean=np.zeros(2),
            initial_state_covariance=np.eye(2) / count, em_vars=["transition_covariance", "observation_covariance"],
        )  # fmt: skip
        before = model.loglikelihood(y)
        model.em(y, n_iter=3)
        walk, observation = np.asarray(model.transition_covariance), np.asarray(model.observation_covariance)
        return [*walk[np.triu_indices(2)], observation[0, 0], before, model.loglikelihood(y)]

    fit = fit_noise([(y, x)], start, 3)
    likelihoods = fit.log_likelihood[0] * count, fit.log_likelihood[-1] * count
    ours = [fit.noise.level, fit.noise.cross, fit.noise.hedge, fit.noise.observation, *likelihoods]
    assert_agrees(ours, peer, y, x)


def test_the_fit_finds_planted_noise_in_several_windows() -> None:
    """The log-likelihood never falls and ends as high as that of the noise that is planted in eight windows."""
    planted = Noise(4e-3, 0.0, 2e-3, 0.2)
    windows = [_wandering(1500, planted, seed) for seed in range(8)]
    fit = fit_noise(windows, Noise(1e-3, 0.0, 1e-3, 1.0), 200)
    assert (np.diff(fit.log_likelihood) > -1e-9).all()
    assert fit.log_likelihood[-1] > fit_noise(windows, planted, 0).log_likelihood[0] - 1e-3
    assert fit.noise[:3:2] == pytest.approx(planted[:3:2], rel=0.33)
    assert fit.noise.observation == pytest.approx(planted.observation, rel=0.05)
    assert fit.windows == 8
