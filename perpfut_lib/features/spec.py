"""The list of features: name, formula, unit, look-back and transform of each, for both specifications."""

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final, Literal, Self

import numpy as np
from numba import njit

from perpfut_lib.features.asset import AssetQuantities, Indicators
from perpfut_lib.features.pair import PairQuantities
from perpfut_lib.types import Float1D, Int1D

Block = Literal["pair", "y", "x", "both"]
Transform = Literal["none", "log", "asinh", "sqrt", "fisher", "soft"]
TRANSFORMS: Final[tuple[Transform, ...]] = ("none", "log", "asinh", "sqrt", "fisher", "soft")
LEAST_ARGUMENT: Final = 1e-8
BETA: Final = PairQuantities._fields.index("beta")
DAILY_FUNDING: Final = AssetQuantities._fields.index("daily_funding_bps")

PAIR_COUNT: Final = len(PairQuantities._fields)
ASSET_COUNT: Final = len(AssetQuantities._fields)
# All quantities of one pair at one bar, in this order: the pair's, the first leg's, the second leg's, and the carry.
QUANTITY_COUNT: Final = PAIR_COUNT + 2 * ASSET_COUNT + 1


@dataclass(frozen=True)
class Feature:
    """One column of the observation before scaling."""

    name: str
    """Unique; ``y_`` and ``x_`` mark the legs."""
    block: Block
    """Whose quantity it is: the pair's, one leg's, or of both legs."""
    quantity: str
    """Field of PairQuantities or AssetQuantities, or ``carry``."""
    formula: str
    unit: str
    lookback: int
    """Bars that it looks back at least; recursions look back further with fading weight. 0: the formation window."""
    transform: Transform = "none"
    """Applied to the quantity before scaling, so that tails stay inside the clip."""
    least_scale: float = 0.1
    """Least standard deviation that scaling divides by: differences far below it mean nothing."""

    def column(self) -> int:
        """Return the position of the quantity among all QUANTITY_COUNT of them."""
        if self.block == "both":
            return QUANTITY_COUNT - 1
        if self.block == "pair":
            return PairQuantities._fields.index(self.quantity)
        leg = ("y", "x").index(self.block)
        return PAIR_COUNT + leg * ASSET_COUNT + AssetQuantities._fields.index(self.quantity)


@dataclass(frozen=True)
class FeatureSpec:
    """Everything that decides the value of a feature row: its columns and the indicators' windows."""

    name: str
    lookback: int
    """Rows of features stacked into one observation."""
    indicators: Indicators
    features: tuple[Feature, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def picks(self) -> tuple[Int1D, Int1D]:
        """Return which quantity each feature takes, and its transform as its position in TRANSFORMS."""
        columns = np.array([feature.column() for feature in self.features], np.int64)
        return columns, np.array([TRANSFORMS.index(feature.transform) for feature in self.features], np.int64)

    def least_scales(self) -> Float1D:
        """Return the least scale of each feature."""
        return np.array([feature.least_scale for feature in self.features])

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object that :meth:`from_json` reads back."""
        features = [asdict(feature) for feature in self.features]
        head = {"name": self.name, "lookback": self.lookback, "indicators": self.indicators._asdict()}
        return {**head, "features": features}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        features = tuple(Feature(**feature) for feature in data["features"])
        return cls(data["name"], data["lookback"], Indicators(**data["indicators"]), features)


@njit(cache=True, error_model="numpy")
def transformed(value: float, transform: int) -> float:
    """Return a quantity after its transform (position in TRANSFORMS).

    ``none``; ``log`` and ``sqrt``, arguments below 0 counting as 0; ``asinh``; ``fisher`` (atanh, spreads out
    correlations close to one); ``soft`` (v / √(1 + |v|): v near 0, ±√|v| far out).
    """
    if transform == 0:
        return value
    if transform == 5:
        return value / math.sqrt(1.0 + abs(value))
    if transform == 1:
        return math.log(max(value, LEAST_ARGUMENT))
    if transform == 2:
        return math.asinh(value)
    if transform == 3:
        return math.sqrt(max(value, 0.0))
    return math.atanh(min(max(value, -1.0 + LEAST_ARGUMENT), 1.0 - LEAST_ARGUMENT))


@njit(cache=True, error_model="numpy")
def assemble(pair: Float1D, y: Float1D, x: Float1D, columns: Int1D, transforms: Int1D, row: Float1D) -> None:
    """Write one feature row (F,) from what is said of a pair (fields of PairQuantities) and of its legs.

    ``columns`` and ``transforms`` are those of the specification. The carry is what a long spread of unit gross
    exposure expects to receive from funding, bps of equity a day: -(f_y - β f_x) / (1 + |β|) with daily rates f.
    """
    for k in range(columns.shape[0]):
        column = columns[k]
        if column < PAIR_COUNT:
            value = pair[column]
        elif column < PAIR_COUNT + ASSET_COUNT:
            value = y[column - PAIR_COUNT]
        elif column < QUANTITY_COUNT - 1:
            value = x[column - PAIR_COUNT - ASSET_COUNT]
        else:
            value = (pair[BETA] * x[DAILY_FUNDING] - y[DAILY_FUNDING]) / (1.0 + abs(pair[BETA]))
        row[k] = transformed(value, transforms[k])
