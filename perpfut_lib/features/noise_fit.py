"""Expectation maximisation of the spread filter's noise, on formation windows of training pair-days only."""

import math
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numba import njit

from perpfut_lib.features.pair import Pair, second_leg_std
from perpfut_lib.features.spec import FeatureSpec
from perpfut_lib.kalman import corrected
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import Float1D, Float2D, JsonObject

LOG_2_PI: Final = math.log(2.0 * math.pi)


class Noise(NamedTuple):
    """Covariance of the random walk of (level, hedge ratio) per bar, and variance of the observation.

    In variances of the formation spread, with the second leg in standard deviations.
    """

    level: float
    cross: float
    hedge: float
    observation: float


@dataclass(frozen=True)
class NoiseFit:
    """What the fit came to."""

    noise: Noise
    log_likelihood: tuple[float, ...]
    """Per bar, under the noise before each iteration and under the final one; it never falls."""
    windows: int
    """Formation windows that it was fitted to."""

    def to_json(self) -> JsonObject:
        """Return a JSON object for the record."""
        return {"noise": self.noise._asdict(), "log_likelihood": list(self.log_likelihood), "windows": self.windows}


def fitted(
    spec: FeatureSpec, panel: Panel, pair_days: pd.DataFrame, formation: int, iterations: int
) -> tuple[FeatureSpec, NoiseFit]:
    """Return the specification with its filter's noise fitted to the formation windows of ``pair_days``, and the fit.

    Parameters
    ----------
    spec : FeatureSpec
        Its noise is where the fit starts.
    panel : Panel
        Candles.
    pair_days : DataFrame
        Training pair-days, and no others.
    formation : int
        Length of a formation window, ms.
    iterations : int
        Steps of expectation maximisation.
    """
    windows = [_window(panel, Pair.of(row, formation, panel.timeframe), row) for _, row in pair_days.iterrows()]
    start = spec.indicators
    first = Noise(start.level_noise, start.cross_noise, start.hedge_noise, start.observation_noise)
    fit = fit_noise(windows, first, iterations)
    level, cross, hedge, observation = fit.noise
    noise: JsonObject = {
        "level_noise": level,
        "cross_noise": cross,
        "hedge_noise": hedge,
        "observation_noise": observation,
    }
    return replace(spec, indicators=start._replace(**noise)), fit


def fit_noise(windows: list[tuple[Float1D, Float1D]], start: Noise, iterations: int) -> NoiseFit:
    """Fit the noise of y_t = level_t + hedge_t x_t + v_t to several windows at once by expectation maximisation.

    Every window starts from mean zero and a covariance of one over its length. With one window, an iteration is that of
    ``pykalman``'s ``em`` for ``transition_covariance`` and ``observation_covariance``.

    Parameters
    ----------
    windows : list of tuple
        (y, x) of each window, (n,) each, n ≥ 2.
    start : Noise
        Where it starts.
    iterations : int
        Number of steps.

    References
    ----------
    Shumway, R.H. and Stoffer, D.S. (1982), "An approach to time series smoothing and forecasting using the EM
    algorithm", Journal of Time Series Analysis 3, 253-264.
    """
    noise, path = start, []
    for _ in range(iterations):
        sums = np.sum([_expect(y, x, noise) for y, x in windows], axis=0)
        path.append(float(sums[4] / sums[5]))
        bars, steps = sums[5], sums[5] - len(windows)
        noise = Noise(*(float(value) for value in (*(sums[:3] / steps), sums[3] / bars)))
    sums = np.sum([_expect(y, x, noise) for y, x in windows], axis=0)
    return NoiseFit(noise, (*path, float(sums[4] / sums[5])), len(windows))


def _window(panel: Panel, pair: Pair, row: pd.Series) -> tuple[Float1D, Float1D]:
    """Return the formation window as the filter sees it: z-scores, and the second leg from its first bar, per std."""
    bars, stop = round((pair.start - pair.formation_start) / pair.timeframe), panel.row(int(pair.start))
    log_y, log_x = (np.log(panel.close[stop - bars : stop, panel.column(row[leg])]) for leg in ("y", "x"))
    z = (log_y - pair.alpha - pair.beta * log_x - pair.spread_mean) / pair.spread_std
    return z, (log_x - log_x[0]) / second_leg_std(pair)


