"""The list of features: name, formula, unit, look-back and transform of each, for both specifications."""

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Final, Literal, Self

import numpy as np
import numpy.typing as npt
from numba import njit

from perpfut_lib.features.asset import AssetQuantities, Indicators
from perpfut_lib.features.pair import PairQuantities
from perpfut_lib.types import Float1D, Float2D, JsonObject

IntTable = npt.NDArray[np.int64]
Block = Literal["pair", "y", "x", "both"]
Transform = Literal["none", "log", "asinh", "sqrt", "fisher", "soft"]
TRANSFORMS: Final[tuple[Transform, ...]] = ("none", "log", "asinh", "sqrt", "fisher", "soft")
LEAST_ARGUMENT: Final = 1e-8
RELATION: Final = ("alpha", "beta", "correlation", "pvalue", "half_life")  # fixed over a pair's trading window
CHUNK: Final = 64  # rows whose features fit into the nearest cache
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
    def picks(self) -> IntTable:
        """Return for every feature the quantity it takes, its transform in TRANSFORMS, and 1 if it is fixed, (F, 3)."""
        fixed = [feature.block == "pair" and feature.quantity in RELATION for feature in self.features]
        transforms = (TRANSFORMS.index(feature.transform) for feature in self.features)
        columns = (feature.column() for feature in self.features)
        return np.array(list(zip(columns, transforms, fixed, strict=True)), np.int64)

    def least_scales(self) -> Float1D:
        """Return the least scale of each feature."""
        return np.array([feature.least_scale for feature in self.features])

    def to_json(self) -> JsonObject:
        """Return a JSON object that :meth:`from_json` reads back."""
        features = [asdict(feature) for feature in self.features]
        head = {"name": self.name, "lookback": self.lookback, "indicators": self.indicators._asdict()}
        return {**head, "features": features}

    @classmethod
    def from_json(cls, data: JsonObject) -> Self:
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


@njit(cache=True, error_model="numpy", nogil=True)
def assemble(pair: Float2D, y: Float2D, x: Float2D, picks: IntTable, rows: Float2D) -> None:
    """Write feature rows (T, F) from what is said of a pair, (T, fields of PairQuantities), and of its legs.

    The legs' quantities lie one after the other in memory, (fields of AssetQuantities, T).

    The carry is what a long spread of unit gross exposure expects to receive from funding, bps of equity a day:
    -(f_y - β f_x) / (1 + |β|) with daily rates f.
    """
    # Written one after the other, and then row by row, which is how memory takes them in fastest.
    chunk, carry = np.empty((picks.shape[0], CHUNK)), np.empty(CHUNK)
    for first in range(0, rows.shape[0], CHUNK):
        stop = min(first + CHUNK, rows.shape[0])
        for k in range(picks.shape[0]):
            column, how, values = picks[k, 0], (picks[k, 1], picks[k, 2]), chunk[k, : stop - first]
            if column == QUANTITY_COUNT - 1:
                for t in range(first, stop):
                    beta = pair[t, BETA]
                    carry[t - first] = (beta * x[DAILY_FUNDING, t] - y[DAILY_FUNDING, t]) / (1.0 + abs(beta))
                _pick(carry[: stop - first], how, values)
            elif column < PAIR_COUNT:
                _pick(pair[first:stop, column], how, values)
            elif column < PAIR_COUNT + ASSET_COUNT:
                _pick(y[column - PAIR_COUNT, first:stop], how, values)
            else:
                _pick(x[column - PAIR_COUNT - ASSET_COUNT, first:stop], how, values)
        for t in range(first, stop):
            for k in range(picks.shape[0]):
                rows[t, k] = chunk[k, t - first]


@njit(cache=True, error_model="numpy")
def _pick(said: Float1D, how: tuple[int, int], values: Float1D) -> None:
    """Write one feature over some rows; a fixed one is transformed once."""
    transform, fixed = how
    if fixed:
        values[:] = transformed(said[0], transform)
    elif transform == 0:
        values[:] = said
    else:
        # Funding stands still between settlements; a transform costs more than to see that. Zeros differ in sign.
        before, answer = math.nan, math.nan
        for t in range(said.shape[0]):
            if said[t] != before or before == 0.0:
                before = said[t]
                answer = transformed(before, transform)
            values[t] = answer
