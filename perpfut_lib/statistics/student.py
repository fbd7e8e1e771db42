"""Student's t interval: for sums over days it covers what it says already at ten days, where a bootstrap does not."""

import numpy as np
from scipy.special import stdtrit

from perpfut_lib.errors import SchemaError
from perpfut_lib.statistics.bootstrap import Interval
from perpfut_lib.types import Float1D


def total_interval(values: Float1D, level: float = 0.95) -> Interval:
    r"""Return the sum of observations with Student's t interval for :math:`n` times their expectation.

    .. math:: \sum_i v_i \pm t_{n-1}\, s \sqrt{n}

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        One number per day, such as its log growth; independent, n >= 2.
    level : float
        Coverage.

    Raises
    ------
    SchemaError
        Fewer than two values, or one that is not finite.

    References
    ----------
    Student (1908), The probable error of a mean, Biometrika 6(1).
    """
    count = len(values)
    if count < 2 or not np.all(np.isfinite(values)):
        raise SchemaError(f"{count} values", "two or more finite values", "lengthen the test span")
    total = float(np.sum(values))
    reach = float(stdtrit(count - 1, 0.5 + level / 2.0) * np.std(values, ddof=1) * np.sqrt(count))
    return Interval(total, total - reach, total + reach, level)
