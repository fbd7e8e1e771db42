"""Features one bar at a time: the form that the live agent runs, on a state that goes through JSON without loss."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from perpfut_lib.errors import ArtifactError
from perpfut_lib.features.asset import AssetBar, asset_dtype, log_price
from perpfut_lib.features.asset_scan import step_asset
from perpfut_lib.features.pair import Pair, advance_pair, describe_pair, empty_pair, filter_noise, pair_dtype
from perpfut_lib.features.spec import ASSET_COUNT, FeatureSpec, assemble
from perpfut_lib.indicators import blank
from perpfut_lib.types import Float1D, Float2D, Json, JsonObject

SCHEMA: Final = 1


@dataclass(frozen=True)
class AssetTrack:
    """One symbol: its recursion and what it said of the last bars."""

    state: Any
    """Record of :class:`~perpfut_lib.features.asset.AssetState`."""
    recent: Float2D
    """Quantities of the last ``lookback`` bars, oldest first, (lookback, fields of AssetQuantities); 0 before them."""


@dataclass(frozen=True)
class PairTrack:
    """One pair: its fixed numbers, its recursion and its last feature rows."""

    y: str
    x: str
    pair: Pair
    state: Any
    """Record of :class:`~perpfut_lib.features.pair.PairState`."""
    window: Float2D
    """Raw features of the last ``lookback`` bars, oldest first, (lookback, F)."""


@dataclass(frozen=True)
class FeatureState:
    """Everything that the recursion remembers; :meth:`to_json` loses not a bit of it."""

    time: int
    """Open time of the last bar seen, ms UTC; -1 before the first."""
    assets: Mapping[str, AssetTrack]
    """By symbol."""
    pairs: Mapping[str, PairTrack]
    """By a key that the caller chooses."""

    def to_json(self) -> JsonObject:
        """Return a JSON object; floats are written so that they read back to the same bits."""
        assets = {
            name: {"state": dump(track.state), "recent": _rows(track.recent)} for name, track in self.assets.items()
        }
        pairs = {
            key: {
                "y": track.y,
                "x": track.x,
                "pair": track.pair._asdict(),
                "state": dump(track.state),
                "window": _rows(track.window),
            }
            for key, track in self.pairs.items()
        }
        return {"schema": SCHEMA, "time": self.time, "assets": assets, "pairs": pairs}

    @classmethod
    def from_json(cls, spec: FeatureSpec, data: Mapping[str, Json]) -> Self:
        """Read what :meth:`to_json` wrote of a state of the same specification.

        Raises
        ------
        ArtifactError
            The object has another schema, lacks a field, or belongs to another specification.
        """
        if data.get("schema") != SCHEMA:
            found = f"a feature state of schema {data.get('schema')!r}"
            raise ArtifactError(found, f"schema {SCHEMA}", "start the recursion afresh from stored candles")
        asset_record, pair_record = asset_dtype(spec.indicators), pair_dtype(spec.indicators)
        recent, window = (spec.lookback, ASSET_COUNT), (spec.lookback, len(spec.features))
        try:
            assets = {
                name: AssetTrack(load(asset_record, track["state"]), _table(track["recent"], recent))
                for name, track in data["assets"].items()
            }
            pairs = {
                key: PairTrack(
                    track["y"],
                    track["x"],
                    Pair(**track["pair"]),
                    load(pair_record, track["state"]),
                    _table(track["window"], window),
                )
                for key, track in data["pairs"].items()
            }
            return cls(int(data["time"]), assets, pairs)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"a feature state with {error!r}", "every field", "start the recursion afresh"
            ) from error


def init_state(spec: FeatureSpec, symbols: tuple[str, ...]) -> FeatureState:
    """Return the state of ``spec`` before the first bar of ``symbols``, without pairs."""
    record, shape = asset_dtype(spec.indicators), (spec.lookback, ASSET_COUNT)
    return FeatureState(-1, {symbol: AssetTrack(blank(record), np.zeros(shape)) for symbol in symbols}, {})


def step(
    spec: FeatureSpec, state: FeatureState, open_time: int, bars: Mapping[str, AssetBar]
) -> tuple[FeatureState, dict[str, Float1D]]:
    """Advance by one closed bar of every symbol.

    Parameters
    ----------
    spec : FeatureSpec
        Which features.
    state : FeatureState
        Left as it is.
    open_time : int
        Open time of the bar, ms UTC, one bar after the last.
    bars : mapping
        One bar for every symbol of the state; close NaN for a symbol that has none, which leaves it where it was.

    Returns
    -------
    state : FeatureState
        After the bar.
    rows : dict
        Raw features (F,) of every pair, NaN where a leg has no bar.

    Raises
    ------
    ArtifactError
        A symbol has no entry in ``bars``, or the bar is not later than the last one.
    """
    missing = sorted(set(state.assets) - set(bars))
    if missing or open_time <= state.time:
        found = f"no bar of {', '.join(missing)}" if missing else f"bar {open_time} after bar {state.time}"
        raise ArtifactError(found, "the next bar of every symbol", "fetch the bars in between, or start afresh")
    assets = {symbol: _step_asset(spec, track, bars[symbol]) for symbol, track in state.assets.items()}
    pairs = {
        key: _step_pair(spec, track, open_time, assets, (bars[track.y].close, bars[track.x].close))
        for key, track in state.pairs.items()
    }
    return FeatureState(open_time, assets, pairs), {key: track.window[-1] for key, track in pairs.items()}


def open_pair(
    spec: FeatureSpec, state: FeatureState, key: str, legs: tuple[str, str], pair: Pair, closes: Float2D
) -> FeatureState:
    """Return ``state`` with one pair more, warmed on its formation window.

    Parameters
    ----------
    spec : FeatureSpec
        Which features.
    state : FeatureState
        Holds both symbols.
    key : str
        Name of the pair in the state; an old one of that name is replaced.
    legs : tuple
        Symbols y and x.
    pair : Pair
        Its fixed numbers.
    closes : Float2D
        Closes of both legs from the formation window's first bar to the state's last one, (n, 2).

    Raises
    ------
    ArtifactError
        ``closes`` do not span that time, or the state does not hold both symbols.
    """
    count = round((state.time - pair.formation_start) / pair.timeframe) + 1
    unknown = [symbol for symbol in legs if symbol not in state.assets]
    if unknown or len(closes) != count or count < 1:
        found = f"{len(closes)} closes of {'/'.join(legs)}, without a state of {', '.join(unknown) or 'none'}"
        raise ArtifactError(found, f"{count} closes and both states", "read the bars from the formation's start")
    track = PairTrack(*legs, pair, empty_pair(pair, spec.indicators), np.zeros((spec.lookback, len(spec.features))))
    noise = filter_noise(pair, spec.indicators)
    for number, (close_y, close_x) in enumerate(closes):
        time = pair.formation_start + number * pair.timeframe
        advance_pair(spec.indicators, pair, noise, track.state, (time, log_price(close_y), log_price(close_x)))
        slot = spec.lookback - (count - number)
        if slot >= 0:
            recent_y, recent_x = (state.assets[symbol].recent[slot] for symbol in legs)
            track.window[slot] = _row(spec, track, time, recent_y, recent_x)
    return replace(state, pairs={**state.pairs, key: track})


def dump(record: Any) -> JsonObject:
    """Return a (nested) record of float64 fields as JSON."""
    fields = ((name, record[name]) for name in record.dtype.names or ())
    return {name: dump(value) if value.dtype.names else value.tolist() for name, value in fields}


def load(dtype: np.dtype[np.void], data: Mapping[str, Json]) -> Any:
    """Read what :func:`dump` wrote of a record; KeyError or ValueError if a field is missing or of another shape."""
    record = blank(dtype)
    for name in dtype.names or ():
        part, value = dtype[name], data[name]
        record[name] = load(part, value) if part.names else _table(value, part.shape)
    return record


def _table(data: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return nested lists as an array of that shape, null as NaN."""
    table = np.array(data, np.float64)
    if table.shape != shape:
        raise ValueError(f"shape {table.shape} where {shape} belongs")
    return table


