"""What the Engle-Granger test answers where there is nothing to test, beside what statsmodels answers."""

import warnings
from typing import Any, Final

import numpy as np
import pandas as pd

from perpfut_lib.cointegration import engle_granger
from perpfut_lib.errors import DegenerateSeriesError
from perpfut_lib.types import Float1D

BARS: Final = 300
ERRORS: Final = (ValueError, IndexError, ZeroDivisionError, np.linalg.LinAlgError)


def edge_cases() -> dict[str, tuple[Float1D, Float1D]]:
    """Return pairs of series that cannot be tested, or hardly, by name."""
    walk = np.random.default_rng(0).standard_normal(BARS).cumsum()
    other = np.random.default_rng(1).standard_normal(BARS).cumsum()
    constant, time = np.full(BARS, 3.0), np.arange(float(BARS))
    return {
        "y constant": (constant, walk),
        "x constant": (walk, constant),
        "y = 1 + 2 x": (1.0 + 2.0 * walk, walk),
        "y = 1 + 2 x, and rounding": (1.0 + 2.0 * walk + 1e-9 * other, walk),
        "one NaN": (np.r_[np.nan, walk[1:]], other),
        "one infinity": (np.r_[np.inf, walk[1:]], other),
        "20 bars": (walk[:20], other[:20]),
        "no bar": (walk[:0], other[:0]),
        "lengths differ": (walk, other[1:]),
        "y = sin t, x = t": (np.sin(time), time),
    }


def edge_case_table() -> pd.DataFrame:
    """Return, one row per case, what ours and statsmodels' ``coint`` answer: statistic and p-value, or the error."""
    from statsmodels.tsa.stattools import coint

    rows = {}
    for name, (y, x) in edge_cases().items():
        rows[name] = {"ours": _ours(y, x), "statsmodels": _theirs(coint, y, x)}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("input")


def _ours(y: Float1D, x: Float1D) -> str:
    try:
        return _answer(*engle_granger(y, x)[:2])
    except DegenerateSeriesError as error:
        return f"error: found {error.found}"


def _theirs(coint: Any, y: Float1D, x: Float1D) -> str:
    try:
        with warnings.catch_warnings(record=True) as warned, np.errstate(all="ignore"):
            warnings.simplefilter("always")
            answer = _answer(*coint(y, x)[:2])
    except ERRORS as error:
        return f"error: {str(error).splitlines()[0] or type(error).__name__}"
    kinds = sorted({warning.category.__name__ for warning in warned})
    return f"{answer}; warns: {', '.join(kinds)}" if kinds else answer


def _answer(stat: float, pvalue: float) -> str:
    return f"statistic {stat:.4g}, p-value {pvalue:.4g}"
