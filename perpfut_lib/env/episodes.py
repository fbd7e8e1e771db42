"""Episodes: one selected pair on one trading window, with everything that the environment and the evaluation need."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd

from perpfut_lib.accounting import Market, make_market
from perpfut_lib.artifacts import Run
from perpfut_lib.env.kernel import World
from perpfut_lib.errors import NoPairsError, SchemaError
from perpfut_lib.types import Float1D, Float3D, Float32, Int1D

if TYPE_CHECKING:
    from perpfut_lib.config import Profile
    from perpfut_lib.store.frames import ArrowTable


@dataclass(frozen=True)
class Episodes:
    """E episodes of L decisions; arrays share their first axis with the rows of ``pair_days``."""

    pair_days: pd.DataFrame
    """One row per episode: symbols, formation statistics, ``start``, ``end``, ``split``."""
    features: Float32
    """Scaled feature rows, float32, (E, K+L, F), K = lookback - 1; row K+j is what decision j knows."""
    market: Market
    """Prices, funding and impact; see :class:`perpfut_lib.accounting.Market`."""
    fill_times: Int1D
    """Time at which decision j fills, ms UTC, (E, L+1)."""
    hedge_ratio: Float1D
    """β of each episode, (E,)."""
    names: tuple[str, ...]
    """Names of the F features."""
    lookback: int
    """Feature rows stacked into one observation."""

    def __post_init__(self) -> None:
        count, rows, width = self.features.shape
        length = rows - self.lookback + 1
        shapes = {
            "pair_days": ((len(self.pair_days),), (count,)),
            "hedge_ratio": (self.hedge_ratio.shape, (count,)),
            "names": ((len(self.names),), (width,)),
            "market.fills": (self.market.fills.shape, (count, length + 1, 2)),
            "market.marks": (self.market.marks.shape, (count, length, 2)),
            "fill_times": (self.fill_times.shape, (count, length + 1)),
        }
        for name, (found, expected) in shapes.items():
            if found != expected:
                raise SchemaError(f"{name} of shape {found}", f"shape {expected}", "run the environment stage again")

    def __len__(self) -> int:
        return len(self.hedge_ratio)

    @classmethod
    def from_frames(
        cls,
        candles: "pd.DataFrame | ArrowTable",
        funding: "pd.DataFrame | ArrowTable | None" = None,
        pairs: "Sequence[tuple[str, str]] | None" = None,
        profile: "Profile | None" = None,
    ) -> "Episodes":
        """Return the episodes of candles in memory.

        Parameters
        ----------
        candles : DataFrame or Arrow table
            Columns ``symbol open_time open high low close volume``; times are int64 ms UTC or date-times.
        funding : DataFrame or Arrow table, optional
            Columns ``symbol funding_time funding_rate``; none is paid without.
        pairs : sequence of (str, str), optional
            Pairs (y, x) that are traded in every window, the hedge ratio estimated on the formation window before it;
            by default the cointegration screen of the profile chooses.
        profile : Profile, optional
            Formation, trading, split, features, fills and funding; by default the documented ones.

        Raises
        ------
        SchemaError, PriceError, DuplicateBarError, TimestampError, GapError, FundingError, SuspectDataError
            The tables are not what they should be. A symbol with suspect data that no pair names is left out, with a
            warning.
        SplitError, NoPairsError
            The data are too short, or no pair passes.
        """
        from perpfut_lib.config import Profile
        from perpfut_lib.env.frames import episodes_from_frames

        return episodes_from_frames(
            candles, funding, pairs, profile or Profile.model_validate({"compute": {"workers": 1}})
        )

    @property
    def length(self) -> int:
        """Decisions per episode, L."""
        return self.market.marks.shape[1]

    @property
    def observation_size(self) -> int:
        """Numbers in one observation, D = lookback·F + 3."""
        return self.lookback * len(self.names) + 3

    @property
    def fills(self) -> Float3D:
        """Fill prices, (E, L+1, 2)."""
        return self.market.fills

    @property
    def marks(self) -> Float3D:
        """Last prices known at each decision, (E, L, 2)."""
        return self.market.marks

    @property
    def funding(self) -> Float3D:
        """Funding that one long unit pays until the next fill, (E, L, 2)."""
        return self.market.funding

    def world(self) -> World:
        """Return the arrays that the compiled environment reads.

        Prices of one step lie side by side in memory: with a thousand environments, each at its own place, reading
        them is waiting for memory.
        """
        count, length = len(self), self.length
        packed = np.zeros((count, length + 1, 8))
        market = Market(packed[..., 0:2], packed[:, :length, 2:4], packed[:, :length, 4:6], packed[..., 6:8])
        for target, source in zip(market, self.market, strict=True):
            target[...] = source
        features = np.ascontiguousarray(self.features, np.float32)
        return World(market, features, np.ascontiguousarray(self.hedge_ratio, np.float64), self.lookback)

    def rows(self, positions: Int1D) -> Self:
        """Return the episodes at the given positions, as copies."""
        return replace(
            self,
            pair_days=self.pair_days.iloc[positions].reset_index(drop=True),
            features=self.features[positions],
            market=Market(*(array[positions] for array in self.market)),
            fill_times=self.fill_times[positions],
            hedge_ratio=self.hedge_ratio[positions],
        )

    def select(self, split: str) -> Self:
        """Return the episodes of one split: ``train``, ``validate`` or ``test``.

        Raises
        ------
        NoPairsError
            The split has none.
        """
        positions = np.flatnonzero(self.pair_days["split"] == split)
        if not len(positions):
            splits = ", ".join(sorted(set(self.pair_days["split"])))
            raise NoPairsError(f"no episode in split {split!r}", f"one of {splits}", "widen the split or the screen")
        return self.rows(positions)


def load_episodes(run: Run) -> Episodes:
    """Return all episodes of a run, read from its stages ``cointegration``, ``features`` and ``environment``."""
    # Imported here so that simulated episodes need no stage.
    from perpfut_lib.cointegration import load_pair_days
    from perpfut_lib.features import load_features  # type: ignore[import-not-found,unused-ignore]

    folder, features, pair_days = run.stage("environment"), load_features(run), load_pair_days(run)
    fills, marks, funding, impact = (folder.read_array(f"{name}.npy") for name in Market._fields)
    return Episodes(
        pair_days=pair_days,
        features=features.scaled(),
        market=make_market(fills, marks, funding, impact),
        fill_times=folder.read_array("fill_times.npy"),
        hedge_ratio=pair_days["beta"].to_numpy(np.float64),
        names=tuple(features.names),
        lookback=features.lookback,
    )
