"""What fresh simulated markets gave: the names of those compared, and how their rows are read."""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from perpfut_lib.evaluate.utility import INFORMED
from perpfut_lib.types import Float1D, Json

AGENT: Final = "agent"
BEST: Final = "best rule"


def world_values(worlds: Iterable[Mapping[str, Json]], policy: str, fee: float, measure: str) -> Float1D:
    """Return one measure of one policy at one fee in every world, (N,)."""
    rows = [row for world in worlds for row in world["rows"]]
    return np.array([row[measure] for row in rows if row["policy"] == policy and row["fee_bps"] == fee])


__all__ = ["AGENT", "BEST", "INFORMED", "world_values"]
