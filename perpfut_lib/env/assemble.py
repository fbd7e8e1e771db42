"""Episodes straight from a panel, by the functions that the stages call."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from perpfut_lib.accounting import Market
from perpfut_lib.config import Profile
from perpfut_lib.env.episodes import Episodes
from perpfut_lib.env.stage import cut_market
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
    market, times = cut_market(panel, pair_days, profile)
    return Episodes(
        pair_days=pair_days,
        features=scale(observed.raw, observed.scaler),
        market=market,
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
