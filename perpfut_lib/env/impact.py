r"""Market impact of every fill, from volatility and volume before its decision: the square-root law.

.. math:: \frac{\text{slippage}}{\text{notional}} = Y \sigma \sqrt{\frac{Q}{V}} = \kappa \sqrt{n},
          \qquad \kappa = Y \sigma \sqrt{\frac{K}{V}}

with the notional :math:`n` as a share of the pair's first equity :math:`K`, so that :math:`Q = nK`. σ is the root mean
square of log returns and V the mean of volume times close, both per bar over a trailing window; the law reads the same
at any bar size, since σ² and V grow alike with time. Y is of order one: Tóth et al. (2011). Almgren et al. (2005)
measure a power of 0.6 in place of one half for stocks; Donier and Bonart (2015) find the square root on Bitcoin.
"""

from typing import Final

import numpy as np
import pandas as pd

from perpfut_lib.config import SlippageConfig
from perpfut_lib.errors import GapError
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import Float1D, Float2D, Float3D, Int1D

LEGS: Final = ("y", "x")


def impact_coefficients(panel: Panel, pair_days: pd.DataFrame, rows: Int1D, config: SlippageConfig) -> Float3D:
    """Return κ: what the slippage fraction of each fill is per square root of its notional.

    Parameters
    ----------
    panel : Panel
        Closes and volumes.
    pair_days : DataFrame
        One row per episode; columns ``y`` and ``x``.
    rows : ndarray, (E, L+1)
        Panel row whose bar opens when each decision is made; only bars before it are read.
    config : SlippageConfig
        Model, Y, K and the length of the trailing window.

    Returns
    -------
    ndarray, (E, L+1, 2)
        κ of legs y and x; zeros unless the model is ``impact``.

    Raises
    ------
    GapError
        A symbol traded nothing over a whole trailing window.
    """
    if config.model != "impact":
        return np.zeros((*rows.shape, len(LEGS)))
    bars = max(1, config.window // panel.timeframe)
    by_symbol = {symbol: _per_bar(panel, symbol, bars) for symbol in sorted({*pair_days["y"], *pair_days["x"]})}
    kappa = np.empty((*rows.shape, len(LEGS)))
    for leg, column in enumerate(LEGS):
        for episode, symbol in enumerate(pair_days[column]):
            volatility, volume = (values[rows[episode]] for values in by_symbol[symbol])
            if not np.all(volume > 0.0):
                found = f"no volume of {symbol} over {bars} bars before a decision"
                raise GapError(found, "some volume", "lengthen costs.slippage.window or leave the symbol out")
            kappa[episode, :, leg] = config.coefficient * volatility * np.sqrt(config.capital / volume)
    return kappa


def _per_bar(panel: Panel, symbol: str, bars: int) -> tuple[Float1D, Float1D]:
    """Return volatility and dollar volume per bar over the last ``bars`` before each row, (T+1,); NaN bars count not.

    Entry t is a sum over rows before t only: no later bar can touch it.
    """
    close, volume = (values[:, panel.column(symbol)] for values in (panel.close, panel.volume))
    squares = np.concatenate([[np.nan], np.diff(np.log(close)) ** 2])
    means: Float2D = np.stack([_trailing_mean(values, bars) for values in (squares, close * volume)])
    return np.sqrt(means[0]), means[1]


def _trailing_mean(values: Float1D, bars: int) -> Float1D:
    """Return the mean of the ``bars`` finite values before each row, (T+1,); zero where there is none."""
    finite = np.isfinite(values)
    sums, counts = (
        np.concatenate([[0.0], np.cumsum(part, dtype=np.float64)]) for part in (np.where(finite, values, 0.0), finite)
    )
    start = np.maximum(np.arange(len(sums)) - bars, 0)
    total, count = sums - sums[start], counts - counts[start]
    mean: Float1D = np.divide(total, count, out=np.zeros_like(total), where=count > 0)
    return np.maximum(mean, 0.0)
