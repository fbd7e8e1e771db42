"""Episodes straight from a panel, by the functions that the stages call."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from perpfut_lib.accounting import Market, make_market
from perpfut_lib.config import Profile
from perpfut_lib.env.episodes import Episodes
from perpfut_lib.env.impact import LEGS, impact_coefficients
from perpfut_lib.env.stage import decision_rows, fill_prices, funding_per_unit, leg_prices
from perpfut_lib.features.scaler import Scaler, scale
from perpfut_lib.features.spec import FeatureSpec
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import Float3D


class Observed(NamedTuple):
    """What is seen of every episode."""

    spec: FeatureSpec
    raw: Float3D
    """Unscaled features, (E, K+L, F)."""
    scaler: Scaler


def assemble(panel: Panel, pair_days: pd.DataFrame, observed: Observed, profile: Profile) -> Episodes:
    """Return the episodes of pair-days; :class:`perpfut_lib.errors.GapError` where one lacks a bar."""
    rows = decision_rows(panel, pair_days)
    fills, times = fill_prices(panel, pair_days, rows, profile.env)
    marks = np.stack([leg_prices(panel.close, panel, pair_days[leg], rows[:, :-1] - 1) for leg in LEGS], axis=2)
    funding = np.stack([funding_per_unit(panel, pair_days[leg], times) for leg in LEGS], axis=2)
    impact = impact_coefficients(panel, pair_days, rows, profile.costs.slippage)
    return Episodes(
        pair_days=pair_days,
        features=scale(observed.raw, observed.scaler),
        market=make_market(fills, marks, funding, impact),
        fill_times=times,
        hedge_ratio=pair_days["beta"].to_numpy(np.float64),
        names=observed.spec.names,
        lookback=observed.spec.lookback,
    )


def joined(parts: list[Episodes]) -> Episodes:
    """Return episodes of the same features one after the other."""
    arrays = zip(*(part.market for part in parts), strict=True)
    return Episodes(
        pair_days=pd.concat([part.pair_days for part in parts], ignore_index=True),
        features=np.concatenate([part.features for part in parts]),
        market=Market(*(np.concatenate(array) for array in arrays)),
        fill_times=np.concatenate([part.fill_times for part in parts]),
        hedge_ratio=np.concatenate([part.hedge_ratio for part in parts]),
        names=parts[0].names,
        lookback=parts[0].lookback,
    )
