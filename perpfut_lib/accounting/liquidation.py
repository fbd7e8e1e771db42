"""How far prices may move against a position before the exchange liquidates it."""

from typing import Final

import numpy as np
import numpy.typing as npt

from perpfut_lib.types import Float1D

MAINTENANCE_MARGIN: Final = 0.05  # cautious: by symbol and bracket, exchanges ask from 0.4 % of notional upwards


def liquidation_distance(longs: npt.ArrayLike, shorts: npt.ArrayLike, maintenance: float) -> Float1D:
    r"""Return the adverse move of every leg, as a fraction, at which equity meets the maintenance margin.

    After a move :math:`d` against every leg, longs :math:`L` have lost :math:`dL` and shorts :math:`S` have lost
    :math:`dS` of an equity of one, and margin :math:`m` is asked of what they are worth then:

    .. math:: 1 - d (L + S) = m \left[ L (1 - d) + S (1 + d) \right]
              \quad\Rightarrow\quad d = \frac{1 - m (L + S)}{L + S + m (S - L)}

    Parameters
    ----------
    longs, shorts : array_like
        Gross notional of the long and of the short legs as shares of equity, not negative, of one shape.
    maintenance : float
        Maintenance margin as a fraction of notional, below one.

    Returns
    -------
    ndarray
        Not above zero where the position is liquidated at once; infinity without positions.

    Notes
    -----
    With one leg at leverage k this is the exchange's isolated margin, :math:`d = (1/k - m)/(1 \mp m)` for a long or a
    short (Binance USD-M futures, "How to Calculate Liquidation Price", lowest bracket, whose maintenance amount is
    zero); with several it is its cross margin, for the case that all of them move against the account at once.
    """
    longs, shorts = np.asarray(longs, np.float64), np.asarray(shorts, np.float64)
    gross = longs + shorts
    distance: Float1D = np.full(np.shape(gross), np.inf)
    np.divide(1.0 - maintenance * gross, gross + maintenance * (shorts - longs), out=distance, where=gross > 0.0)
    return distance
