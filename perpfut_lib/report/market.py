"""How rich the markets are: what was published by ``perpfut bench market``, side by side."""

from typing import Any

import pandas as pd

from perpfut_lib.artifacts import list_published, read_published
from perpfut_lib.report.sources import nothing_published
from perpfut_lib.report.style import NOTHING

FOLDER = "market"


def market_table() -> pd.DataFrame:
    """Return one row per statistic: each published market, and how many times richer simulated ones are.

    A ratio is taken to the mean of the recorded markets; a dash stands where that is not positive.
    """
    markets = [read_published(name) for name in list_published(FOLDER)]
    if not markets:
        return nothing_published()
    table = pd.DataFrame({one["profile"]: one["statistics"] for one in markets})
    recorded = table[[one["profile"] for one in markets if not one["simulated"]]].mean(axis=1)
    shown = table.map(_figure)
    for one in markets:
        if one["simulated"]:
            ratio = table[one["profile"]] / recorded.where(recorded > 0.0)
            shown[f"{one['profile']}, times the recorded"] = ratio.map(_figure)
    return shown.rename_axis(index="statistic")


def informed_table() -> pd.DataFrame:
    """Return the net Sharpe ratio of the trader who knows how each simulated market was made, by fee."""
    markets = [read_published(name) for name in list_published(FOLDER)]
    rows: dict[str, Any] = {one["profile"]: one["informed_sharpe"] for one in markets if one["simulated"]}
    if not rows:
        return nothing_published()
    return pd.DataFrame(rows).T.round(1).rename_axis(index="market", columns="fee (bps)")


def _figure(value: float) -> str:
    return NOTHING if pd.isna(value) else f"{value:.3g}"