@njit(cache=True, error_model="numpy")
def _expect(y: Float1D, x: Float1D, noise: Noise) -> Float1D:
    """Return sums over a window, given all of it: expected squares, log-likelihood, bars.

    The squares are those of the walk's steps (00, 01, 11) and of the observation noise.
    """
    count = y.shape[0]
    means, covariances = np.empty((count, 2)), np.empty((count, 3))
    sums = np.zeros(6)
    belief = (0.0, 0.0, 1.0 / count, 0.0, 1.0 / count)
    for t in range(count):
        belief, innovation, variance = corrected(belief, y[t], x[t], noise.observation)
        sums[4] -= 0.5 * (LOG_2_PI + math.log(variance) + innovation * innovation / variance)
        level, hedge, p00, p01, p11 = belief
        means[t, 0], means[t, 1] = level, hedge
        covariances[t, 0], covariances[t, 1], covariances[t, 2] = p00, p01, p11
        belief = (level, hedge, p00 + noise.level, p01 + noise.cross, p11 + noise.hedge)
    sums[5] = count
    _smooth(y, x, (means, covariances), noise, sums)
    return sums


@njit(cache=True, error_model="numpy")
def _smooth(y: Float1D, x: Float1D, filtered: tuple[Float2D, Float2D], noise: Noise, sums: Float1D) -> None:
    """Go back through the filtered means and covariances (Rauch, Tung and Striebel) and add the expected squares."""
    means, covariances = filtered
    last = y.shape[0] - 1
    level, hedge = means[last]
    s00, s01, s11 = covariances[last]
    sums[3] += _observed(y[last], x[last], (level, hedge), (s00, s01, s11))
    for t in range(last - 1, -1, -1):
        p00, p01, p11 = covariances[t]
        q00, q01, q11 = p00 + noise.level, p01 + noise.cross, p11 + noise.hedge
        size = q00 * q11 - q01 * q01
        g00, g01 = (p00 * q11 - p01 * q01) / size, (p01 * q00 - p00 * q01) / size
        g10, g11 = (p01 * q11 - p11 * q01) / size, (p11 * q00 - p01 * q01) / size
        up, across = level - means[t, 0], hedge - means[t, 1]
        earlier = means[t, 0] + g00 * up + g01 * across, means[t, 1] + g10 * up + g11 * across
        d00, d01, d11 = s00 - q00, s01 - q01, s11 - q11
        h00, h01 = g00 * d00 + g01 * d01, g00 * d01 + g01 * d11
        h10, h11 = g10 * d00 + g11 * d01, g10 * d01 + g11 * d11
        e00, e01, e11 = p00 + h00 * g00 + h01 * g01, p01 + h00 * g10 + h01 * g11, p11 + h10 * g10 + h11 * g11
        # Covariance of the later state with the earlier one: S_{t+1} G'.
        c00, c01 = s00 * g00 + s01 * g01, s00 * g10 + s01 * g11
        c10, c11 = s01 * g00 + s11 * g01, s01 * g10 + s11 * g11
        up, across = level - earlier[0], hedge - earlier[1]
        sums[0] += up * up + e00 + s00 - 2.0 * c00
        sums[1] += up * across + e01 + s01 - c01 - c10
        sums[2] += across * across + e11 + s11 - 2.0 * c11
        (level, hedge), (s00, s01, s11) = earlier, (e00, e01, e11)
        sums[3] += _observed(y[t], x[t], earlier, (e00, e01, e11))


@njit(cache=True, error_model="numpy")
def _observed(y: float, x: float, mean: tuple[float, float], covariance: tuple[float, float, float]) -> float:
    """Return the expected square of the observation noise."""
    error = y - mean[0] - mean[1] * x
    return error * error + covariance[0] + 2.0 * x * covariance[1] + x * x * covariance[2]
