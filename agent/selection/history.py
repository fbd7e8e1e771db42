"""What the slow tick keeps of every symbol: candles as long as a formation window, and the feature recursion.

The newest bar is fetched anew at every refresh, because exchanges correct it; recursions stop one bar short of it. A
missing bar stays missing: the symbol is then not eligible until its formation window is whole again.
"""

import hashlib
import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np

from agent.decision.pair_update import KEPT_SETTLEMENTS, UpdateRules, asset_rows, known_settlements
from agent.feed.market import NO_BARS, Slice, Wanted, settlement_due
from agent.state.memory import Settlements
from agent.state.sealed_file import read_sealed, write_sealed
from perpfut_lib.artifacts import write_bytes
from perpfut_lib.errors import ArtifactError, MissingInputError, PerpfutError
from perpfut_lib.features import FeatureSpec, FeatureState, init_state
from perpfut_lib.features.asset_scan import scan_asset
from perpfut_lib.features.recursion import AssetTrack
from perpfut_lib.features.spec import ASSET_COUNT
from perpfut_lib.types import DAY_MS, Float2D, Json, JsonObject

log = logging.getLogger(__name__)

INDEX: Final = "index.json"
SCHEMA: Final = 1
EARLIER_SETTLEMENTS: Final = 2 * DAY_MS  # the interval between settlements is known from the last two


@dataclass(frozen=True)
class SymbolHistory:
    """One symbol up to the last refresh."""

    bars: Float2D
    """Closed bars, (n, 6): open time, open, high, low, close, volume."""
    state: FeatureState
    """Recursion after the last settled bar; one symbol, no pair."""
    settlements: Settlements
    """Latest funding settlements."""
    checked: int
    """Until when settlements were asked for, ms UTC."""
    settled: int
    """Close of the last settled bar, ms UTC: bars from here on are fetched anew."""

    @classmethod
    def start(cls, symbol: str, since: int, spec: FeatureSpec) -> Self:
        """Return a history that begins with the bar that opens at ``since``."""
        return cls(NO_BARS, init_state(spec, (symbol,)), (), since - EARLIER_SETTLEMENTS, since)

    def wanted(self, until: int) -> Wanted:
        """Return the request that brings the history up to ``until``."""
        due = self.checked < until - DAY_MS or settlement_due(self.checked, until)
        return Wanted(self.settled, self.checked + 1 if due else None)

    def window(self, start: int, end: int, timeframe: int) -> Float2D | None:
        """Return the bars that open in [``start``, ``end``), or none if one is missing."""
        low, high = np.searchsorted(self.bars[:, 0], [start, end])
        return self.bars[low:high] if high - low == (end - start) // timeframe else None

    def refreshed(self, symbol: str, fresh: Slice, until: int, keep: int, rules: UpdateRules) -> "SymbolHistory":
        """Return this history with what was fetched.

        Parameters
        ----------
        symbol : str
            Name.
        fresh : Slice
            Closed bars from ``settled`` on, and settlements after ``checked``.
        until : int
            Close of the newest bar, ms UTC.
        keep : int
            Number of bars to keep.
        rules : UpdateRules
            Features of the policy, and the timeframe.
        """
        events = known_settlements(self.settlements, fresh)
        settled = fresh.bars[fresh.bars[:, 0] < until - rules.timeframe]
        bars = np.concatenate([self.bars[self.bars[:, 0] < self.settled], fresh.bars])
        return SymbolHistory(
            bars=bars[-keep:],
            state=_scanned(rules.spec, symbol, self.state, settled, asset_rows(settled, events, rules.timeframe)),
            settlements=events[-KEPT_SETTLEMENTS:],
            checked=until if self.wanted(until).settlements_since is not None else self.checked,
            settled=max(self.settled, until - rules.timeframe),
        )


@dataclass(frozen=True)
class History:
    """All symbols, in a folder; a file that is not what the index says is thrown away, and its symbol fetched anew."""

    folder: Path
    spec: FeatureSpec

    def read(self) -> dict[str, SymbolHistory]:
        """Return every symbol whose files are intact."""
        try:
            index = read_sealed(self.folder / INDEX)
            symbols = dict(index["symbols"]) if index["schema"] == SCHEMA else {}
        except MissingInputError:
            return {}
        except (ArtifactError, KeyError, TypeError, ValueError) as error:
            log.warning("history lost", extra={"cause": str(error)})
            return {}
        found = {symbol: self._symbol(symbol, entry) for symbol, entry in symbols.items()}
        return {symbol: history for symbol, history in found.items() if history is not None}

    def write(self, histories: Mapping[str, SymbolHistory]) -> None:
        """Replace the stored history; the index is written last and lists its files."""
        symbols = {symbol: self._entry(symbol, history) for symbol, history in histories.items()}
        write_sealed(self.folder / INDEX, {"schema": SCHEMA, "symbols": symbols})

    def _entry(self, symbol: str, history: SymbolHistory) -> JsonObject:
        buffer = io.BytesIO()
        np.save(buffer, history.bars, allow_pickle=False)
        write_bytes(self.folder / f"{symbol}.npy", buffer.getvalue())
        return {
            "state": history.state.to_json(),
            "settlements": [list(event) for event in history.settlements],
            "checked": history.checked,
            "settled": history.settled,
            "bars": hashlib.sha256(buffer.getvalue()).hexdigest(),
        }

    def _symbol(self, symbol: str, entry: Mapping[str, Json]) -> SymbolHistory | None:
        try:
            content = (self.folder / f"{symbol}.npy").read_bytes()
            if hashlib.sha256(content).hexdigest() != entry["bars"]:
                raise ValueError("its candles are not those of the index")
            bars = np.load(io.BytesIO(content), allow_pickle=False)
            state = FeatureState.from_json(self.spec, entry["state"])
            settlements = tuple((int(time), float(rate)) for time, rate in entry["settlements"])
            return SymbolHistory(bars, state, settlements, entry["checked"], entry["settled"])
        except (OSError, ValueError, KeyError, TypeError, PerpfutError) as error:
            log.warning("history of a symbol lost", extra={"symbol": symbol, "cause": str(error)})
            return None


def _scanned(spec: FeatureSpec, symbol: str, state: FeatureState, bars: Float2D, rows: Float2D) -> FeatureState:
    """Return the recursion of one symbol after further bars, in one scan."""
    if not len(bars):
        return state
    followed = state.assets[symbol]
    moved, said = followed.state.copy(), np.empty((len(rows), ASSET_COUNT))
    wanted = np.arange(len(rows)) >= len(rows) - spec.lookback
    scan_asset(spec.indicators, moved, rows, wanted, said)
    recent = np.concatenate([followed.recent, said[wanted]])[-spec.lookback :]
    return FeatureState(int(bars[-1, 0]), {symbol: AssetTrack(moved, recent)}, {})