def _step_asset(spec: FeatureSpec, track: AssetTrack, bar: AssetBar) -> AssetTrack:
    state = track.state.copy()
    said = step_asset(spec.indicators, state, bar)
    return AssetTrack(state, np.vstack([track.recent[1:], said]))


def _step_pair(
    spec: FeatureSpec, track: PairTrack, open_time: int, assets: Mapping[str, AssetTrack], closes: tuple[float, float]
) -> PairTrack:
    track = replace(track, state=track.state.copy())
    row = np.full(len(spec.features), math.nan)
    if not any(map(math.isnan, closes)):
        bar = (float(open_time), log_price(float(closes[0])), log_price(float(closes[1])))
        advance_pair(spec.indicators, track.pair, filter_noise(track.pair, spec.indicators), track.state, bar)
        row = _row(spec, track, float(open_time), assets[track.y].recent[-1], assets[track.x].recent[-1])
    return replace(track, window=np.vstack([track.window[1:], row]))


def _row(spec: FeatureSpec, track: PairTrack, time: float, recent_y: Float1D, recent_x: Float1D) -> Float1D:
    """Return the feature row of a pair whose state has been advanced to the bar of ``time``."""
    row = np.empty((1, len(spec.features)))
    said = np.array([describe_pair(track.pair, track.state, time)])
    assemble(said, recent_y[:, None], recent_x[:, None], spec.picks, row)
    return row[0]


def _rows(table: Float2D) -> list[Any]:
    """Return a table as JSON with null for NaN."""
    return [[None if math.isnan(value) else value for value in row] for row in table.tolist()]
