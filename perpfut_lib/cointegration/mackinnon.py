"""MacKinnon's approximate asymptotic p-values of the Engle-Granger residual test."""

import math
from typing import Final

from numba import njit

# Two I(1) series, constant in the cointegrating regression: the row N = 2 of the tables in MacKinnon (1994).
TAU_MAX: Final = 0.92
TAU_MIN: Final = -18.86
TAU_STAR: Final = -2.62
LEFT_TAIL: Final = (2.92, 1.5012, 3.9796e-2)
REST: Final = (2.1945, 6.4695e-1, -2.9198e-1, -4.2377e-2)


@njit(cache=True)
def mackinnon_pvalue(stat: float) -> float:
    """Return the p-value of an Engle-Granger statistic of two series, constant included.

    The null hypothesis is *no cointegration*. p = Φ(polynomial in the statistic), with one polynomial for the left
    tail and one for the rest.

    Parameters
    ----------
    stat : float
        t-ratio of the lagged residual; minus infinity gives 0, NaN gives NaN.

    Returns
    -------
    float
        Between 0 and 1.

    References
    ----------
    MacKinnon, J.G. (1994), "Approximate asymptotic distribution functions for unit-root and cointegration tests",
    Journal of Business & Economic Statistics 12, 167-176.
    """
    if stat > TAU_MAX:
        return 1.0
    if stat < TAU_MIN:
        return 0.0
    if stat <= TAU_STAR:
        z = LEFT_TAIL[0] + stat * (LEFT_TAIL[1] + stat * LEFT_TAIL[2])
    else:
        z = REST[0] + stat * (REST[1] + stat * (REST[2] + stat * REST[3]))
    return 0.5 * math.erfc(-z / math.sqrt(2.0))
