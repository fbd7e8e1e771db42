"""The original study's faults in choosing pairs, kept to show what they do; nothing but the attribution wants them."""

from typing import Final

import numpy as np
import pandas as pd
from scipy.special import ndtr

from perpfut_lib.config import CointegrationConfig
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import Float1D

# One I(1) series, constant in the regression: the row N = 1 of the tables in MacKinnon (1994).
TAU_MAX: Final = 2.74
TAU_MIN: Final = -18.83
TAU_STAR: Final = -1.61
LEFT_TAIL: Final = (2.1659, 1.4412, 3.8269e-2)
REST: Final = (1.7339, 9.3202e-1, -1.2745e-1, -1.0368e-2)


def with_seed_faults(tests: pd.DataFrame, panel: Panel, config: CointegrationConfig) -> pd.DataFrame:
    """Return the tests with correlation and p-value as the settings ask for them.

    ``correlation: whole`` looks at every bar of the data, those of the test span included; ``critical: dickey-fuller``
    takes estimated residuals for observed ones. With the correct settings the tests come back as they were.
    """
    replaced = {}
    if config.correlation == "whole":
        everything = pd.DataFrame(np.log(panel.close)).corr().to_numpy()
        replaced["correlation"] = everything[tests["y"], tests["x"]]
    if config.critical == "dickey-fuller":
        replaced["pvalue"] = dickey_fuller_pvalues(tests["stat"].to_numpy(np.float64))
    return tests.assign(**replaced)


def dickey_fuller_pvalues(stats: Float1D) -> Float1D:
    """Return MacKinnon's approximate p-values of the plain Dickey-Fuller test with a constant.

    The null hypothesis is *a unit root in an observed series*. Residuals of a regression were chosen to look
    stationary, so that for them the p-values are too small: that is fault 5.

    Parameters
    ----------
    stats : ndarray of float64, shape (n,)
        t-ratios; minus infinity gives 0, NaN gives NaN.

    References
    ----------
    MacKinnon (1994), Approximate asymptotic distribution functions for unit-root and cointegration tests, Journal of
    Business & Economic Statistics 12, 167-176.
    """
    bounded = np.clip(stats, TAU_MIN, TAU_MAX)
    tail, rest = (np.polynomial.polynomial.polyval(bounded, terms) for terms in (LEFT_TAIL, REST))
    pvalues = ndtr(np.where(stats <= TAU_STAR, tail, rest))
    return np.select([np.isnan(stats), stats > TAU_MAX, stats < TAU_MIN], [np.nan, 1.0, 0.0], pvalues)
